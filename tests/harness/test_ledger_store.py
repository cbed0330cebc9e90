"""What the ledger keeps, and what it lets go."""

import gc
import weakref

import pytest

from pytest_jobs import Job, job, retry_on
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.harness.ledger.selection import Selection
from pytest_jobs.harness.records.delivery import Delivery
from pytest_jobs.harness.records.record import REDELIVERY, RETRY
from pytest_jobs.harness.records.targets import Targets

EVERYTHING = Selection(Targets(()))


class Fail(Job):
    def perform(self, number):
        raise ValueError(number)


class Note(Job):
    def perform(self, number):
        pass


def test_records_are_found_by_name_and_first_enqueues_by_their_origin(ledger, make_record):
    first, other = make_record("a"), make_record("b", origin=RETRY)
    second = make_record("a", origin=REDELIVERY)
    for record in (first, other, second):
        ledger.added(record)

    assert ledger.named("a") == [first, second]
    assert ledger.named("b") == [other]
    assert ledger.named("c") == []
    assert list(ledger.first_enqueues()) == [first]
    assert len(list(ledger.pending())) == 3


@pytest.mark.parametrize("options", [{}, {"due_ns": 10**30}, {"priority": 1}], ids=repr)
def test_a_record_that_was_withdrawn_is_not_pending_and_never_taken(ledger, make_record, options):
    withdrawn, other = make_record(**options), make_record()
    ledger.added(withdrawn)
    ledger.added(other)
    ledger.removed(withdrawn)

    assert list(ledger.pending()) == [other]
    assert ledger.take(EVERYTHING) is other
    assert ledger.take(EVERYTHING) is None
    assert ledger.next_due_ns(EVERYTHING) is None
    assert ledger.records == [withdrawn, other]
    ledger.removed(other)
    assert other.state == "taken"


def test_a_record_that_was_withdrawn_while_a_filter_held_it_back_stays_withdrawn(jobs):
    @job
    def withdraw():
        jobs.harness.ledger.removed(jobs.enqueued[0])

    Note.perform_later(1)
    withdraw.perform_later()
    jobs.drain(only=withdraw)

    assert jobs.pending == []


def test_a_dead_ledger_ignores_what_it_is_told(ledger, make_record):
    known, unknown = make_record(), make_record()
    ledger.added(known)
    ledger.die()
    ledger.added(unknown)
    ledger.removed(known)
    ledger.delivered(Delivery(known, 0, "performed"), 1)

    assert ledger.records == list(ledger.pending()) == [known]
    assert ledger.deliveries == []


def test_a_job_that_outlives_its_harness_leaves_no_trace(sleepless):
    jobs = open_jobs()

    @job
    def close_it():
        jobs.close()

    jobs.open()
    close_it.perform_later()
    jobs.perform_due()

    assert jobs.deliveries == []


def test_whoever_listens_hears_of_every_record_until_the_next_listener(ledger, make_record):
    heard = []
    first, second = make_record(), make_record()
    before = ledger.listen(heard.append)
    ledger.added(first)
    listener = ledger.listen(before)
    ledger.added(second)

    assert before is None
    assert listener == heard.append
    assert heard == [first]


def frames(error):
    count, traceback = 0, error.__traceback__
    while traceback is not None:
        count, traceback = count + 1, traceback.tb_next
    return count


def test_only_the_last_eight_errors_keep_their_traceback_and_what_it_held(jobs):
    class Connection:
        pass

    held = []

    @job
    def query(number):
        connection = Connection()
        held.append(weakref.ref(connection))
        raise ValueError(number)

    for number in range(12):
        query.perform_later(number)
    jobs.drain(raise_errors=False)
    gc.collect()

    kept = [frames(delivery.error) > 0 for delivery in jobs.failed]
    assert kept == [reference() is not None for reference in held] == [False] * 4 + [True] * 8
    assert [delivery.error.args for delivery in jobs.failed] == [(n,) for n in range(12)]


def _chained():
    try:
        try:
            raise KeyError("cause")
        except KeyError as cause:
            raise LookupError("middle") from cause
    except LookupError:
        raise ValueError("last")  # noqa: B904


def _several():
    def raised(error):
        try:
            raise error
        except ValueError as caught:
            return caught

    raise ExceptionGroup("many", [raised(ValueError(1)), raised(ValueError(2))])


def _circular():
    one, other = ValueError(1), ValueError(2)
    one.__context__, other.__context__ = other, one
    raise one


def errors_of(error):
    """Return an error with its causes, its context and what is inside of a group."""
    found, left = [], [error]
    while left:
        one = left.pop()
        if one is not None and one not in found:
            found.append(one)
            left += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return found


@pytest.mark.parametrize(("raises", "count"), [(_chained, 3), (_several, 3), (_circular, 2)])
def test_the_tracebacks_of_all_errors_around_one_are_dropped_too(jobs, raises, count):
    job(raises).perform_later()
    jobs.drain(raise_errors=False)
    errors = errors_of(jobs.failed[0].error)
    before = [frames(error) > 0 for error in errors]
    for number in range(8):
        Fail.perform_later(number)
    jobs.drain(raise_errors=False)

    assert len(errors) == count
    assert all(before) or raises is _circular
    assert [frames(error) for error in errors] == [0] * count


def test_one_error_that_is_raised_again_and_again_keeps_its_last_traceback(jobs):
    singleton = ValueError("always this one")

    @retry_on(ValueError, attempts=12)
    @job
    def stubborn():
        raise singleton

    stubborn.perform_later()
    with pytest.raises(ValueError) as caught:
        jobs.drain()

    assert caught.value is singleton
    assert "stubborn" in [entry.name for entry in caught.traceback]
