"""`TestAdapter` keeps what is enqueued and performs it when it is asked to, without pytest."""

import pytest

from pytest_jobs import Job, configure, discard_on, job, perform_all_later, retry_on
from pytest_jobs.adapters import TestAdapter

SECOND = 10**9


class Clock:
    now_ns = 1_000 * SECOND

    def __call__(self):
        return self.now_ns


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def adapter(clock):
    adapter = TestAdapter(clock)
    with configure(adapter=adapter):
        yield adapter


performed = []


@pytest.fixture(autouse=True)
def _nothing_performed():
    performed.clear()


@job
def note(name, children=()):
    performed.append(name)
    for child in children:
        note.perform_later(*child)
    return name


@retry_on(ConnectionError, wait=60, attempts=2, jitter=0)
@discard_on(KeyError)
class Fail(Job):
    errors = {"ConnectionError": ConnectionError, "KeyError": KeyError, "OSError": OSError}  # noqa: RUF012

    def perform(self, error):
        raise self.errors[error](error)


def test_jobs_are_performed_in_the_order_of_enqueueing(adapter):
    perform_all_later([note.new("a"), note.set(priority=-1).new("b"), note.new("c")])

    executions = adapter.perform_due()

    assert performed == ["a", "b", "c"]
    assert [execution.result for execution in executions] == ["a", "b", "c"]
    assert [payload.arguments for payload in adapter.enqueued] == [
        '[["a"],{}]',
        '[["b"],{}]',
        '[["c"],{}]',
    ]
    assert adapter.pending == []


def test_what_a_job_enqueues_is_performed_after_what_was_there(adapter):
    note.perform_later("parent", [["child", [["grandchild"]]]])
    note.perform_later("other")

    adapter.perform_due()

    assert performed == ["parent", "other", "child", "grandchild"]


def test_what_is_due_later_waits_for_the_clock(adapter, clock):
    note.set(wait=10).perform_later("later")
    note.perform_later("now")

    first = adapter.perform_due()
    clock.now_ns += 10 * SECOND - 1
    second = adapter.perform_due()
    clock.now_ns += 1
    third = adapter.perform_due()

    assert [len(first), len(second), len(third)] == [1, 0, 1]
    assert performed == ["now", "later"]


def test_one_payload_can_be_performed_whether_it_is_due_or_not(adapter):
    note.perform_later("a")
    later = note.set(wait=10).perform_later("later").payload

    execution = adapter.perform(later)

    assert (execution.status, performed) == ("performed", ["later"])
    assert len(adapter.pending) == 1


def test_a_payload_that_is_not_pending_can_be_performed_once_more(adapter):
    payload = note.perform_later("a").payload
    adapter.perform_due()
    adapter.perform(payload)

    assert performed == ["a", "a"]
    assert adapter.enqueued == [payload]


def test_errors_of_a_job_are_not_raised(adapter):
    Fail.perform_later("OSError")
    note.perform_later("next")

    failed, next_ = adapter.perform_due()

    assert (failed.status, str(failed.error)) == ("failed", "OSError")
    assert next_.status == "performed"
    assert repr(failed) == "<Execution failed result=None error=OSError('OSError')>"


def test_a_retry_is_pending_until_it_is_due(adapter, clock):
    Fail.perform_later("ConnectionError")

    (first,) = adapter.perform_due()
    nothing = adapter.perform_due()
    clock.now_ns += 60 * SECOND
    (second,) = adapter.perform_due()

    assert (first.status, nothing, second.status) == ("retried", [], "exhausted")
    assert [payload.attempt for payload in adapter.enqueued] == [1, 2]


@pytest.mark.parametrize(
    ("error", "status", "attempts"),
    [("OSError", "failed", 1), ("KeyError", "discarded", 1), ("ConnectionError", "exhausted", 2)],
)
def test_a_job_that_was_given_up_is_a_dead_letter(adapter, clock, error, status, attempts):
    Fail.perform_later(error)
    adapter.perform_due()
    clock.now_ns += 60 * SECOND
    adapter.perform_due()

    (letter,) = adapter.dead
    assert (letter.status, letter.attempts, letter.payload) == (
        status,
        attempts,
        adapter.enqueued[-1],
    )
    assert type(letter.error).__name__ == error
    assert (
        repr(letter) == f"<DeadLetter {__name__}.Fail {status} after {attempts}: {letter.error!r}>"
    )


def test_everything_can_be_forgotten(adapter):
    note.perform_later("a")
    Fail.perform_later("OSError")
    adapter.perform_due()
    note.perform_later("b")

    adapter.clear()

    assert (adapter.enqueued, adapter.pending, adapter.dead) == ([], [], [])
    assert adapter.perform_due() == []


def test_the_clock_is_that_of_the_system_unless_it_is_given():
    with configure(adapter=TestAdapter()):
        first = note.perform_later("a").payload.enqueued_ns
        second = note.perform_later("b").payload.enqueued_ns

    assert 1_700_000_000 * SECOND < first <= second
