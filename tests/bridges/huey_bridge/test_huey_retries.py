"""Retries of Huey, stepped on the virtual clock."""

import time
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("huey")

import huey as library
from huey import CancelExecution, RetryTask

from pytest_jobs.errors import CriterionError


class Down(Exception): ...


needs_backoff = pytest.mark.skipif(
    not hasattr(library.api.Task, "default_retry_backoff"), reason="Huey 2 has no backoff"
)


def test_waits_are_the_delay(jobs, huey):
    work = huey.task(retries=3, retry_delay=10)(lambda: None)

    timeline = jobs.simulate_retries(work, raising=Down())

    assert timeline.wait_seconds == [10, 10, 10]
    assert timeline.status == "exhausted"
    assert [each.bounds for each in timeline.attempts[:-1]] == [
        (timedelta(seconds=10), timedelta(seconds=10))
    ] * 3


@needs_backoff
def test_waits_grow_by_the_backoff_as_declared(jobs, huey):
    work = huey.task(retries=4, retry_delay=10, retry_backoff=2)(lambda: None)

    timeline = jobs.simulate_retries(work, raising=Down())
    policy = jobs.harness.bridges[-1].retry_policy(work)

    assert timeline.wait_seconds == [10, 20, 40, 80]
    assert policy.attempts == 5
    assert [policy.wait(n).total_seconds() for n in range(1, 5)] == [10, 20, 40, 80]


def test_a_task_without_a_delay_is_tried_again_at_once_when_it_was_scheduled_too(jobs, huey):
    work = huey.task(retries=2)(lambda: None)
    timeline = jobs.simulate_retries(work, raising=Down(), succeed_on=3)
    work.schedule(delay=60)
    jobs.fail(work, raising=Down(), times=1)
    jobs.drain()

    assert (timeline.wait_seconds, timeline.status) == ([0, 0], "performed")
    assert [each.wait for each in jobs.retried] == [timedelta(0)]


def test_the_retries_of_a_call_count(jobs, huey):
    work = huey.task(name="work")(lambda: None)
    huey.enqueue(work.s(retries=1, retry_delay=5))
    jobs.fail(work, raising=Down())

    jobs.drain(raise_errors=False)

    assert [each.status for each in jobs.deliveries] == ["retried", "exhausted"]
    assert jobs.retried[0].wait == timedelta(seconds=5)


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        ({"delay": 7}, timedelta(seconds=7)),
        ({"eta": datetime(2030, 1, 2, tzinfo=UTC)}, timedelta(days=1)),
        ({}, timedelta(0)),
    ],
)
def test_a_task_asks_for_a_retry_when_it_has_none_left(jobs, huey, asked, wait):
    jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
    runs = []

    @huey.task(name="work")
    def work():
        runs.append(1)
        if len(runs) == 1:
            raise RetryTask(**asked)

    work()
    jobs.drain()

    assert [each.status for each in jobs.deliveries] == ["retried", "performed"]
    assert [each.record.attempt for each in jobs.deliveries] == [1, 2]
    assert jobs.retried[0].wait == wait


def test_a_cancelled_task_that_asks_for_it_is_tried_again(jobs, huey):
    work = huey.task(name="work", retry_delay=5)(lambda: None)
    work()
    jobs.fail(work, raising=CancelExecution(retry=True), times=1)

    jobs.drain()

    assert [each.status for each in jobs.deliveries] == ["retried", "performed"]


def test_a_wait_counts_from_the_end_of_the_run(jobs, huey):
    @huey.task(retries=1, retry_delay=10)
    def slow():
        time.sleep(60)
        raise Down

    jobs.clock.freeze()
    begin = jobs.clock.now()
    slow()
    jobs.drain(raise_errors=False)

    assert [each.at - begin for each in jobs.deliveries] == [timedelta(0), timedelta(seconds=70)]
    assert jobs.retried[0].wait == timedelta(seconds=10)


def test_a_later_attempt_can_be_asked_for_if_huey_makes_it(jobs, huey):
    @huey.task(retries=3, retry_delay=10, context=True)
    def work(task=None):
        return task.retries

    work()

    with pytest.raises(CriterionError, match="ask for one up to 4"):
        jobs.perform(jobs.pending[0], attempt=5)
    assert jobs.perform(jobs.pending[0], attempt=3).result == 1


def test_the_error_handler_is_a_child(jobs, huey):
    notes = []
    note = huey.task(name="note")(lambda error: notes.append(str(error)))
    work = huey.task(name="work")(lambda: None)
    huey.enqueue(work.s().error(note))
    jobs.fail(work, raising=Down("not there"))

    jobs.drain(raise_errors=False)

    assert jobs.enqueued[1].parent == jobs.enqueued[0].sequence
    assert notes == ["not there"]


def test_the_timeline_of_a_task_that_raises_retry_task_says_that_its_body_did_not_run(jobs, huey):
    @huey.task()
    def print_letter():
        raise RetryTask(delay=300)

    timeline = jobs.simulate_retries(print_letter, raising=ValueError("jam"))

    assert timeline.headline == (
        "print_letter: not decided, since its body asks for retries and did not run"
    )
