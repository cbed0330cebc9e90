"""The views are read-only sequences that print as short tables."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from pytest_jobs import Job, retry_on
from pytest_jobs.errors import CriterionError
from pytest_jobs.harness.ledger.chosen import Chosen


class Note(Job):
    def perform(self, text="", *, number=0):
        pass


@retry_on(ConnectionError, wait=3, attempts=3)
class Charge(Job):
    queue = "payments"

    def perform(self, amount):
        raise ConnectionError("no route to host")


def test_enqueued_holds_every_first_enqueue_performed_or_not(jobs):
    Charge.perform_later(1)
    Note.perform_later("a")
    jobs.drain(raise_errors=False)
    Note.perform_later("b")
    jobs.redeliver(jobs.enqueued[0])

    assert [(record.job, record.args) for record in jobs.enqueued] == [
        (Charge, (1,)),
        (Note, ("a",)),
        (Note, ("b",)),
    ]


def test_pending_holds_retries_and_redeliveries_too(jobs):
    Charge.perform_later(1)
    Note.perform_later("a")
    jobs.perform_due()
    jobs.redeliver(jobs.enqueued[1])

    assert [(r.job, r.attempt, r.retry_of) for r in jobs.pending] == [
        (Charge, 2, 0),
        (Note, 1, None),
    ]


def test_scheduled_holds_what_is_due_later_until_it_is_due(jobs, noon):
    Note.perform_later("now")
    Note.set(wait=10).perform_later("in 10 s")
    Note.set(wait=0).perform_later("in 0 s")
    Note.set(at=noon - timedelta(seconds=1)).perform_later("a second ago")
    Charge.perform_later(1)
    jobs.perform(jobs.pending[-1])

    assert [r.args for r in jobs.scheduled] == [("in 10 s",), (1,)]
    jobs.clock.advance(10)
    assert (jobs.scheduled, len(jobs.pending)) == ([], 5)


def test_a_view_has_what_there_was_when_it_was_asked_for(jobs):
    Note.perform_later("a")
    pending = jobs.pending
    jobs.drain()
    enqueued, performed, deliveries = jobs.enqueued, jobs.performed, jobs.deliveries
    Note.perform_later("b")
    jobs.drain()

    assert [record.args for record in pending] == [("a",)]
    assert len(enqueued) == len(performed) == len(deliveries) == 1
    assert enqueued[-1].args == performed[-1].record.args == ("a",)
    assert [delivery.record.args for delivery in deliveries[::-1]] == [("a",)]
    assert [delivery.record.args for delivery in jobs.performed] == [("a",), ("b",)]
    assert enqueued != jobs.enqueued


def test_a_view_is_a_sequence_of_which_a_slice_is_a_tuple(jobs):
    for text in "abc":
        Note.perform_later(text)
    view = jobs.enqueued
    first, second, third = view

    assert isinstance(view, Sequence)
    assert (len(view), bool(view), bool(jobs.scheduled), bool(jobs.deliveries)) == (
        *(3, True),
        *(False, False),
    )
    assert (view[0], view[-1]) == (first, third)
    assert second in view
    assert second not in jobs.scheduled
    assert list(reversed(view)) == [third, second, first]
    assert (view.index(second), view.count(second)) == (1, 1)
    assert (view[1:], view[::2], view[5:]) == ((second, third), (first, third), ())
    with pytest.raises(IndexError):
        view[3]
    with pytest.raises(TypeError):
        hash(view)


def test_a_view_compares_with_lists_tuples_and_views(jobs):
    Note.perform_later("a")
    Note.perform_later("b")
    first, second = jobs.enqueued

    for equal in ([first, second], (first, second), jobs.pending):
        assert jobs.enqueued == equal
    for other in ([second, first], [first], jobs.scheduled, "ab"):
        assert jobs.enqueued != other
    assert jobs.scheduled == []


@pytest.mark.parametrize(
    "name",
    [
        *("enqueued", "pending", "scheduled", "deliveries", "performed", "retried"),
        *("discarded", "failed", "dead"),
    ],
)
def test_an_empty_view_prints_its_title(jobs, name):
    assert str(getattr(jobs, name)) == f"{name}: none"


def test_records_print_as_a_table(jobs, noon):
    Note.perform_later("hello", number=2)
    Charge.set(wait=90).perform_later(1)
    jobs.perform(jobs.enqueued[1])

    assert str(jobs.enqueued) == (
        "enqueued: 2\n"
        "#  job     arguments          queue     wait    attempt  state\n"
        "0  Note    'hello', number=2  default   -       1        pending\n"
        "1  Charge  1                  payments  1m 30s  1        taken"
    )
    assert str(jobs.pending) == (
        "pending: 2\n"
        "#  job     arguments          queue     wait  attempt  state\n"
        "0  Note    'hello', number=2  default   -     1        pending\n"
        "2  Charge  1                  payments  3s    2        pending"
    )


def test_deliveries_print_as_a_table(jobs, noon):
    Charge.perform_later(5)
    Note.perform_later("hello")
    jobs.drain(raise_errors=False)

    assert str(jobs.deliveries) == (
        "deliveries: 4\n"
        "#  job     arguments  attempt  status     at                         again in  error\n"
        "0  Charge  5          1        retried    2030-01-01 12:00:00+00:00  3s        "
        "ConnectionError: no route to host\n"
        "1  Note    'hello'    1        performed  2030-01-01 12:00:00+00:00  -         -\n"
        "2  Charge  5          2        retried    2030-01-01 12:00:03+00:00  3s        "
        "ConnectionError: no route to host\n"
        "3  Charge  5          3        exhausted  2030-01-01 12:00:06+00:00  -         "
        "ConnectionError: no route to host"
    )


def test_a_record_without_a_queue_prints_a_dash(ledger, make_record):
    from pytest_jobs.harness.views import View, mark_record_seen

    ledger.added(make_record(queue=None))
    view = View("records", ledger.records, mark_record_seen)

    assert str(view) == (
        "records: 1\n"
        "#  job  arguments  queue  wait  attempt  state\n"
        "0  job             -      -     1        pending"
    )


def test_a_table_is_cut_at_twenty_rows(jobs):
    for number in range(20):
        Note.perform_later(str(number))
    lines = str(jobs.enqueued).splitlines()
    assert (len(lines), lines[-1][:8]) == (22, "19  Note")

    Note.perform_later("20")
    Note.perform_later("21")
    jobs.drain()
    for view, title in ((jobs.enqueued, "enqueued: 22"), (jobs.performed, "performed: 22")):
        lines = str(view).splitlines()
        assert (len(lines), lines[0], lines[-2][:8]) == (23, title, "19  Note")
        assert lines[-1] == "... and 2 more"


def seen(jobs):
    return [record.sequence for record in jobs.harness.ledger.records if record.seen]


@pytest.fixture
def three(jobs):
    for text in "abc":
        Note.perform_later(text)
    return jobs


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (lambda view: view[1], [1]),
        (lambda view: view[-1], [2]),
        (lambda view: view[1:], [1, 2]),
        (list, [0, 1, 2]),
        (lambda view: next(iter(view)), [0]),
        (lambda view: view == [], [0, 1, 2]),
        (lambda view: view[0] in view, [0]),
        (len, []),
        (bool, []),
        (repr, []),
        (lambda view: view.peek(), []),
    ],
)
@pytest.mark.parametrize("name", ["enqueued", "pending"])
def test_what_was_looked_at_through_a_view_was_seen(three, name, look, expected):
    look(getattr(three, name))

    assert seen(three) == expected


def test_looking_at_a_delivery_is_looking_at_its_record(three):
    three.drain()
    assert seen(three) == []

    three.performed[1]

    assert seen(three) == [1]


def test_peek_returns_everything_and_the_harness_prints_how_much_there_is(three):
    assert three.enqueued.peek() == tuple(three.harness.ledger.records)
    three.perform(three.enqueued[0])

    assert repr(three) == "<Jobs 3 records, 2 pending>"


def test_a_view_is_one_line_where_a_failed_assertion_shows_it(jobs):
    Note.perform_later("ann")
    jobs.drain()
    for number in range(7):
        Note.perform_later(number)

    assert repr(jobs.pending) == (
        "<pending: #1 Note(0), #2 Note(1), #3 Note(2), #4 Note(3), #5 Note(4) and 2 more>"
    )
    assert repr(jobs.performed) == "<performed: #0 Note('ann') performed>"
    assert repr(jobs.failed) == "<failed: none>"


@pytest.mark.parametrize(
    ("view", "instead"),
    [
        ("enqueued", "assert_enqueued(Note)"),
        ("scheduled", "assert_enqueued(Note)"),
        ("deliveries", "assert_performed(Note)"),
        ("discarded", "assert_discarded(Note)"),
        ("dead", "assert_failed(Note)"),
        ("locks", "print(jobs.locks), which shows its items"),
    ],
)
def test_a_view_that_is_asked_for_a_job_names_the_assertion(jobs, view, instead):
    Note.perform_later()
    with pytest.raises(CriterionError) as refused:
        Note not in getattr(jobs, view)  # noqa: B015 - the comparison is what is refused

    assert str(refused.value) == (
        f"Note is never in jobs.{view}, whose items say what happened to a job: write {instead}."
    )


def test_a_captured_block_that_is_asked_for_a_job_names_the_assertion(jobs):
    with jobs.capture() as sent:
        Note.perform_later()
    with pytest.raises(CriterionError, match=r"write assert_enqueued\(Note, within=sent\)\.$"):
        Note in sent  # noqa: B015 - the comparison is what is refused

    assert sent[0] in sent


def test_what_a_view_chooses_from_is_looked_at_once():
    asked = []
    numbers = [1, 2, 3]
    odd = Chosen(numbers, lambda number: bool(asked.append(number) or number % 2))
    first = odd.now()
    numbers += [4, 5]

    assert [list(first), list(odd.now()), list(odd.now())] == [[1, 3], [1, 3, 5], [1, 3, 5]]
    assert asked == [1, 2, 3, 4, 5]
