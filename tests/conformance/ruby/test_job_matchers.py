"""Group M: what the tests of rspec-rails expect of matching jobs that were enqueued."""

from datetime import date, datetime, time, timedelta
from enum import StrEnum

import pytest
from dirty_equals import IsDatetime

from pytest_jobs import Job, assert_enqueued as imported_assert_enqueued, retry_on


class Hello(Job):
    def perform(self, *args):
        pass


class Other(Job):
    def perform(self):
        pass


class Derived(Hello):
    pass


@retry_on(ConnectionError, wait=5, queue="retry")
class Flaky(Job):
    def perform(self):
        raise ConnectionError("reset")


class Queues(StrEnum):
    LOW = "low"


def enqueue(count, configured=Hello):
    for _ in range(count):
        configured.perform_later()


# What is looked at


@pytest.mark.parametrize("within", [lambda: None, Hello, 1])
def test_m1_a_window_is_a_capture_or_a_list(jobs, assert_not_enqueued, refusal, within):
    assert "holds no records" in refusal(assert_not_enqueued, Hello, within=within)


@pytest.mark.parametrize("job", [Hello.perform_later, Hello.perform, "Hello", [Hello]])
def test_m1_what_is_no_job_is_refused(jobs, assert_not_enqueued, refusal, job):
    assert refusal(assert_not_enqueued, job)


# How many


def test_m2_exactly_one_is_expected(jobs, assert_enqueued, failure):
    enqueue(1)
    assert_enqueued(Hello)

    enqueue(1)
    assert failure(assert_enqueued, Hello).splitlines()[:2] == [
        "Expected exactly 1 Hello enqueued",
        "but 2 match:",
    ]


def test_m2_none_is_not_one(jobs, assert_enqueued, failure):
    assert failure(assert_enqueued, Hello).splitlines()[:2] == [
        "Expected exactly 1 Hello enqueued",
        "but no job was enqueued.",
    ]


def test_m2_the_imported_assertion_is_the_same(jobs, assert_enqueued):
    enqueue(1)

    assert imported_assert_enqueued(Hello) is assert_enqueued(Hello)


def test_m2_only_what_the_window_holds_counts(jobs, assert_enqueued, assert_not_enqueued):
    enqueue(1)
    with jobs.capture() as sent:
        enqueue(1)
    enqueue(1)
    with jobs.capture() as nothing:
        pass

    assert assert_enqueued(Hello, within=sent).sequence == 1
    assert_not_enqueued(within=nothing)
    assert_not_enqueued(Hello, within=nothing)


@pytest.mark.parametrize("count", [1, 2])
def test_m2_the_negative_fails_for_any_number(jobs, assert_not_enqueued, failure, count):
    enqueue(count)

    assert failure(assert_not_enqueued, Hello).splitlines()[0] == "Expected no Hello enqueued"


def test_m2_the_same_job_enqueued_twice_counts_twice(noon, jobs, assert_enqueued):
    hello = Hello.new(1)
    with jobs.capture() as sent:
        hello.enqueue()
        hello.enqueue()

    first, second = assert_enqueued(Hello, count=2, within=sent)
    assert first.job_id == second.job_id
    assert first.sequence < second.sequence


# A retry


def test_m4_a_retry_is_matched_by_its_attempt(noon, jobs, assert_enqueued, assert_retried):
    Flaky.perform_later()
    jobs.perform_due()

    due = noon + timedelta(seconds=5)
    assert_enqueued(Flaky, attempt=2, queue="retry", at=due, tolerance=timedelta(0))
    assert_retried(Flaky, wait=5)
    assert assert_enqueued(Flaky).queue == "default"


# Which job, and how many


def test_m6_other_jobs_do_not_count(jobs, assert_enqueued, failure):
    enqueue(1)
    enqueue(2, Other)

    assert_enqueued(Hello)
    assert_enqueued(Other, count=2)
    assert "but 2 match:" in failure(assert_enqueued, Other)


def test_m6_a_subclass_is_another_job_and_the_message_says_so(jobs, assert_enqueued, failure):
    enqueue(1, Derived)

    assert failure(assert_enqueued, Hello).splitlines()[1:4] == [
        "but no Hello was enqueued, only other jobs: 1 Derived.",
        "",
        (
            "Hint: #0 Derived() is a Derived, a subclass of Hello. The class is matched exactly: name the "
            "subclass."
        ),
    ]


@pytest.mark.parametrize(
    ("counts", "enqueued"),
    [
        ({"count": 1}, 1),
        ({"count": 2}, 2),
        ({"count": 3}, 3),
        ({"at_least": 2}, 3),
        ({"at_most": 3}, 2),
        ({"at_least": 1, "at_most": 3}, 3),
    ],
)
def test_m6_numbers_that_hold(jobs, assert_enqueued, counts, enqueued):
    enqueue(enqueued)

    assert len(assert_enqueued(Hello, **counts)) == enqueued


@pytest.mark.parametrize(
    ("counts", "enqueued", "lines"),
    [
        ({"count": 2}, 1, ["Expected exactly 2 Hello enqueued", "but 1 matches:"]),
        ({"count": 1}, 2, ["Expected exactly 1 Hello enqueued", "but 2 match:"]),
        ({"at_least": 2}, 1, ["Expected at least 2 Hello enqueued", "but 1 matches:"]),
        ({"at_most": 2}, 3, ["Expected at most 2 Hello enqueued", "but 3 match:"]),
    ],
)
def test_m6_numbers_that_do_not_hold(jobs, assert_enqueued, failure, counts, enqueued, lines):
    enqueue(enqueued)

    assert failure(assert_enqueued, Hello, **counts).splitlines()[:2] == lines


@pytest.mark.parametrize("counts", [{"count": "two"}, {"count": 1.0}, {"at_least": -1}])
def test_m6_what_is_no_number_is_refused(jobs, assert_enqueued, refusal, counts):
    (name, value), *_ = counts.items()

    assert refusal(assert_enqueued, Hello, **counts) == (
        f"{name}={value!r} is no number of jobs: write an int of at least 0."
    )


# Queue and priority


def test_m7_a_queue_is_a_text_or_an_enum(jobs, assert_enqueued, failure):
    enqueue(1, Hello.set(queue="low"))

    assert_enqueued(Hello, queue="low")
    assert_enqueued(Hello, queue=Queues.LOW)
    assert "  queue  differs  expected None, got 'low'" in failure(
        assert_enqueued, Hello, queue=None
    )


def test_m7_a_priority_is_an_int(jobs, assert_enqueued, refusal):
    enqueue(1, Hello.set(priority=2))

    assert_enqueued(Hello, priority=2)
    assert refusal(assert_enqueued, Hello, priority="2") == (
        "No job has priority='2': write an int, or a matcher."
    )


@pytest.mark.parametrize(("priority", "got"), [(None, "None"), (1, "1")])
def test_m7_another_priority_is_shown(jobs, assert_enqueued, failure, priority, got):
    enqueue(1, Hello.set(priority=priority))

    assert failure(assert_enqueued, Hello, priority=2).splitlines()[5] == (
        f"  priority  differs  expected 2, got {got}"
    )


# When


def test_m8_an_instant_of_a_date_or_an_offset_matches(noon, jobs, assert_enqueued):
    tomorrow = datetime.combine(date(2030, 1, 2), time(12), noon.tzinfo)
    enqueue(1, Hello.set(at=tomorrow))
    enqueue(1, Other.set(wait=90))

    assert_enqueued(Hello, at=tomorrow, tolerance=timedelta(0))
    assert_enqueued(Other, at=noon + timedelta(seconds=90), tolerance=timedelta(0))


def test_m8_a_fraction_of_a_second_is_no_difference_unless_it_is_asked(
    noon, jobs, assert_enqueued, failure
):
    due = noon + timedelta(microseconds=400_000)
    enqueue(1, Hello.set(at=due))

    assert_enqueued(Hello, at=noon)
    assert failure(assert_enqueued, Hello, at=noon, tolerance=timedelta(0)).splitlines()[5] == (
        "  at  differs  expected 2030-01-01 12:00:00+00:00 (exactly), got 2030-01-01 12:00:00+00:00, "
        "0.4s later"
    )


def test_m8_a_matcher_may_say_when(noon, jobs, assert_enqueued, assert_not_enqueued):
    enqueue(1, Hello.set(at=noon + timedelta(seconds=3)))

    assert_enqueued(Hello, at=IsDatetime(approx=noon, delta=5))
    assert_not_enqueued(Hello, at=IsDatetime(approx=noon, delta=1))


def test_m8_none_is_a_job_that_is_due_at_once(noon, jobs, assert_enqueued, assert_not_enqueued):
    enqueue(1)
    enqueue(1, Other.set(at=noon))

    assert_enqueued(Hello, at=None)
    assert_not_enqueued(Other, at=None)
    assert_not_enqueued(Hello, at=noon)
    assert_enqueued(Other)
