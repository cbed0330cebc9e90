"""Time limits, which the sleeps of a task in virtual time pass."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded

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


@pytest.mark.parametrize("acks", [True, False])
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
