"""Which jobs are in a batch: those that are enqueued in it, and those that its jobs add."""

import pytest

from pytest_jobs import (
    Batch,
    CurrentAttributes,
    InlineAdapter,
    Job,
    MemoryStore,
    TestAdapter,
    before_enqueue,
    configure,
    job,
    limits_concurrency,
    perform_all_later,
    unique,
)
from pytest_jobs.core.enqueueing.context import current_classes
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import Halt


@job
def load(n):
    current = Batch.current()
    return None if current is None else current.id


@job
def notify(n):
    return load.job_class.perform(n)


@job
def split(n):
    Batch.current().enqueue([load.new(each) for each in range(n)])


@job
def performs_now(n):
    return load.perform_now(n)


def ids(jobs):
    return [record.job_id for record in jobs.enqueued]


# Whose batch is it


def test_a_job_and_a_callback_know_their_batch_and_what_they_enqueue_is_not_of_it(jobs):
    @job
    def spread():
        perform_all_later([load.new(1)])
        load.perform_later(2)
        return Batch.current().id

    batch = Batch(on_success=notify.new(1))
    batch.enqueue([spread.new()])
    jobs.drain()

    assert batch.total == 1
    assert [each.result for each in jobs.performed] == [batch.id, None, None, batch.id]
    assert Batch.current() is None


def test_it_knows_it_at_its_next_attempt_and_when_it_is_put_off(jobs):
    class Restless(Job):
        def perform(self):
            if self.attempt == 1:
                self.retry(wait=5)
            return Batch.current().id

    batch = Batch(on_success=notify.new(1))
    batch.enqueue([Restless.new()])
    jobs.drain()

    assert [each.result for each in (*jobs.retried, *jobs.performed)] == [batch.id] * 3


@pytest.mark.parametrize("declared", [True, False], ids=["with", "without"])
def test_a_job_that_a_batch_job_performs_now_is_not_of_the_batch(jobs, monkeypatch, declared):
    monkeypatch.setattr(current_classes, "any", declared)
    Batch(on_success=notify.new(1)).enqueue([performs_now.new(1)])
    jobs.drain()

    assert jobs.performed[0].result is None


def test_a_job_has_its_context_beside_its_batch(jobs):
    class Current(CurrentAttributes):
        tenant: str = "nobody"

    @job
    def tell():
        return Current.tenant, Batch.current().id

    with Current.set(tenant="ann"):
        batch = Batch(on_success=tell.new())
        batch.enqueue([tell.new()])
    jobs.drain()

    assert [each.result for each in jobs.performed] == [("ann", batch.id)] * 2


def test_a_batch_can_be_found_by_its_id(jobs):
    assert Batch.find("import-7") is None
    Batch("import-7", on_success=notify.new(1)).enqueue([load.new(1)])

    found = Batch.find("import-7")
    assert (found.id, found.total, found.finished) == ("import-7", 1, False)
    assert repr(found) == "<Batch import-7>"


# Adding


def test_a_job_adds_to_its_batch_while_it_runs_and_once_when_it_is_delivered_twice(jobs):
    batch = Batch(on_success=notify.new(1))
    batch.enqueue([split.new(2)])
    first = jobs.pending[0]
    jobs.perform(first)
    assert (batch.total, batch.pending) == (3, 2)
    jobs.perform(jobs.redeliver(first))
    assert (batch.total, batch.pending) == (3, 2)

    jobs.drain()
    assert [record.job for record in jobs.enqueued] == [split, load, load, notify]


def test_a_job_that_had_failed_adds_when_it_is_redriven(jobs):
    batch = Batch(on_success=notify.new(1), on_complete=notify.new(2))
    batch.enqueue([split.new(2)])
    jobs.fail(split, raising=ValueError, times=1)
    jobs.drain(raise_errors=False)
    assert batch.finished

    jobs.redrive_all()
    jobs.drain()
    assert (batch.total, batch.failed, batch.finished) == (3, 0, True)
    assert [record.args for record in jobs.enqueued if record.job is notify] == [(2,), (1,)]


def test_jobs_that_several_add_are_several_though_they_are_alike(jobs):
    batch = Batch(on_success=notify.new(1))
    batch.enqueue([split.new(1), split.new(1)])
    jobs.drain()

    assert batch.total == 4


# Enqueued again


def test_a_batch_that_is_enqueued_again_adds_what_it_does_not_have_and_calls_back_once(jobs):
    Batch("import-7", on_success=notify.new(1)).enqueue([load.new(1)])
    batch = Batch("import-7", on_success=notify.new(1))
    again, *others = batch.enqueue([load.new(1), load.new(2), load.new(1)])

    assert not again.enqueued
    assert again.dropped_for == jobs.enqueued[0].job_id
    assert [each.enqueued for each in others] == [True, True]
    assert [record.args for record in jobs.enqueued] == [(1,), (2,), (1,)]
    jobs.drain()
    batch.enqueue([load.new(1)])
    batch.enqueue([])
    assert len(ids(jobs)) == 4


def test_batches_without_an_id_are_different_ones_and_ids_the_same_in_every_process(jobs):
    Batch("import-7", on_success=notify.new(1)).enqueue([load.new(1)])
    jobs.drain()
    assert [each[:8] for each in ids(jobs)] == ["70e24ec7", "b8e01d23"]

    for _ in range(2):
        Batch(on_success=notify.new(1)).enqueue([load.new(1)])
    assert len(set(ids(jobs))) == 4


# Kept out


def test_a_job_that_a_callback_halts_at_enqueue_is_not_in_the_batch(jobs):
    class Picky(Job):
        @before_enqueue
        def look(self):
            if self.args == (0,):
                raise Halt

        def perform(self, n): ...

    batch, empty = Batch(on_success=notify.new(1)), Batch(on_success=notify.new(2))
    refused, taken = batch.enqueue([Picky.new(0), Picky.new(1)])
    empty.enqueue([Picky.new(0)])

    assert (refused.enqueued, taken.enqueued) == (False, True)
    assert (batch.total, batch.finished, empty.finished) == (1, False, True)
    assert [record.args for record in jobs.enqueued if record.job is notify] == [(2,)]


def test_a_unique_job_that_is_dropped_is_not_in_the_batch_and_a_limited_one_waits_and_ends(jobs):
    @unique()
    @limits_concurrency()
    @job
    def once(n): ...

    first = once.perform_later(1)
    batch = Batch(on_success=once.new(7), on_complete=once.new(7))
    dropped, *_ = batch.enqueue([once.new(1), once.new(2), once.new(3)])

    assert dropped.dropped_for == first.job_id
    assert batch.total == 2
    jobs.drain()
    assert (batch.failed, batch.finished) == (0, True)
    # The callbacks may be limited and unique as well: one of the two is dropped.
    assert [record.args for record in jobs.enqueued] == [(1,), (2,), (3,), (7,)]


def test_a_job_that_is_replaced_has_ended_for_its_batch_and_was_not_performed(jobs):
    @unique(on_conflict="replace")
    @job
    def once(n): ...

    batch = Batch(on_success=notify.new(1), on_complete=notify.new(2))
    batch.enqueue([once.new(1), once.new(2)])
    once.perform_later(1)
    jobs.drain()

    assert (batch.pending, batch.failed) == (0, 1)
    assert [record.args for record in jobs.enqueued if record.job is notify] == [(2,)]


def test_whoever_begins_a_finished_batch_again_is_no_error_for_a_job_that_was_dropped(jobs):
    @unique()
    @job
    def once(n): ...

    def begin():
        return Batch("b", on_success=notify.new(1)).enqueue([once.new(1), once.new(1)])

    assert [each.enqueued for each in begin()] == [True, False]
    jobs.drain()

    assert [each.enqueued for each in begin()] == [False, False]
    assert jobs.pending == []


def test_all_of_a_list_are_in_the_batch_before_the_first_runs():
    with configure(adapter=InlineAdapter(), store=MemoryStore()):
        seen = []

        @job
        def look():
            seen.append(Batch.current().pending)

        Batch(on_success=notify.new(1)).enqueue([look.new(), look.new()])

    assert seen == [2, 1]


def test_a_payload_carries_the_batch_over_a_transport():
    adapter = TestAdapter()
    with configure(adapter=adapter, store=MemoryStore()):
        Batch("import-7", on_success=notify.new(1)).enqueue([load.new(1)])

    assert adapter.pending[0].to_dict()["headers"] == {"batch": "import-7"}


def test_a_copy_of_a_job_is_no_first_enqueue(jobs):
    batch = Batch("import-7", on_success=notify.new(1))
    batch.enqueue([load.new(1)])
    settings.adapter.enqueue(jobs.enqueued[0].payload)

    assert len(jobs.pending) == 2
    assert len(jobs.enqueued) == 1
