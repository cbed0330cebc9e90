"""`set` says when the next enqueue is due, where it goes and how soon it is taken."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from tables import each_row

from pytest_jobs import Job, job
from pytest_jobs.errors import DeclarationError, NaiveDatetimeError, SignatureError, WaitError

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
    ("at", "due_ns"),
    [
        (TEN_O_CLOCK, 1_767_261_600 * SECOND),
        (TEN_O_CLOCK.astimezone(timezone(timedelta(hours=-5))), 1_767_261_600 * SECOND),
        (TEN_O_CLOCK.astimezone(ZoneInfo("Europe/Paris")), 1_767_261_600 * SECOND),
        (TEN_O_CLOCK + timedelta(microseconds=123_457), 1_767_261_600_123_457_000),
    ],
)
def test_at_is_an_instant_in_any_timezone_exact_to_the_microsecond(adapter, job, at, due_ns):
    assert job.set(at=at).perform_later(1).payload.due_ns == due_ns


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


class Nowhere(tzinfo):
    def utcoffset(self, when):
        return None


_NAIVE = "at must have a timezone, got {!r}: write at.replace(tzinfo=UTC), or .astimezone() when it is local time."
_REFUSED = [
    ("at", [datetime(2026, 1, 1, 10)], NaiveDatetimeError, _NAIVE),  # noqa: DTZ001
    ("at", [datetime(2026, 1, 1, 10, tzinfo=Nowhere())], NaiveDatetimeError, _NAIVE),
    (
        "at",
        ["tomorrow", 1_767_261_600, TEN_O_CLOCK.date()],
        SignatureError,
        "at must be a datetime such as datetime(..., tzinfo=UTC), got {!r}.",
    ),
    (
        "wait",
        ["5", True, [5], TEN_O_CLOCK],
        WaitError,
        "wait must be a number of seconds such as 30, or timedelta(minutes=5), got {!r}.",
    ),
    (
        "wait",
        [-1, -0.001, timedelta(seconds=-1), float("nan"), float("inf")],
        WaitError,
        "wait is {!r}: a wait is finite and not negative. Write 0 for no wait.",
    ),
    (
        "queue",
        ["", 5, b"low"],
        DeclarationError,
        "queue must be the name of a queue such as 'mailers', got {!r}.",
    ),
    (
        "priority",
        ["high", 1.5, False],
        DeclarationError,
        "priority must be an int, lower first, got {!r}.",
    ),
]


@each_row("job", [Pay, pay])
@each_row(
    ("option", "value", "error", "text"),
    [(option, value, error, text) for option, values, error, text in _REFUSED for value in values],
)
def test_an_option_that_cannot_be_meant_is_refused(job, option, value, error, text):
    with pytest.raises(error) as raised:
        job.set(**{option: value})

    assert str(raised.value) == text.format(value)


@each_row("job", [Pay, pay])
def test_two_due_times_and_unknown_options_are_refused(job):
    with pytest.raises(SignatureError) as raised:
        job.set(wait=5, at=TEN_O_CLOCK)
    with pytest.raises(TypeError, match=r"set\(\) got an unexpected keyword argument 'delay'"):
        job.set(delay=5)

    assert str(raised.value) == (
        f"Both wait=5 and at={TEN_O_CLOCK!r} say when the job is due: give one of them."
    )
