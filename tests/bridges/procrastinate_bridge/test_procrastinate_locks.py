"""A worker takes the first job of a lock alone, also while that waits; see the real worker for its order."""

import time
from datetime import timedelta

import pytest

pytest.importorskip("procrastinate")

from procrastinate import BaseRetryStrategy, RetryDecision, RetryStrategy
from procrastinate.schema import SchemaManager

from pytest_jobs.errors import NothingMatchedError


@pytest.fixture
def ran():
    return []


@pytest.fixture
def step(app, ran):
    @app.task(name="step", pass_context=True, retry=RetryStrategy(max_attempts=1, wait=5))
    def step(context, n, fails=False, sleeps=0):
        ran.append(n)
        time.sleep(sleeps)
        if fails and context.job.attempts == 0:
            raise ValueError(n)

    return step


@pytest.fixture
def defer(step):
    """Return a function that defers a job with a lock."""

    def defer(n, *, lock="a", priority=0, wait=0, **given):
        options = {"schedule_in": {"seconds": wait}} if wait else {}
        return step.configure(lock=lock, priority=priority, **options).defer(n=n, **given)

    return defer


def test_a_job_is_blocked_by_one_that_waits_for_its_retry(jobs, defer, ran):
    defer(1, fails=True)
    defer(2)
    defer(3, lock=None)

    assert [record.params["n"] for record in jobs.blocked] == [2]
    assert jobs.blocked[0].blocked_until is None
    jobs.perform_due()
    assert ran == [1, 3]
    jobs.drain()
    assert ran == [1, 3, 1, 2]


@pytest.mark.skipif(
    "other_jobs.priority" not in SchemaManager.get_schema(), reason="since Procrastinate 3.3"
)
def test_a_job_of_a_higher_priority_blocks_those_that_were_first(jobs, defer, ran):
    defer(1)
    defer(2, priority=1, wait=60)

    jobs.perform_due()
    assert ran == []
    jobs.drain()
    assert ran == [2, 1]


@pytest.mark.parametrize("delete_job", [False, True])
def test_a_job_that_is_cancelled_blocks_no_longer(jobs, app, defer, ran, delete_job):
    job_id = defer(1, wait=60)
    defer(2)

    assert app.job_manager.cancel_job_by_id(job_id, delete_job=delete_job)

    jobs.perform_due()
    assert ran == [2]


def test_a_job_is_blocked_while_another_worker_runs_one_of_its_lock(jobs, defer):
    for lock in ("a", "a", "b"):
        defer(lock, lock=lock, sleeps=10)

    jobs.drain(workers=3)

    begun = [(d.record.params["n"], d.at - jobs.deliveries[0].at) for d in jobs.deliveries]
    assert sorted(begun) == [("a", timedelta()), ("a", timedelta(seconds=10)), ("b", timedelta())]


def test_jobs_are_performed_inline_in_the_order_of_their_lock(jobs, defer, ran):
    with jobs.inline():
        defer(1, fails=True)
        defer(2)
        assert ran == [1]
    jobs.drain()

    assert ran == [1, 1, 2]


def test_a_job_that_is_held_back_blocks_the_others(jobs, defer, step, ran):
    first = defer(1)
    defer(2)

    with jobs.holding(lambda record: record.job_id == str(first)):
        jobs.drain()
        assert ran == []
    jobs.drain()
    assert ran == [1, 2]


def test_a_verb_that_is_to_perform_a_blocked_job_says_what_it_waits_for(jobs, defer, step):
    defer(1, wait=60)
    defer(2)

    with pytest.raises(NothingMatchedError, match="1 step in 'default' that waits for its lock"):
        jobs.drain(only=lambda record: record.params["n"] == 2)


def test_a_job_is_performed_out_of_turn_and_delivered_again(jobs, defer, ran):
    defer(1, wait=60)
    defer(2)
    second = jobs.pending[1]

    jobs.perform(second)
    jobs.perform(jobs.redeliver(second))
    jobs.drain()

    assert ran == [2, 2, 1]


def test_a_retry_with_another_lock_leaves_its_place(jobs, app, ran):
    class Elsewhere(BaseRetryStrategy):
        def get_retry_decision(self, *, exception, job):
            return RetryDecision(retry_in={"hours": 1}, lock="b") if job.attempts == 0 else None

    @app.task(retry=Elsewhere())
    def move(n):
        ran.append(n)
        if ran == [1]:
            raise ValueError(n)

    for n, lock in ((1, "a"), (2, "a"), (3, "b")):
        move.configure(lock=lock).defer(n=n)

    jobs.drain()

    assert ran == [1, 2, 1, 3]
