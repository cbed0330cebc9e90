"""Batches: when they are complete, and when they are a success."""

import fakeredis
import pytest

from pytest_jobs import (
    Batch,
    InlineAdapter,
    Job,
    MemoryStore,
    Payload,
    RedisStore,
    TestAdapter,
    before_perform,
    configure,
    discard_on,
    job,
    retry_on,
)
from pytest_jobs.errors import Halt


@job
def load(n): ...


@job
def notify(n): ...


@job(queue="reports", priority=3)
def report(n): ...


class Unwanted(Exception):
    pass


@retry_on(ConnectionError, wait=10, attempts=3)
@discard_on(Unwanted)
@job
def fetch(n): ...


def batch_of_two(**callbacks):
    batch = Batch(on_success=notify.new(7), on_complete=report.new(7), **callbacks)
    batch.enqueue([load.new(1), fetch.new(2)])
    return batch


def sent(jobs):
    """The callbacks that were enqueued, in order."""
    return [record.name.rpartition(".")[2] for record in jobs.enqueued if record.job in CALLBACKS]


CALLBACKS = (notify, report)


def facts(batch):
    return batch.total, batch.pending, batch.failed, batch.finished


# When it is done


def test_callbacks_are_enqueued_when_all_jobs_were_performed(jobs, assert_performed):
    batch = batch_of_two()
    assert facts(batch) == (2, 2, 0, False)

    jobs.perform(jobs.pending[0])
    assert facts(batch) == (2, 1, 0, False)
    assert sent(jobs) == []
    jobs.drain()
    assert facts(batch) == (2, 0, 0, True)
    assert sent(jobs) == ["report", "notify"]
    assert assert_performed(report, args=[7], queue="reports").record.priority == 3


def test_options_of_a_callback_hold(jobs, assert_enqueued):
    Batch(on_success=notify.set(queue="low", priority=9).new(1)).enqueue([load.new(1)])
    jobs.drain()

    assert assert_enqueued(notify, queue="low", at=None).priority == 9


def test_an_empty_batch_is_done_at_once_and_one_callback_is_enough(jobs):
    batch = Batch(on_success=notify.new(1), on_complete=report.new(1))
    assert facts(batch) == (0, 0, 0, False)

    assert batch.enqueue([]) == ()
    assert facts(batch) == (0, 0, 0, True)
    assert sent(jobs) == ["report", "notify"]

    Batch(on_complete=report.new(1)).enqueue([load.new(1)])
    jobs.drain()
    assert sent(jobs) == ["report", "notify", "report"]


def test_a_retry_stays_in_the_batch(jobs):
    batch = batch_of_two()
    jobs.fail(fetch, raising=ConnectionError, times=2)
    jobs.perform_due()
    assert facts(batch) == (2, 1, 0, False)

    jobs.drain()
    assert sent(jobs) == ["report", "notify"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(ConnectionError, "exhausted"), (Unwanted, "discarded"), (LookupError, "failed")],
)
def test_a_job_that_is_given_up_ends_without_success(jobs, error, status):
    batch = batch_of_two()
    jobs.fail(fetch, raising=error)
    jobs.drain(raise_errors=False)

    assert jobs.dead[0].status == status
    assert facts(batch) == (2, 0, 1, True)
    assert sent(jobs) == ["report"]


def test_a_job_that_a_callback_halts_when_it_is_to_run_ends_without_success(jobs):
    class Halted(Job):
        @before_perform
        def stop(self):
            raise Halt

        def perform(self): ...

    batch = Batch(on_success=notify.new(1), on_complete=report.new(1))
    batch.enqueue([Halted.new()])
    jobs.drain()

    assert facts(batch) == (1, 0, 1, True)
    assert sent(jobs) == ["report"]


def test_a_dead_job_that_is_redriven_and_performed_makes_it_a_success(jobs):
    batch = batch_of_two()
    jobs.fail(fetch, raising=Unwanted, times=1)
    jobs.drain()
    assert sent(jobs) == ["report"]

    jobs.redrive_all()
    jobs.drain()
    assert facts(batch) == (2, 0, 0, True)
    assert sent(jobs) == ["report", "notify"]


def test_a_job_that_is_delivered_twice_counts_once_also_when_the_copy_fails(jobs):
    batch = batch_of_two()
    first, last = jobs.pending
    jobs.perform(first)
    jobs.perform(jobs.redeliver(first))
    assert facts(batch) == (2, 1, 0, False)

    jobs.perform(last)
    for error in (None, Unwanted):
        if error:
            jobs.fail(fetch, raising=error, times=1)
        jobs.perform(jobs.redeliver(last))
        assert facts(batch) == (2, 0, 0, True)
    assert sent(jobs) == ["report", "notify"]


def test_coroutine_jobs_end_in_their_batch(jobs):
    @job
    async def wait_for(n):
        return Batch.current().id

    batch = Batch(on_success=notify.new(1))
    batch.enqueue([wait_for.new(1)])
    jobs.drain()

    assert jobs.performed[0].result == batch.id
    assert sent(jobs) == ["notify"]


def test_a_payload_whose_class_is_gone_ends_without_success():
    adapter = TestAdapter()
    with configure(adapter=adapter, store=MemoryStore()):
        batch = Batch(on_complete=report.new(7))
        batch.enqueue([load.new(1)])
        data = adapter.pending.pop().to_dict()
        data["job"] = f"{__name__}.gone"
        assert adapter.perform(Payload.from_dict(data)).status == "failed"

        assert facts(batch) == (1, 0, 1, True)
    assert [payload.job for payload in adapter.pending] == [report.job_class]


def test_it_works_over_a_transport_and_redis():
    adapter = TestAdapter()
    with configure(adapter=adapter, store=RedisStore(fakeredis.FakeRedis())):
        batch = Batch(on_success=notify.new(7), on_complete=report.new(7))
        batch.enqueue([load.new(1), load.new(2)])
        adapter.perform_due()

        assert facts(batch) == (2, 0, 0, True)
    assert [payload.name.rpartition(".")[2] for payload in adapter.enqueued] == [
        "load",
        "load",
        "report",
        "notify",
    ]


def test_it_works_where_jobs_run_inline():
    with configure(adapter=InlineAdapter(), store=MemoryStore()):
        batch = Batch(on_success=notify.new(7))
        batch.enqueue([load.new(1), load.new(2)])

        assert facts(batch) == (2, 0, 0, True)
