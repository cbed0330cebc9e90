"""Group M: what the tests of rspec-rails expect of matching jobs that were performed."""

from datetime import timedelta
from unittest.mock import ANY

import pytest
from dirty_equals import IsDatetime

from pytest_jobs import (
    DeserializationError,
    Job,
    assert_performed as imported_assert_performed,
    reference,
    retry_on,
)
from pytest_jobs.errors import NoHarnessError, SignatureError


class Hello(Job):
    def perform(self, *args):
        return args


class Derived(Hello):
    pass


class Two(Job):
    def perform(self, first, second):
        pass


@retry_on(ConnectionError, wait=5, attempts=3)
class Flaky(Job):
    def perform(self):
        if self.attempt < 3:
            raise ConnectionError(f"attempt {self.attempt}")


@reference(id="id", find="find")
class Account:
    def __init__(self, id):
        self.id = id

    @classmethod
    def find(cls, id):
        if id == 21:
            raise LookupError(id)
        return cls(id)


def perform(jobs, count, configured=Hello, *args):
    for _ in range(count):
        configured.perform_later(*args)
    jobs.drain()


def test_m15_exactly_one_is_expected(jobs, assert_performed, failure):
    assert "but no job was performed." in failure(assert_performed, Hello)
    perform(jobs, 1)
    assert imported_assert_performed(Hello) is assert_performed(Hello)

    perform(jobs, 1)
    assert "but 2 match:" in failure(assert_performed, Hello)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_m15_the_negative_fails_for_any_number(jobs, assert_not_performed, failure, count):
    assert_not_performed(Hello)
    perform(jobs, count)

    assert failure(assert_not_performed, Hello).splitlines()[:2] == [
        "Expected no Hello performed",
        "but 1 was performed:" if count == 1 else f"but {count} were performed:",
    ]


def test_m15_only_what_the_window_holds_counts(jobs, assert_performed, assert_not_performed):
    perform(jobs, 1)
    with jobs.capture() as sent:
        perform(jobs, 1, Hello, "inside")
    with jobs.capture() as nothing:
        pass

    assert assert_performed(Hello, within=sent).record.args == ("inside",)
    assert_not_performed(Hello, within=nothing)


@pytest.mark.parametrize("within", [lambda: None, Hello])
def test_m15_a_window_is_a_capture_or_a_list(jobs, assert_performed, refusal, within):
    assert "holds no records" in refusal(assert_performed, Hello, within=within)


def test_m15_what_is_pending_was_not_performed(jobs, assert_performed, failure):
    Hello.perform_later()

    assert failure(assert_performed, Hello).splitlines()[1:4] == [
        "but no job was performed.",
        "",
        (
            "Hint: #0 Hello() is pending: nothing has performed it yet. Call jobs.perform_due() or "
            "jobs.drain() first."
        ),
    ]


def test_m15_an_attempt_that_failed_was_not_performed(jobs, assert_performed, assert_retried):
    perform(jobs, 1, Flaky)

    assert assert_performed(Flaky).record.attempt == 3
    first, second = assert_retried(Flaky, count=2)
    assert [str(first.error), str(second.error)] == ["attempt 1", "attempt 2"]
    assert [first.record.attempt, second.record.attempt] == [1, 2]


def test_m15_a_subclass_is_another_job_and_the_message_says_so(jobs, assert_performed, failure):
    perform(jobs, 1, Derived)

    assert "#0 Derived() is a Derived, a subclass of Hello." in failure(assert_performed, Hello)


@pytest.mark.parametrize(
    ("counts", "performed", "said"),
    [
        ({"count": 2}, 2, None),
        ({"at_least": 2}, 3, None),
        ({"at_most": 3}, 2, None),
        ({"count": 2}, 1, "Expected exactly 2 Hello performed\nbut 1 matches:"),
        ({"at_least": 2}, 1, "Expected at least 2 Hello performed\nbut 1 matches:"),
        ({"at_most": 2}, 3, "Expected at most 2 Hello performed\nbut 3 match:"),
    ],
)
def test_m15_numbers_hold_or_say_both(jobs, assert_performed, failure, counts, performed, said):
    perform(jobs, performed)

    if said is None:
        assert len(assert_performed(Hello, **counts)) == performed
    else:
        assert failure(assert_performed, Hello, **counts).startswith(said)


def test_m15_queue_and_priority_are_those_of_the_record(jobs, assert_performed, failure):
    perform(jobs, 1, Hello.set(queue="low", priority=2))

    assert_performed(Hello, queue="low", priority=2)
    lines = failure(assert_performed, Hello, queue="high", priority=1).splitlines()
    assert lines[6:8] == [
        "  queue     differs  expected 'high', got 'low'",
        "  priority  differs  expected 1, got 2",
    ]


def test_m15_the_time_is_when_it_began(noon, jobs, assert_performed, assert_not_performed):
    perform(jobs, 1, Hello.set(wait=60))

    due = noon + timedelta(seconds=60)
    assert_performed(Hello, at=due, tolerance=timedelta(0))
    assert_performed(Hello, at=IsDatetime(approx=due, delta=5))
    assert_not_performed(Hello, at=noon)


@pytest.mark.parametrize("expected", [[None], [False], []])
def test_m15_an_empty_expectation_is_one(jobs, assert_not_performed, assert_performed, expected):
    perform(jobs, 1, Hello, 42)

    assert_not_performed(Hello, args=expected)
    assert_performed(Hello, args=[ANY])


def test_m15_a_call_that_the_job_cannot_take_is_refused(jobs, assert_performed, refusal):
    with pytest.raises(SignatureError):
        Two.perform_later(1)

    assert "missing 1 required positional argument" in refusal(assert_performed, Two, args=[1])


def test_m15_the_failure_of_a_function_is_the_one_that_is_shown(jobs, assert_performed):
    perform(jobs, 1, Hello, "asdf")

    def check(delivery):
        assert delivery.result == ("qwer",), "no qwer"

    with pytest.raises(AssertionError, match="no qwer"):
        assert_performed(Hello, where=check)


def test_m15_the_function_is_asked_only_of_what_matches_otherwise(jobs, assert_performed):
    perform(jobs, 1, Hello, "a")
    perform(jobs, 1, Hello.set(queue="low"), "b")
    asked = []

    def check(delivery):
        asked.append(delivery.result)
        return True

    assert_performed(Hello, result=("b",), queue="low", where=check)
    assert asked == [("b",)]


def test_m15_a_job_that_cannot_be_read_is_no_match_and_no_error(
    jobs, assert_performed, assert_failed
):
    Hello.perform_later(Account(21))
    Hello.perform_later(Account(42))
    jobs.drain(raise_errors=False)

    assert_performed(Hello, args=[Account(42)])
    assert isinstance(assert_failed(Hello).error, DeserializationError)


def test_m15_without_a_harness_the_error_says_how_to_get_one():
    with pytest.raises(NoHarnessError, match="Ask for the `jobs` fixture in this test"):
        imported_assert_performed(Hello)
