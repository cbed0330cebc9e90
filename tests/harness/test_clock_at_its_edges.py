"""The clock where calendars are odd: changes of the clocks, a leap day, the first year and the last."""

import time
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from pytest_jobs import Job
from pytest_jobs.errors import ClockError, WaitError

PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)
LAST = datetime(9999, 12, 30, 23, 59, 59, 999_999, tzinfo=UTC)


class Note(Job):
    def perform(self):
        return datetime.now(UTC)


@pytest.mark.parametrize(
    ("local", "instant"),
    [
        # Twice half past two.
        (datetime(2026, 10, 25, 2, 30, tzinfo=PARIS), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (
            datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=1),
            datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        ),
        # A time that no clock shows.
        (datetime(2027, 3, 28, 2, 30, tzinfo=PARIS), datetime(2027, 3, 28, 1, 30, tzinfo=UTC)),
        (datetime(2028, 2, 29, 23, tzinfo=PARIS), datetime(2028, 2, 29, 22, tzinfo=UTC)),
        (datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)),
        # Old versions of time-machine round the last microseconds.
        (LAST.replace(microsecond=0), LAST.replace(microsecond=0)),
    ],
)
def test_the_clock_and_a_job_stand_at_every_instant_that_has_a_name(jobs, local, instant):
    assert jobs.clock.move_to(local) == instant

    assert (datetime.now(UTC), time.time()) == (instant, instant.timestamp())
    Note.set(at=local).perform_later()
    jobs.drain()
    assert [delivery.result for delivery in jobs.performed] == [instant]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            datetime(2026, 10, 25, 2, 30, tzinfo=PARIS),
            datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=1),
        ),
        (datetime(2027, 3, 28, 1, 30, tzinfo=PARIS), datetime(2027, 3, 28, 3, 30, tzinfo=PARIS)),
        (datetime(2028, 2, 29, 23, 30, tzinfo=PARIS), datetime(2028, 3, 1, 0, 30, tzinfo=PARIS)),
        (datetime(2100, 2, 28, 23, 30, tzinfo=UTC), datetime(2100, 3, 1, 0, 30, tzinfo=UTC)),
    ],
)
def test_an_hour_is_an_hour_whatever_clocks_show(jobs, before, after):
    jobs.clock.move_to(before)
    Note.set(wait=HOUR).perform_later()
    jobs.drain()

    assert jobs.clock.now() == after.astimezone(UTC)


def test_the_clock_begins_with_the_year_1(jobs):
    with pytest.raises(ClockError) as raised:
        jobs.clock.move_to(datetime(1, 1, 1, tzinfo=timezone(HOUR)))

    assert str(raised.value) == (
        "The clock cannot move to 0001-01-01T00:00:00+01:00: in UTC that is before the year 1. Name a later time."
    )
    assert not jobs.clock.frozen


@pytest.mark.parametrize(
    "move",
    [
        lambda clock: clock.advance(timedelta(microseconds=1)),
        lambda clock: clock.move_to(datetime.max.replace(tzinfo=UTC)),
        lambda clock: clock.advance(1e12),
    ],
)
def test_the_clock_ends_with_the_year_9999(jobs, move):
    jobs.clock.move_to(LAST)

    with pytest.raises(ClockError, match=r"^The clock cannot move beyond the year 9999\. "):
        move(jobs.clock)
    assert jobs.clock.now() == LAST


@pytest.mark.parametrize("wait", [1e300, 10**400])
@pytest.mark.parametrize(
    "use",
    [
        lambda jobs, wait: jobs.clock.advance(wait),
        lambda jobs, wait: jobs.run_for(wait),
        lambda jobs, wait: Note.set(wait=wait).perform_later(),
    ],
)
def test_a_wait_is_no_longer_than_a_timedelta(jobs, use, wait):
    with pytest.raises(
        WaitError, match=r"is longer than timedelta\.max: the time ends with the year 9999"
    ):
        use(jobs, wait)
