"""Time limits, which the sleeps of a task in virtual time pass, and tasks that end their process themselves."""

import sys
import time
from datetime import UTC, datetime, timedelta

import celery
import pytest
from booked import Shop, books
from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError

from pytest_jobs import check_idempotent
from pytest_jobs.errors import ExplorationError, LostEffect

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def jobs(jobs):
    jobs.clock.move_to(NEW_YEAR)
    return jobs


def seconds(jobs):
    return (jobs.clock.now() - NEW_YEAR).total_seconds()


@pytest.mark.parametrize("where", ["task", "call", "conf"])
def test_a_sleep_that_passes_the_soft_limit_raises_celerys_error_at_that_moment(jobs, app, where):
    if where == "conf":
        app.conf.task_soft_time_limit = 1

    @app.task(**({"soft_time_limit": 1} if where == "task" else {}))
    def slow():
        time.sleep(3)

    slow.apply_async(**({"soft_time_limit": 1} if where == "call" else {}))
    with pytest.raises(SoftTimeLimitExceeded):
        jobs.drain()

    assert seconds(jobs) == 1


def test_a_task_that_catches_the_soft_limit_has_until_the_hard_one_to_clean_up(jobs, app):
    came = []

    @app.task(soft_time_limit=2, time_limit=5)
    def slow(tidying):
        try:
            for _ in range(60):
                time.sleep(0.5)
        except SoftTimeLimitExceeded:
            came.append(seconds(jobs))
            time.sleep(tidying)
        return "tidy"

    slow.delay(2)
    slow.delay(60)
    with pytest.raises(TimeLimitExceeded):
        jobs.drain()

    assert came == [2, 6]
    assert jobs.performed[0].result == "tidy"
    assert seconds(jobs) == 9


def test_the_hard_limit_kills_the_process_and_the_worker_says_that_the_task_failed(jobs, app):
    @app.task(time_limit=1)
    def slow():
        try:
            time.sleep(3)
        except Exception:
            return "a killed process catches nothing"

    result = slow.delay()
    tally = jobs.drain(raise_errors=False)

    assert tally == {"failed": 1}
    assert isinstance(jobs.failed[0].error, TimeLimitExceeded)
    assert isinstance(result.result, TimeLimitExceeded)
    assert result.state == "FAILURE"
    assert seconds(jobs) == 1


#: An older one rejects the message of a task that was timed out, and it does not come again.
requeues = pytest.param(
    False, marks=pytest.mark.skipif(celery.__version__ < "5.5", reason="since Celery 5.5")
)


@pytest.mark.parametrize("acks", [True, requeues])
def test_a_late_acknowledged_task_comes_again_as_acks_on_failure_or_timeout_says(jobs, app, acks):
    @app.task(time_limit=1, acks_late=True, acks_on_failure_or_timeout=acks)
    def slow():
        if not slow.request.delivery_info["redelivered"]:
            time.sleep(3)

    slow.delay()
    tally = jobs.drain(raise_errors=False)

    assert tally == ({"failed": 1} if acks else {"snoozed": 1, "performed": 1})


@pytest.mark.parametrize(
    ("pool", "status"), [("solo", "performed"), ("threads", "performed"), ("gevent", "failed")]
)
def test_a_pool_that_does_not_interrupt_tasks_lets_them_go_on(jobs, app, pool, status):
    app.conf.worker_pool = pool

    @app.task(time_limit=2, soft_time_limit=1)
    def slow():
        time.sleep(3)

    slow.delay()

    assert jobs.drain(raise_errors=False) == {status: 1}


def test_a_retry_has_the_whole_time_again(jobs, app):
    @app.task(soft_time_limit=3, autoretry_for=(OSError,), retry_kwargs={"max_retries": 1})
    def slow():
        time.sleep(2)
        if not slow.request.retries:
            raise OSError

    slow.delay()

    assert jobs.drain() == {"retried": 1, "performed": 1}
    assert jobs.deliveries[1].at - jobs.deliveries[0].at > timedelta(seconds=2)


# As a history of a check


def book_and_give_up_quietly(self, number):
    Shop.ledger.book(number, key="begin")
    try:
        number += 1
        number += 1
        number += 1
    except SoftTimeLimitExceeded:
        return
    Shop.ledger.book(number, key="end")


def test_a_check_raises_the_soft_limit_at_each_point_when_it_is_asked_to(jobs, app):
    task = app.task(name="quiet", bind=True, soft_time_limit=60)(book_and_give_up_quietly)

    check_idempotent(task, args=(7,), world=books)
    with pytest.raises(LostEffect) as raised:
        check_idempotent(task, args=(7,), world=books, histories=["limit_fires"])

    assert "the time limit is reached here, before line" in str(raised.value)


@pytest.mark.parametrize("acks", [True, requeues])
def test_a_check_kills_the_process_at_the_hard_limit(jobs, app, acks):
    task = app.task(
        name="hard", bind=True, time_limit=60, acks_late=True, acks_on_failure_or_timeout=acks
    )(book_and_give_up_quietly)

    def check():
        check_idempotent(
            task, args=(7,), world=books, histories=["limit_fires"], delivery="as configured"
        )

    if acks:
        with pytest.raises(LostEffect, match="limit_fires"):
            check()
    else:
        check()


def test_a_check_of_a_task_without_a_limit_has_nothing_to_try(jobs, app):
    task = app.task(name="endless", bind=True)(book_and_give_up_quietly)

    with pytest.raises(ExplorationError, match="names limit_fires, and there is nothing to try"):
        check_idempotent(task, args=(7,), world=books, histories=["limit_fires"])


# The process of a task that calls sys.exit()


@pytest.mark.parametrize("code", [None, 3, "bye"])
def test_a_task_that_exits_takes_its_process_along_and_is_reported_as_lost(jobs, app, code):
    @app.task(autoretry_for=(Exception,))
    def leave():
        sys.exit(code)

    result = leave.delay()
    with pytest.raises(WorkerLostError) as raised:
        jobs.drain()

    status = {None: 0, 3: 3, "bye": 1}[code]
    assert str(raised.value) == f"Worker exited prematurely: exitcode {status}."
    assert isinstance(result.result, WorkerLostError)
    assert [delivery.status for delivery in jobs.deliveries] == ["failed"]


def test_a_task_that_exits_comes_again_when_it_is_rejected_on_a_lost_worker(jobs, app):
    @app.task(acks_late=True, reject_on_worker_lost=True)
    def leave():
        if not leave.request.delivery_info["redelivered"]:
            sys.exit()

    leave.delay()

    assert jobs.drain() == {"snoozed": 1, "performed": 1}
