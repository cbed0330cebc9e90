"""`set` says when the next enqueue is due, where it goes and how soon it is taken."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from pytest_jobs import Job, job
from pytest_jobs.errors import (
    DeclarationError,
    NaiveDatetimeError,
    SignatureError,
    WaitError,
)

SECOND = 10**9
TEN_O_CLOCK = datetime(2026, 1, 1, 10, tzinfo=UTC)


class Pay(Job):
    queue = "payments"
    priority = 5

    def perform(self, amount):
        return amount


@job(queue="payments", priority=5)
def pay(amount):
    return amount


both = pytest.mark.parametrize("job", [Pay, pay])


@both
@pytest.mark.parametrize(
    ("wait", "nanoseconds"),
    [
        (0, 0),
        (60, 60 * SECOND),
        (0.25, SECOND // 4),
        (timedelta(hours=1, microseconds=1), 3600 * SECOND + 1000),
    ],
)
def test_wait_counts_from_the_enqueue(adapter, clock, job, wait, nanoseconds):
    configured = job.set(wait=wait)
    clock.advance(100)

    enqueued = configured.perform_later(1)

    assert enqueued.payload.due_ns == clock.now_ns + nanoseconds


@both
@pytest.mark.parametrize(
    "at",
    [
        TEN_O_CLOCK,
        TEN_O_CLOCK.astimezone(timezone(timedelta(hours=-5))),
        TEN_O_CLOCK.astimezone(ZoneInfo("Europe/Paris")),
    ],
)
def test_at_is_an_instant_in_any_timezone(adapter, job, at):
    enqueued = job.set(at=at).perform_later(1)

    assert enqueued.payload.due_ns == 1_767_261_600 * SECOND


def test_at_is_exact_to_the_microsecond(adapter):
    enqueued = Pay.set(at=TEN_O_CLOCK + timedelta(microseconds=123_457)).perform_later(1)

    assert enqueued.payload.due_ns == 1_767_261_600_123_457_000


def test_at_in_the_past_is_due_at_once(adapter):
    Pay.set(at=datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)).perform_later(1)

    assert [payload.due_ns for payload in adapter.enqueued] == [-SECOND]
    assert [execution.status for execution in adapter.perform_due()] == ["performed"]


@both
def test_without_options_the_job_is_due_at_once(adapter, job):
    assert job.set().perform_later(1).payload.due_ns is None


@both
def test_queue_and_priority_of_the_enqueue_win_over_those_of_the_job(adapter, job):
    enqueued = job.set(queue="low", priority=0).perform_later(1)

    assert (enqueued.payload.queue, enqueued.payload.priority) == ("low", 0)
    assert (enqueued.queue_name, job.perform_later(1).queue_name) == ("low", "payments")


@both
def test_options_hold_for_every_job_made_with_them(adapter, job):
    configured = job.set(queue="low")

    assert configured.perform_later(1).payload.queue == "low"
    assert configured.new(2).enqueue().payload.queue == "low"


@both
def test_wait_and_at_together_are_refused(job):
    with pytest.raises(SignatureError) as raised:
        job.set(wait=5, at=TEN_O_CLOCK)

    assert str(raised.value) == (
        f"Both wait=5 and at={TEN_O_CLOCK!r} say when the job is due: give one of them."
    )


class Nowhere(tzinfo):
    def utcoffset(self, when):
        return None


@both
def test_a_datetime_whose_timezone_knows_no_offset_is_refused(job):
    with pytest.raises(NaiveDatetimeError, match="must have a timezone"):
        job.set(at=datetime(2026, 1, 1, 10, tzinfo=Nowhere()))


@both
def test_a_naive_datetime_is_refused(job):
    naive = datetime(2026, 1, 1, 10)  # noqa: DTZ001

    with pytest.raises(NaiveDatetimeError) as raised:
        job.set(at=naive)

    assert str(raised.value) == (
        f"at must have a timezone, got {naive!r}: write "
        "at.replace(tzinfo=UTC), or .astimezone() when it is local time."
    )


@both
@pytest.mark.parametrize("at", ["tomorrow", 1_767_261_600, TEN_O_CLOCK.date()])
def test_an_at_that_is_no_datetime_is_refused(job, at):
    with pytest.raises(SignatureError) as raised:
        job.set(at=at)

    assert str(raised.value) == (
        f"at must be a datetime such as datetime(..., tzinfo=UTC), got {at!r}."
    )


@both
@pytest.mark.parametrize("wait", ["5", True, [5], TEN_O_CLOCK])
def test_a_wait_that_is_no_number_is_refused(job, wait):
    with pytest.raises(WaitError) as raised:
        job.set(wait=wait)

    assert str(raised.value) == (
        f"wait must be a number of seconds such as 30, or timedelta(minutes=5), got {wait!r}."
    )


@both
@pytest.mark.parametrize("wait", [-1, -0.001, timedelta(seconds=-1), float("nan"), float("inf")])
def test_a_wait_that_is_negative_or_not_finite_is_refused(job, wait):
    with pytest.raises(WaitError) as raised:
        job.set(wait=wait)

    assert str(raised.value) == (
        f"wait is {wait!r}: a wait is finite and not negative. Write 0 for no wait."
    )


@both
@pytest.mark.parametrize("queue", ["", 5, b"low"])
def test_a_queue_that_is_no_text_is_refused(job, queue):
    with pytest.raises(DeclarationError) as raised:
        job.set(queue=queue)

    assert str(raised.value) == (
        f"queue must be the name of a queue such as 'mailers', got {queue!r}."
    )


@both
@pytest.mark.parametrize("priority", ["high", 1.5, False])
def test_a_priority_that_is_no_int_is_refused(job, priority):
    with pytest.raises(DeclarationError) as raised:
        job.set(priority=priority)

    assert str(raised.value) == (f"priority must be an int, lower first, got {priority!r}.")


@both
def test_an_unknown_option_is_refused(job):
    with pytest.raises(TypeError, match="unexpected keyword argument 'delay'"):
        job.set(delay=5)
