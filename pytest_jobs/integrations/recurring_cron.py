"""The arithmetic of crontab lines, by cronsim."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING

from ..errors import ScheduleError

if TYPE_CHECKING:
    from cronsim import CronSim

#: A Saturday, with all its seconds in the past of any schedule.
_SOME_DAY = datetime.fromisoformat("2000-01-01")
_SECOND = timedelta(seconds=1)


class CronLine:
    """A crontab line of five fields, or of six with seconds first."""

    __slots__ = ("_seconds", "day_fields", "follows_the_clock", "text")

    def __init__(self, text: str) -> None:
        """Read a line.

        Raises:
            ScheduleError: when it is none, or never fires, with the reason alone; when cronsim is not installed.
        """
        #: The line, without a timezone.
        self.text = text
        self._seconds: tuple[int, ...] | None = None
        fields = text.split()
        if len(fields) not in (5, 6):
            raise ScheduleError(f"it has {len(fields)} fields, and a crontab line has five or six")
        #: Day of month, month and weekday.
        self.day_fields = " ".join(fields[-3:])
        #: Whether it goes on through a change of the clocks, as `*/30 * * * *` does.
        self.follows_the_clock = (
            len(fields) == 6 or fields[0].startswith("*") or fields[1].startswith("*")
        )
        if next(_simulate(text, _SOME_DAY), None) is None:
            raise ScheduleError("there is no such day")

    def __eq__(self, other: object) -> bool:
        """Compare the text."""
        return isinstance(other, CronLine) and self.text == other.text

    def __hash__(self) -> int:
        """Hash the text."""
        return hash(self.text)

    def seconds(self) -> tuple[int, ...]:
        """Return when it fires on each of its days, in seconds after midnight."""
        if self._seconds is None:
            second, minute, hour = ["0", *self.text.split()][-6:-3]
            seconds = _values(f"{second} * * * * *", timedelta(minutes=1))
            minutes = _values(f"0 {minute} * * * *", timedelta(hours=1))
            hours = _values(f"0 0 {hour} * * *", timedelta(days=1))
            self._seconds = tuple(h + m + s for h in hours for m in minutes for s in seconds)
        return self._seconds


def days_of(day_fields: str, first: date, last: date) -> list[date]:
    """Return the days from the first to the last that the fields of a line mean."""
    if day_fields == "* * *":
        return [first + timedelta(days=count) for count in range((last - first).days + 1)]
    before = datetime.combine(first, datetime.min.time()) - _SECOND
    found = (instant.date() for instant in _simulate(f"0 0 {day_fields}", before))
    return list(takewhile(lambda day: day <= last, found))


def _values(line: str, span: timedelta) -> list[int]:
    """Return when a line fires in the first while of a day, in seconds."""
    end = _SOME_DAY + span
    found = takewhile(lambda instant: instant < end, _simulate(line, _SOME_DAY - _SECOND))
    return [int((instant - _SOME_DAY).total_seconds()) for instant in found]


def _simulate(line: str, after: datetime) -> Iterator[datetime]:
    simulated, error = _cronsim()
    try:
        return simulated(line, after)
    except error as problem:
        raise ScheduleError(str(problem).lower()) from None


def check_cronsim() -> None:
    """Check that what does the arithmetic is there.

    Raises:
        ScheduleError: when it is not installed.
    """
    _cronsim()


def _cronsim() -> tuple[type[CronSim], type[Exception]]:
    try:
        from cronsim import CronSim, CronSimError
    except ImportError:
        raise ScheduleError(
            'Schedules of recurring jobs need cronsim: pip install "pytest-jobs[recurring]".'
        ) from None
    return CronSim, CronSimError
