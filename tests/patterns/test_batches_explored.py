"""A batch under every bad history: what begins it, its jobs, and what its end enqueues."""

import sys
from contextlib import contextmanager

import pytest

from pytest_jobs import (
    Batch,
    Job,
    after_perform,
    batch_world,
    check_idempotent,
    fake,
    job,
    perform_all_later,
    retry_on,
)
from pytest_jobs.errors import BatchError, DuplicateEffect

HERE = sys.modules[__name__]


class Mailbox:
    def send(self, to, key=None): ...


mailbox = Mailbox()


@job
def load(row): ...


@job
def tell_owner(file_id):
    mailbox.send("owner")


@job
def tell_owner_once(file_id):
    mailbox.send("owner", key=f"file-{file_id}")


@job
def report(file_id): ...


# What begins it


@job
def import_file(file_id):
    Batch(on_success=tell_owner.new(file_id)).enqueue([load.new(1), load.new(2)])


@job
def import_file_once(file_id):
    batch = Batch(f"import-{file_id}", on_success=tell_owner.new(file_id))
    batch.enqueue([load.new(1), load.new(2)])


@job
def import_empty_file(file_id):
    Batch(f"import-{file_id}", on_success=tell_owner.new(file_id)).enqueue([])


# Its jobs


@job
def load_more(row):
    perform_all_later([load.new(row + 1), tell_owner.new(row + 2)])


@job
def load_more_in_the_batch(row):
    Batch.current().enqueue([load.new(row + 1), load.new(row + 2)])


@retry_on(ConnectionError, wait=1)
@job
def load_patiently(row):
    mailbox.send(row, key=row)


@job
async def load_awaited(row): ...


@contextmanager
def world():
    with fake(HERE, "mailbox", Mailbox(), key="key") as mails:
        yield lambda: {"mails": mails.calls}


@contextmanager
def world_of_a_batch():
    with (
        world() as state,
        batch_world(on_success=tell_owner.new(7), on_complete=report.new(7)) as batch,
    ):
        yield lambda: {
            **state(),
            "batch": (batch.total, batch.pending, batch.failed, batch.finished),
        }


def test_a_batch_of_its_own_each_time_is_enqueued_twice():
    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(import_file, args=(7,), world=world)

    first_line = str(caught.value).splitlines()[0]
    assert "DUPLICATE mailbox.send" in first_line
    assert first_line.endswith("[twice]")


@pytest.mark.parametrize("form", [import_file_once, import_empty_file])
def test_a_batch_with_an_id_is_enqueued_once(form):
    check_idempotent(form, args=(7,), world=world, histories="all")


def test_it_is_when_it_is_interrupted_twice():
    check_idempotent(import_file_once, args=(7,), world=world, depth=2, time_limit=60)


@pytest.mark.parametrize("form", [load, load_patiently, load_awaited])
def test_the_end_of_a_job_sends_each_callback_once(form):
    explored = check_idempotent(form, args=(1,), world=world_of_a_batch, histories="all")

    assert explored.histories > 5


def test_it_does_when_it_is_interrupted_twice():
    check_idempotent(load, args=(1,), world=world_of_a_batch, depth=2, time_limit=60)


def test_what_a_job_of_a_batch_enqueues_beside_it_is_enqueued_twice():
    with pytest.raises(DuplicateEffect):
        check_idempotent(load_more, args=(1,), world=world_of_a_batch)


def test_what_it_adds_to_its_batch_is_added_once():
    check_idempotent(load_more_in_the_batch, args=(1,), world=world_of_a_batch, histories="all")


def test_a_callback_is_a_job_like_others_and_may_be_delivered_twice():
    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(tell_owner, args=(7,), world=world)

    assert "DUPLICATE mailbox.send [twice]" in str(caught.value).splitlines()[0]
    check_idempotent(tell_owner_once, args=(7,), world=world, histories="all")


def test_each_history_has_a_batch_of_its_own(jobs):
    batch = Batch("import-7", on_success=report.new(7))
    batch.enqueue([load.new(1)])
    check_idempotent(import_file_once, args=(7,), world=world, histories=["twice"])

    assert batch.total == 1
    assert len(jobs.pending) == 1


def test_a_world_of_a_batch_needs_a_callback():
    @contextmanager
    def without():
        with batch_world():
            yield dict

    with pytest.raises(BatchError, match="has neither on_success nor on_complete"):
        check_idempotent(load, args=(1,), world=without)


def test_what_is_done_after_the_body_is_interrupted_too():
    class Chained(Job):
        @after_perform
        def follow(self):
            tell_owner.perform_later(7)

        def perform(self): ...

    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(Chained, world=world, histories=["crash"])

    assert "x  worker killed here, after enqueue: tell_owner(7)" in str(caught.value)


def test_a_suite_with_batches_can_be_audited(pytester):
    pytester.makepyfile(
        """
        from pytest_jobs import Batch, job

        @job
        def load(n): ...

        @job
        def notify(n): ...

        @job
        def start(n):
            Batch(f"import-{n}", on_success=notify.new(n)).enqueue([load.new(1), load.new(2)])

        def test_import(jobs, assert_enqueued):
            start.perform_later(7)
            jobs.drain()

            assert_enqueued(load, count=2)
            assert_enqueued(notify, args=[7])
        """
    )

    result = pytester.runpytest("--jobs-audit", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["No finding:", "  *.start (1 check)"])
