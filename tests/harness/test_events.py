"""The ledger's story, and how it is told."""

from pytest_jobs.harness.records.record import REDELIVERY, RETRY
from pytest_jobs.harness.views import Events


def told(ledger):
    return [(event.kind, event.record.sequence) for event in Events(ledger.events)]


def test_a_record_is_enqueued_and_then_started_as_often_as_deliveries_begin(ledger, make_record):
    record = make_record()
    ledger.added(record)
    ledger.begin(record)
    ledger.begin(record)

    assert told(ledger) == [("enqueued", 0), ("started", 0), ("started", 0)]


def test_a_retry_is_told_of_by_the_delivery_that_asked_for_it(ledger, make_record):
    retry = make_record(origin=RETRY)
    ledger.added(retry)
    ledger.begin(retry)

    assert told(ledger) == [("started", 0)]


def test_a_redelivery_has_a_word_of_its_own(ledger, make_record):
    ledger.added(make_record(origin=REDELIVERY))

    assert told(ledger) == [("redelivered", 0)]


def test_a_job_that_was_withdrawn_is_removed(ledger, make_record):
    record = make_record()
    ledger.added(record)
    ledger.removed(record)
    ledger.removed(record)

    assert told(ledger) == [("enqueued", 0), ("removed", 0)]


def test_a_dead_ledger_writes_nothing_down(ledger, make_record):
    record = make_record()
    ledger.added(record)
    ledger.die()
    ledger.begin(record)

    assert told(ledger) == [("enqueued", 0)]


def test_a_record_that_stands_in_for_another_is_started(ledger, make_record):
    record, other = make_record(), make_record(origin=RETRY)
    ledger.added(record)
    ledger.replace(record, other)
    ledger.begin(other)

    assert told(ledger) == [("enqueued", 0), ("started", 1)]
