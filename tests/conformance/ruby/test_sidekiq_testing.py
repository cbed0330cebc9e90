"""The cases of Sidekiq's `testing_test`, `testing_fake_test` and `testing_inline_test`."""

import enum
import threading
from datetime import UTC, datetime, timedelta

import pytest

from pytest_jobs import Job, Payload, TestAdapter, configure, hookimpl, hooks, open_jobs
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import (
    NothingMatchedError,
    NotPerformedError,
    SerializationError,
    UnknownJobError,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Queue(enum.StrEnum):
    ALT = "alt"


class Direct(Job):
    done = []  # noqa: RUF012

    def perform(self, a, b=0):
        if b < 0:
            raise ValueError(b)
        self.done.append((a, b))
        return a + b


class Parent(Job):
    queue = Queue.ALT

    def perform(self):
        Direct.perform_later(1, 2)


class Myself(Job):
    def perform(self):
        return self.job_id


@pytest.fixture(autouse=True)
def done(monkeypatch):
    monkeypatch.setattr(Direct, "done", [])
    return Direct.done


def test_d1_a_job_is_kept_with_the_time_of_its_enqueue_and_the_time_it_is_due(jobs, done):
    jobs.clock.move_to(NOON)
    Direct.perform_later(1, 2)
    Direct.set(wait=10).perform_later(2, 3)
    Direct.set(at=NOON + timedelta(seconds=10)).perform_later(3, 4)

    later = NOON + timedelta(seconds=10)
    assert [(r.enqueued_at, r.due_at) for r in jobs.enqueued] == [
        (NOON, None),
        (NOON, later),
        (NOON, later),
    ]
    assert done == []


def test_d2_a_job_goes_to_its_own_queue_or_to_one_that_is_named(jobs):
    Direct.new(1, 2).enqueue()
    Direct.set(queue="someq").new(1, 2).enqueue()

    assert [record.queue for record in jobs.pending] == ["default", "someq"]


def test_d3_a_drain_raises_the_error_of_a_job_and_goes_on_after_it_the_next_time(jobs, done):
    for b in (2, -1, 3):
        Direct.perform_later(1, b)

    with pytest.raises(ValueError, match="-1"):
        jobs.drain()
    assert [record.args for record in jobs.pending] == [(1, 3)]
    assert [letter.record.args for letter in jobs.dead] == [(1, -1)]
    jobs.drain()
    assert done == [(1, 2), (1, 3)]


def test_d4_a_job_knows_its_id(jobs):
    sent = Myself.perform_later()
    jobs.drain()

    assert jobs.performed[0].result == sent.job_id == jobs.enqueued[0].job_id


def test_d5_a_value_that_is_no_plain_data_is_refused_and_nothing_switches_that_off(jobs):
    with pytest.raises(SerializationError, match=r"args\[0\] is the enum Queue"):
        Direct.perform_later(Queue.ALT)
    with pytest.raises(TypeError, match="unexpected keyword argument 'strict_args'"):
        Direct.set(strict_args=False)

    Direct.perform_later(str(Queue.ALT))
    assert jobs.enqueued[0].args == ("alt",)


def test_d6_one_job_is_performed_and_the_others_wait(jobs):
    Direct.perform_later(1, 2)
    Direct.perform_later(1, 3)

    assert jobs.perform(jobs.pending[0]).result == 3
    assert [record.args for record in jobs.pending] == [(1, 3)]


def test_d6_where_no_job_waits_there_is_none_to_perform(jobs):
    Direct.perform_later(1, 2)
    (record,) = jobs.pending
    jobs.drain()

    with pytest.raises(IndexError):
        jobs.perform(jobs.pending[0])
    with pytest.raises(NotPerformedError, match="has been performed"):
        jobs.perform(record)
    with pytest.raises(NothingMatchedError):
        jobs.drain(only=Direct)


def test_d7_a_drain_performs_the_jobs_of_all_classes_and_what_they_enqueue(jobs, done):
    Parent.perform_later()
    Direct.perform_later(3, 4)

    assert jobs.drain() == {"performed": 3}
    assert done == [(3, 4), (1, 2)]
    assert jobs.pending == []


@pytest.mark.parametrize("queue", ["alt", Queue.ALT])
def test_d7_a_queue_may_be_named_by_a_kind_of_text(jobs, queue):
    Parent.perform_later()
    Direct.set(queue=Queue.ALT).perform_later(5)
    Direct.perform_later(6)

    assert jobs.perform_due(queue=queue, children=False) == {"performed": 2}
    assert [type(record.queue) for record in jobs.enqueued] == [str] * 4


def test_d8_what_a_queue_holds_can_be_told(jobs):
    for b in (1, 2):
        Direct.perform_later(0, b)
    Parent.perform_later()
    before = jobs.pending

    assert [r.queue for r in before] == ["default", "default", "alt"]
    jobs.drain()
    assert jobs.pending == []
    assert len(before) == 3


def test_d8_a_job_whose_class_is_not_known_here_can_be_kept(jobs):
    settings.adapter.enqueue(
        Payload(None, "other.service.Unknown", "an-id", "alt", None, "[[1],{}]", 1, None, 0, None)
    )

    assert jobs.pending[0].name == jobs.pending[0].job == "other.service.Unknown"
    with pytest.raises(UnknownJobError):
        jobs.drain()


def test_d10_a_block_of_inline_mode_restores_what_was_before_also_when_nested(jobs, done):
    with jobs.inline():
        Direct.perform_later(1)
        with jobs.inline():
            Direct.perform_later(2)
        Direct.perform_later(3)
    Direct.perform_later(4)

    assert done == [(1, 0), (2, 0), (3, 0)]
    assert [record.args for record in jobs.pending] == [(4,)]


def test_d10_a_mode_holds_for_every_thread(jobs, done):
    with jobs.inline():
        thread = threading.Thread(target=Direct.perform_later, args=(1,))
        thread.start()
        thread.join()

    assert done == [(1, 0)]


def test_d10_an_adapter_of_a_block_gets_the_jobs_where_no_harness_is_open_and_none_where_one_is():
    real = TestAdapter()
    with configure(adapter=real):
        Direct.perform_later(1)
        with open_jobs() as jobs:
            Direct.perform_later(2)

    assert [payload.arguments for payload in real.pending] == ["[[1],{}]"]
    assert [record.args for record in jobs.enqueued] == [(2,)]


class Middleware:
    def __init__(self):
        self.steps = []

    @hookimpl
    def job_started(self, job):
        self.steps.append(f"before {job.args}")

    @hookimpl
    def job_finished(self, job, execution):
        self.steps.append(f"after {execution.result}")


@pytest.mark.parametrize("inline", [False, True])
def test_d11_the_lifecycle_plugins_of_production_stand_around_each_job(jobs, inline):
    middleware = Middleware()
    with hooks.using(middleware):
        if inline:
            with jobs.inline():
                Direct.perform_later(1, 2)
        else:
            Direct.perform_later(1, 2)
            jobs.perform(jobs.pending[0])

    assert middleware.steps == ["before (1, 2)", "after 3"]
