"""Retries as RQ declares them at an enqueue, and as a job returns them; and jobs whose worker is killed."""

import pytest
import rq_tasks
from rq import Callback, Retry
from rq.registry import FailedJobRegistry
from rq_tasks import fails, queue, receipt

from pytest_jobs.errors import CriterionError


def waits(jobs):
    return [
        delivery.wait.total_seconds() for delivery in jobs.deliveries if delivery.wait is not None
    ]


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        (Retry(max=2), [0, 0]),
        (Retry(max=3, interval=60), [60, 60, 60]),
        (Retry(max=3, interval=[10, 30, 60]), [10, 30, 60]),
        # The first interval is repeated.
        (Retry(max=4, interval=[10, 30]), [10, 10, 10, 30]),
    ],
)
def test_an_enqueue_declares_attempts_and_waits(jobs, retry, expected):
    queue.enqueue(fails, retry=retry)

    jobs.drain(raise_errors=False)

    statuses = [delivery.status for delivery in jobs.deliveries]
    assert statuses == ["retried"] * len(expected) + ["exhausted"]
    assert waits(jobs) == expected
    assert FailedJobRegistry(queue=queue).count == 1


def test_a_job_that_returns_retry_repeats_the_last_interval(jobs):
    queue.enqueue(rq_tasks.asks_again)

    jobs.drain()

    assert [d.status for d in jobs.deliveries] == ["retried", "retried", "exhausted"]
    assert waits(jobs) == [10, 30]
    assert [record.attempt for record in (d.record for d in jobs.deliveries)] == [1, 2, 3]


def test_a_timeline_steps_what_the_decorator_or_the_last_enqueue_declared(jobs, bridge):
    def stepped(job, *args):
        timeline = jobs.simulate_retries(job, args=args, raising=TimeoutError())
        return timeline.wait_seconds, timeline.status

    assert stepped(rq_tasks.greet, "Bob") == ([], "failed")
    queue.enqueue(rq_tasks.greet, "Ann", retry=Retry(max=2, interval=[5, 50]))
    assert stepped(rq_tasks.greet, "Bob") == ([5, 50], "exhausted")
    assert stepped(receipt, 7) == ([10, 10, 30], "exhausted")
    policy = bridge.retry_policy(receipt)
    assert policy.attempts == 4
    assert [policy.wait(n).total_seconds() for n in (1, 2, 3)] == [10, 10, 30]


def test_a_later_attempt_is_performed(jobs):
    queue.enqueue(fails, retry=Retry(max=3, interval=[10, 30]))

    delivery = jobs.perform(jobs.pending[0], attempt=3)

    assert (delivery.record.attempt, delivery.wait.total_seconds()) == (3, 30)


def test_an_attempt_that_there_is_not_is_refused(jobs):
    queue.enqueue(fails, retry=Retry(max=1))

    with pytest.raises(CriterionError, match=r"rq_tasks\.fails has no attempt 3: .* 2 attempts"):
        jobs.perform(jobs.pending[0], attempt=3)


def test_an_attempt_of_a_job_that_returns_its_retries(jobs):
    queue.enqueue(rq_tasks.asks_again)

    assert jobs.perform(jobs.pending[0], attempt=3).status == "exhausted"


class Killed(BaseException):
    """What ends a process."""


def test_the_outcome_of_a_worker_that_was_killed_is_dropped(jobs):
    job = queue.enqueue(
        rq_tasks.greet, "Ann", retry=Retry(max=3), on_failure=Callback(rq_tasks.noted)
    )
    jobs.fail(rq_tasks.greet, raising=Killed(), times=1)

    with pytest.raises(Killed):
        jobs.drain()

    assert [record.job_id for record in jobs.pending] == [job.id]
    assert len(jobs.enqueued) == 1
    assert (len(jobs.deliveries), FailedJobRegistry(queue=queue).count) == (0, 0)
    jobs.drain()
    assert jobs.performed[0].result == "Hello, Ann!"


@pytest.mark.parametrize(("function", "again"), [(receipt, True), (rq_tasks.greet, False)])
def test_a_killed_job_comes_again_while_it_has_retries(jobs, bridge, function, again):
    semantics = bridge.delivery_semantics(function)

    assert semantics.redelivered_on_kill is again
    assert semantics.redelivered_on_outage is again
    assert semantics.acknowledged == ("after" if again else "before")
    assert not semantics.redelivered_on_raise


def test_the_timeline_of_a_job_that_returns_retry_says_that_its_body_did_not_run(jobs):
    timeline = jobs.simulate_retries(rq_tasks.asks_again, raising=ValueError("down"))

    assert (
        timeline.headline
        == "asks_again: not decided, since its body asks for retries and did not run"
    )
    assert "asks for its retries itself by Retry" in str(timeline)
    assert jobs.simulate_retries(fails, raising=ValueError("down")).undecided == ""


def test_a_fault_in_place_of_a_job_that_returns_retry_says_so(jobs):
    queue.enqueue(rq_tasks.asks_again)

    with (
        jobs.fail(rq_tasks.asks_again, raising=ValueError("down")),
        pytest.raises(ValueError) as found,
    ):
        jobs.drain()

    assert "which asks for its retries itself by Retry" in found.value.__notes__[0]


def test_sys_exit_fails_a_job_and_calls_its_failure_callback_and_a_retry_follows(jobs):
    queue.enqueue(rq_tasks.leaves, retry=Retry(max=1), on_failure=Callback(rq_tasks.noted))
    tally = jobs.drain(raise_errors=False)

    assert (tally["retried"], tally["exhausted"]) == (1, 1)
    assert jobs.performed[-1].result == "Hello, SystemExit!"
