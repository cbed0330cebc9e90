"""Jobs that wait by themselves for the commit of Django's atomic blocks."""

from __future__ import annotations

import gc

import pytest
from django.db import transaction
from stub_database import StubDatabase

from pytest_jobs import Job, TestAdapter, assert_enqueued, configure, job, perform_all_later
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.errors import EnqueueError, RolledBackError
from pytest_jobs.harness.commits.core_transactions import CoreTransactions
from pytest_jobs.harness.jobs import Jobs
from pytest_jobs.integrations.django.transactions import DjangoTransactions


class Ship(Job):
    enqueue_after_commit = True

    def perform(self, number):
        return number


@job
def book(number, *, fails=False):
    with transaction.atomic():
        Ship.perform_later(number)
        if fails:
            raise ZeroDivisionError


@job(enqueue_after_commit=False)
def send(number):
    return number


@pytest.fixture
def adapter():
    adapter = TestAdapter()
    with configure(adapter=adapter):
        yield adapter


def numbers(adapter):
    return [payload.arguments for payload in adapter.enqueued]


def fail():
    raise ZeroDivisionError


def rolled_back(enqueue, using=None):
    """Return what was enqueued in a block that fails."""
    try:
        with transaction.atomic(using):
            enqueued = enqueue()
            fail()
    except ZeroDivisionError:
        return enqueued


# As in production, without a harness


def test_a_job_waits_for_the_commit(adapter, transactional):
    with transaction.atomic():
        ship = Ship.perform_later(1)
        assert ship.enqueued
        with transaction.atomic():
            Ship.perform_later(2)
        assert numbers(adapter) == []

    assert numbers(adapter) == ["[[1],{}]", "[[2],{}]"]


def test_outside_of_a_block_it_is_enqueued_at_once(adapter, transactional):
    Ship.perform_later(1)

    assert numbers(adapter) == ["[[1],{}]"]


def test_a_rollback_drops_it(adapter, transactional):
    ship = rolled_back(lambda: Ship.perform_later(1))

    assert numbers(adapter) == []
    assert not ship.enqueued
    assert str(ship.enqueue_error) == (
        f"{ship!r} was to be enqueued after the commit of an atomic block of 'default', and was dropped by a "
        "rollback, or since a callback of on_commit raised before it."
    )


def test_a_savepoint_that_is_rolled_back_drops_its_own(adapter, transactional):
    with transaction.atomic():
        Ship.perform_later(1)
        ship = rolled_back(lambda: Ship.perform_later(2))
        assert isinstance(ship.enqueue_error, RolledBackError)

    assert numbers(adapter) == ["[[1],{}]"]


def test_every_database_has_to_commit(adapter, transactional):
    with transaction.atomic():
        with transaction.atomic("other"):
            Ship.perform_later(1)
        assert numbers(adapter) == []
    assert numbers(adapter) == ["[[1],{}]"]

    with transaction.atomic():
        ship = rolled_back(lambda: Ship.perform_later(2), "other")

    assert isinstance(ship.enqueue_error, RolledBackError)
    assert numbers(adapter) == ["[[1],{}]"]


def test_a_configured_database_counts_besides(transactional):
    database, adapter = StubDatabase(), TestAdapter()

    with configure(adapter=adapter, transactions=[database]), database.transaction():
        with transaction.atomic():
            Ship.perform_later(1)
        assert numbers(adapter) == []

    assert numbers(adapter) == ["[[1],{}]"]


def test_many_jobs_wait_together(adapter, transactional):
    with transaction.atomic():
        perform_all_later([Ship.new(1), send.new(2)])
        assert numbers(adapter) == ["[[2],{}]"]

    assert numbers(adapter) == ["[[2],{}]", "[[1],{}]"]


def test_an_adapter_that_refuses_it_is_known_after_the_commit(transactional):
    class Full(TestAdapter):
        def enqueue(self, payload):
            raise EnqueueError("There is no room.")

    with configure(adapter=Full()), transaction.atomic():
        ship = Ship.perform_later(1)
        assert ship.enqueued

    assert isinstance(ship.enqueue_error, EnqueueError)


def test_an_error_of_the_adapter_is_raised_by_the_block(transactional):
    class Gone(TestAdapter):
        def enqueue(self, payload):
            raise ConnectionError("The queue is down.")

    with configure(adapter=Gone()), pytest.raises(ConnectionError), transaction.atomic():
        ship, behind = Ship.perform_later(1), Ship.perform_later(2)

    assert not ship.enqueued
    gc.collect()
    assert isinstance(behind.enqueue_error, RolledBackError)


def test_the_block_of_a_test_case_is_none(adapter, test_case):
    Ship.perform_later(1)

    assert numbers(adapter) == ["[[1],{}]"]


# In the harness


def test_what_waits_is_listed_and_committed(jobs):
    with transaction.atomic():
        ship = Ship.perform_later(1)
    assert jobs.enqueued == []
    [waiting] = jobs.waiting_for_commit
    assert (waiting.text, waiting.using, waiting.owner) == (
        "Ship.perform_later(1)",
        "default",
        Ship,
    )
    assert waiting.registered_at.partition(":")[0].endswith("test_django_after_commit.py")

    [record] = jobs.commit()

    assert (record.job, record.args, record.job_id) == (Ship, (1,), ship.job_id)
    assert jobs.waiting_for_commit == []


def test_it_is_listed_once_where_other_databases_are_watched(test_case):
    systems = [DjangoTransactions(), CoreTransactions([StubDatabase()])]

    with Jobs([ReferenceBridge()], transactions=systems) as jobs:
        with transaction.atomic():
            Ship.perform_later(1)

        assert [found.using for found in jobs.waiting_for_commit] == ["default"]


def test_what_was_dropped_is_listed_and_knows_it(jobs):
    ship = rolled_back(lambda: Ship.perform_later(1))

    assert [found.text for found in jobs.dropped_by_rollback] == ["Ship.perform_later(1)"]
    assert not ship.enqueued
    assert str(ship.enqueue_error).endswith("and was dropped by a rollback.")
    assert jobs.commit() == ()


def test_outside_of_a_block_a_job_does_not_wait_for_the_test(jobs):
    Ship.perform_later(1)

    assert len(jobs.enqueued) == 1
    assert jobs.waiting_for_commit == []


def test_an_assertion_that_fails_says_that_it_waits(jobs):
    with transaction.atomic():
        Ship.perform_later(1)

    with pytest.raises(
        AssertionError, match=r"1 callback waits for commit: Ship\.perform_later\(1\)"
    ):
        assert_enqueued(Ship)


def test_inline_it_is_performed_after_the_commit(inline_jobs):
    with transaction.atomic():
        Ship.perform_later(1)
        assert inline_jobs.performed == []

    assert [delivery.result for delivery in inline_jobs.performed] == [1]


def test_inline_a_rollback_drops_it(inline_jobs):
    rolled_back(lambda: Ship.perform_later(1))

    assert inline_jobs.enqueued == []


def test_a_job_that_commits_enqueues_at_its_commit(jobs):
    book.perform_later(1)

    assert jobs.drain() == {"performed": 2}


def test_a_job_that_rolls_back_enqueues_nothing(jobs):
    book.perform_later(1, fails=True)
    with pytest.raises(ZeroDivisionError):
        jobs.drain()

    assert [record.job for record in jobs.enqueued] == [book]


def test_inside_a_block_of_the_test_a_job_does_not_wait_for_it(jobs):
    book.perform_later(1)

    with transaction.atomic():
        assert jobs.drain() == {"performed": 2}


def test_where_django_commits_for_real_it_comes_with_the_commit(open_harness, transactional):
    with open_harness() as jobs:
        with transaction.atomic():
            Ship.perform_later(1)
            assert jobs.enqueued == []
        assert len(jobs.enqueued) == 1
        ship = rolled_back(lambda: Ship.perform_later(2))

        assert len(jobs.enqueued) == 1
        assert not ship.enqueued


def test_a_callback_that_raises_drops_the_jobs_behind_it(jobs):
    with transaction.atomic():
        transaction.on_commit(fail)
        ship = Ship.perform_later(1)
    with pytest.raises(ZeroDivisionError):
        jobs.commit()

    assert str(ship.enqueue_error).endswith("and was dropped since fail raised before it.")
