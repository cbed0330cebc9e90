"""Among the records that are due, the order is (priority, due, sequence)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pytest_jobs import Job
from pytest_jobs.harness.ledger.ledger import Ledger
from pytest_jobs.harness.ledger.selection import Selection
from pytest_jobs.harness.records.targets import Targets
from pytest_jobs.harness.time.clock import VirtualClock

SECOND = 1_000_000_000
EVERYTHING = Targets(())


class Clock(VirtualClock):
    """Stands where it is put."""

    def __init__(self):
        super().__init__()
        self.at = 0

    def now_ns(self):
        return self.at


def taken(ledger, **filters):
    """Take every record that is due and selected; what the filters leave goes back."""
    selection = Selection(EVERYTHING, **filters)
    records = list(iter(lambda: ledger.take(selection), None))
    ledger.put_back(selection.passed_over())
    return records


def key(record):
    envelope = record.envelope
    due_ns = envelope.enqueued_ns if envelope.due_ns is None else envelope.due_ns
    return envelope.priority or 0, due_ns, record.sequence


PRIORITIES = st.none() | st.integers(-3, 3)
WAITS = st.none() | st.integers(0, 4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.lists(st.tuples(PRIORITIES, WAITS, st.integers(0, 1)), max_size=25), st.integers(0, 6))
def test_records_are_taken_in_order_of_priority_then_due_time_then_sequence(
    make_record, enqueued, later
):
    clock = Clock()
    ledger = Ledger(clock)
    for priority, wait, pause in enqueued:
        clock.at += pause * SECOND
        due_ns = None if wait is None else clock.at + wait * SECOND
        ledger.added(make_record(priority=priority, enqueued_ns=clock.at, due_ns=due_ns))
    clock.at += later * SECOND
    due = [r for r in ledger.records if r.envelope.due_ns is None or r.envelope.due_ns <= clock.at]

    assert taken(ledger) == sorted(due, key=key)
    assert list(ledger.pending()) == [r for r in ledger.records if r not in due]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(PRIORITIES, WAITS), max_size=20), st.data())
def test_the_order_is_the_same_after_some_were_taken_and_put_back(make_record, enqueued, data):
    clock = Clock()
    ledger = Ledger(clock)
    for priority, wait in enqueued:
        due_ns = None if wait is None else clock.at + wait * SECOND
        ledger.added(make_record(priority=priority, enqueued_ns=clock.at, due_ns=due_ns))
    clock.at += 10 * SECOND
    expected = sorted(ledger.records, key=key)
    selection = Selection(EVERYTHING)
    count = data.draw(st.integers(0, len(enqueued)))
    some = list(itertools.islice(iter(lambda: ledger.take(selection), None), count))
    ledger.put_back(data.draw(st.permutations(some)))

    assert taken(ledger) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(PRIORITIES, WAITS, st.sampled_from("abc")), max_size=20),
    st.lists(st.sampled_from("abc"), max_size=4),
)
def test_the_order_is_the_same_after_filters_left_records_out(make_record, enqueued, queues):
    clock = Clock()
    ledger = Ledger(clock)
    for priority, wait, queue in enqueued:
        due_ns = None if wait is None else clock.at + wait * SECOND
        ledger.added(make_record(priority=priority, due_ns=due_ns, queue=queue))
    clock.at += 2 * SECOND
    left = list(ledger.records)
    for queue in queues:
        due = [r for r in left if r.envelope.due_ns is None or r.envelope.due_ns <= clock.at]
        expected = sorted((r for r in due if r.queue == queue), key=key)

        assert taken(ledger, queue=queue) == expected
        left = [record for record in left if record not in expected]
        clock.at += SECOND
    clock.at += 10 * SECOND

    assert taken(ledger) == sorted(left, key=key)


def test_the_priorities_of_two_libraries_are_not_compared(make_record, stub_bridge, ledger):
    one, other = stub_bridge("one"), stub_bridge("other")
    records = [
        make_record(bridge=one, priority=9, enqueued_ns=1),
        make_record(bridge=other, priority=0, enqueued_ns=2),
        make_record(bridge=one, priority=5, enqueued_ns=3),
        make_record(bridge=other, priority=1, enqueued_ns=4),
    ]
    for record in records:
        ledger.added(record)

    # Among the heads of the two, the one that was due first: of `one` that is the priority 5.
    assert [r.sequence for r in taken(ledger)] == [1, 2, 0, 3]


def test_the_sequence_runs_over_all_libraries(make_record, stub_bridge, ledger):
    one, other = stub_bridge("one"), stub_bridge("other")
    for bridge in (one, other, one):
        ledger.added(make_record(bridge=bridge))

    assert [(r.sequence, r.bridge) for r in ledger.records] == [
        (0, "one"),
        (1, "other"),
        (2, "one"),
    ]


def test_a_library_may_say_itself_what_its_priorities_mean(make_record, stub_bridge, ledger):
    class HighestFirst(stub_bridge):
        def rank(self, priority):
            return -(priority or 0)

    bridge = HighestFirst()
    for priority in (1, None, 9, 5):
        ledger.added(make_record(bridge=bridge, priority=priority))

    assert [record.priority for record in taken(ledger)] == [9, 5, 1, None]


class Note(Job):
    def perform(self, text):
        self.notes.append(text)


@pytest.fixture
def notes():
    Note.notes = []
    return Note.notes


def test_the_lower_priority_goes_first_and_none_counts_as_zero(jobs, notes):
    for priority in (5, None, -1, 0, 5):
        Note.set(priority=priority).perform_later(priority)
    jobs.drain()

    assert notes == [-1, None, 0, 5, 5]


def test_jobs_that_have_become_due_go_by_their_due_time_among_those_due_at_once(jobs, notes, noon):
    Note.set(wait=20).perform_later("20 s")
    Note.set(wait=10).perform_later("10 s")
    jobs.clock.advance(15)
    Note.perform_later("at 15 s")
    Note.set(at=noon.replace(hour=11)).perform_later("an hour ago")
    jobs.clock.advance(15)
    jobs.perform_due()

    assert notes == ["an hour ago", "10 s", "at 15 s", "20 s"]


@pytest.mark.parametrize("drains", [True, False])
def test_a_job_is_due_when_the_clock_has_reached_its_due_time(jobs, notes, noon, drains):
    Note.set(wait=1 / 3).perform_later("a third")
    (record,) = jobs.pending
    if drains:
        assert jobs.drain(until=record.due_at) == {"performed": 1}
    else:
        jobs.clock.move_to(record.due_at)
        assert jobs.scheduled == []
        assert jobs.perform_due() == {"performed": 1}

    assert jobs.performed[0].at == record.due_at
