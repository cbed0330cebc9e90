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


def test_records_are_found_by_name(ledger, make_record):
    first, other, second = make_record("a"), make_record("b"), make_record("a")
    for record in (first, other, second):
        ledger.added(record)

    assert ledger.named("a") == [first, second]
    assert ledger.named("b") == [other]
    assert ledger.named("c") == []


def test_first_enqueues_are_neither_retries_nor_redeliveries(ledger, make_record):
    first = make_record()
    for record in (first, make_record(origin=RETRY), make_record(origin=REDELIVERY)):
        ledger.added(record)

    assert list(ledger.first_enqueues()) == [first]
    assert len(list(ledger.pending())) == 3


@pytest.mark.parametrize("due_ns", [None, 10**30])
def test_a_record_that_was_withdrawn_is_not_pending_and_never_taken(ledger, make_record, due_ns):
    withdrawn, other = make_record(due_ns=due_ns), make_record()
    ledger.added(withdrawn)
    ledger.added(other)
    ledger.removed(withdrawn)

    assert list(ledger.pending()) == [other]
    assert ledger.take(EVERYTHING) is other
    assert ledger.take(EVERYTHING) is None
    assert ledger.next_due_ns(EVERYTHING) is None
    assert ledger.records == [withdrawn, other]


def test_a_record_with_a_priority_can_be_withdrawn(ledger, make_record):
    withdrawn = make_record(priority=1)
    ledger.added(withdrawn)
    ledger.removed(withdrawn)

    assert ledger.take(EVERYTHING) is None


def test_a_record_that_was_taken_cannot_be_withdrawn(ledger, make_record):
    record = make_record()
    ledger.added(record)
    ledger.take(EVERYTHING)
    ledger.removed(record)

    assert record.state == "taken"


def test_a_record_that_was_withdrawn_while_a_filter_held_it_back_stays_withdrawn(jobs):
    @job
    def withdraw():
        jobs.ledger.removed(jobs.enqueued[0])

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


def test_only_the_last_eight_errors_keep_their_traceback(jobs):
    for number in range(12):
        Fail.perform_later(number)
    jobs.drain(raise_errors=False)

    kept = [frames(delivery.error) > 0 for delivery in jobs.failed]

    assert kept == [False] * 4 + [True] * 8
    assert [delivery.error.args for delivery in jobs.failed] == [(n,) for n in range(12)]


def test_what_a_dropped_traceback_held_is_freed(jobs):
    class Connection:
        pass

    held = []

    @job
    def query():
        connection = Connection()
        held.append(weakref.ref(connection))
        raise ValueError

    for _ in range(10):
        query.perform_later()
    jobs.drain(raise_errors=False)
    gc.collect()

    assert [reference() is None for reference in held] == [True] * 2 + [False] * 8


def test_the_tracebacks_of_causes_and_contexts_are_dropped_too(jobs):
    first = []

    @job
    def chained():
        try:
            try:
                raise KeyError("cause")
            except KeyError as cause:
                raise LookupError("middle") from cause
        except LookupError:
            raise ValueError("last")  # noqa: B904

    chained.perform_later()
    jobs.drain(raise_errors=False)
    error = jobs.failed[0].error
    while error is not None:
        first.append(error)
        error = error.__cause__ or error.__context__
    before = [frames(error) > 0 for error in first]
    for number in range(8):
        Fail.perform_later(number)
    jobs.drain(raise_errors=False)

    assert [type(error) for error in first] == [ValueError, LookupError, KeyError]
    assert before == [True, True, True]
    assert [frames(error) for error in first] == [0, 0, 0]


def test_the_tracebacks_inside_an_exception_group_are_dropped_too(jobs):
    def raised(error):
        try:
            raise error
        except ValueError as caught:
            return caught

    @job
    def several():
        raise ExceptionGroup("many", [raised(ValueError(1)), raised(ValueError(2))])

    several.perform_later()
    jobs.drain(raise_errors=False)
    inner = jobs.failed[0].error.exceptions
    for number in range(8):
        Fail.perform_later(number)
    jobs.drain(raise_errors=False)

    assert [frames(error) for error in inner] == [0, 0]


def test_errors_that_refer_to_each_other_in_a_circle_are_let_go(jobs):
    @job
    def circular():
        one, other = ValueError(1), ValueError(2)
        one.__context__, other.__context__ = other, one
        raise one

    circular.perform_later()
    for number in range(8):
        Fail.perform_later(number)
    jobs.drain(raise_errors=False)

    assert frames(jobs.failed[0].error) == 0


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
