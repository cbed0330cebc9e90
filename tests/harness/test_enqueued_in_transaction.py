"""A job that does not wait is enqueued inside an open transaction: a warning says so."""

from __future__ import annotations

import warnings

import pytest
from stub_database import StubDatabase
from stub_transactions import StubTransactions

from pytest_jobs import (
    Batch,
    Job,
    assert_enqueued,
    configure,
    current_jobs,
    job,
    later,
    perform_all_later,
    reference,
)
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.errors import EnqueuedInTransactionWarning, JobsWarning
from pytest_jobs.harness.commits.core_transactions import CoreTransactions
from pytest_jobs.harness.jobs import Jobs


class Ship(Job):
    def perform(self, order_id):
        return order_id


class ShipAfterCommit(Ship):
    enqueue_after_commit = True


class ShipOnPurpose(Ship):
    enqueue_after_commit = False


@job
def send(order_id):
    return order_id


@pytest.fixture
def database():
    return StubDatabase()


@pytest.fixture
def open_harness(database):
    def make(**options):
        systems = [CoreTransactions([database])]
        return Jobs([ReferenceBridge()], transactions=systems, **options)

    return make


@pytest.fixture
def jobs(open_harness, database):
    with configure(adapter=None, transactions=[database]), open_harness() as jobs:
        yield jobs


def warned(enqueue):
    """Return the warnings of what is called."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        enqueue()
    return found


def test_it_says_the_job_the_transaction_the_line_and_what_to_write(jobs, database):
    batch = Batch(on_success=send.new(1))
    with database.transaction():
        [warning] = warned(lambda: Ship.perform_later(7))
        [of_a_function] = warned(lambda: send.perform_later(7))
        [of_a_batch] = warned(lambda: batch.enqueue([send.new(7)]))

    assert issubclass(warning.category, EnqueuedInTransactionWarning)
    assert issubclass(warning.category, JobsWarning)
    place = f"tests/harness/test_enqueued_in_transaction.py:{warning.lineno}"
    assert str(warning.message) == (
        f"Ship(7) was enqueued inside a transaction of 'ledger', at {place}: a worker may perform it before the "
        "commit, or although that never comes. Declare Ship with `enqueue_after_commit = True` in its class, "
        "enqueue it after the transaction, or say False there if that is on purpose."
    )
    assert warning.filename == __file__
    assert "Declare send with `enqueue_after_commit=True`, enqueue" in str(of_a_function.message)
    assert str(of_a_batch.message).endswith(
        "Enqueue the batch after the transaction, or say enqueue_after_commit=False if that is on purpose."
    )
    assert_enqueued(Ship, args=[7])


def test_there_is_one_for_each_line(jobs, database):
    def enqueue():
        for number in range(3):
            Ship.perform_later(number)
            send.perform_later(number)

    with database.transaction():
        found = warned(enqueue)

    assert len(found) == 2
    assert found[0].lineno + 1 == found[1].lineno


def test_jobs_together_a_twin_of_a_method_and_a_job_in_its_own_transaction_have_one(jobs, database):
    @reference(id="id", find=str)
    class Order:
        id = 1

        def ship(self):
            pass

        ship_later = later(ship)

    @job
    def book(order_id):
        with database.transaction():
            send.perform_later(order_id)

    book.perform_later(7)
    assert len(warned(jobs.drain)) == 1
    with database.transaction():
        assert len(warned(lambda: perform_all_later([Ship.new(1), Ship.new(2)]))) == 1
        assert len(warned(Order().ship_later)) == 1


def test_what_has_decided_or_changes_nothing_or_is_outside_has_none(jobs, database):
    with database.transaction(changed=False):
        assert warned(lambda: Ship.perform_later(7)) == []
    assert warned(lambda: Ship.perform_later(7)) == []
    jobs.drain()

    with database.transaction():
        for job_class in (ShipAfterCommit, ShipOnPurpose):
            assert warned(lambda job_class=job_class: job_class.perform_later(7)) == []
        assert warned(lambda: jobs.redeliver(jobs.performed[0].record)) == []
    assert len(jobs.enqueued) == 4


def test_without_a_database_nothing_looks():
    with Jobs([ReferenceBridge()]) as jobs:
        assert warned(lambda: Ship.perform_later(7)) == []
        assert jobs.harness.ledger.listen(None) is None


def test_inline_it_is_warned_of_too(open_harness, jobs, database):
    def mode():
        with open_harness(mode="inline"), database.transaction():
            Ship.perform_later(7)
            assert current_jobs().performed == []

    def block():
        with jobs.inline(), database.transaction():
            Ship.perform_later(7)

    assert [len(warned(mode)), len(warned(block))] == [1, 1]
    assert len(jobs.performed) == 1


def test_every_database_library_counts():
    library = StubTransactions()

    with Jobs([ReferenceBridge()], transactions=[library]), library.transaction():
        [warning] = warned(lambda: Ship.perform_later(7))

    assert "inside a transaction of 'stub', at" in str(warning.message)


def test_inline_the_transactions_of_all_libraries_have_to_end(database):
    library = StubTransactions()
    systems = [library, CoreTransactions([database])]

    with (
        configure(adapter=None, transactions=[database]),
        Jobs([ReferenceBridge()], transactions=systems, mode="inline") as jobs,
    ):
        with database.transaction():
            with library.transaction():
                ShipOnPurpose.perform_later(7)
            assert jobs.performed == []
        assert len(jobs.performed) == 1
