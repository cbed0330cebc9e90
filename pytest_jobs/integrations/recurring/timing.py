"""When a recurring task fires."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from typing import TYPE_CHECKING, TypeAlias
from zoneinfo import ZoneInfo

from ...core.foundation.options import to_ns
from ...errors import ScheduleError
from ...harness.records.instants import to_datetime
from ...harness.records.texts import duration

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


#: The days that were found already, by their fields and the first and the last.
FoundDays: TypeAlias = "dict[tuple[str, date, date], list[date]]"

_SECOND_NS = 1_000_000_000
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
#: Every so many days, and weeks, are counted from this Sunday.
_FIRST_SUNDAY = date(1970, 1, 4)


@dataclass(frozen=True, slots=True)
class Timing:
    """Crontab lines in a timezone, or a length of time."""

    lines: tuple[CronLine, ...]
    timezone: ZoneInfo
    #: Only every so many days or weeks, counted from Sunday, 4 January 1970.
    each_days: int = 1
    each_weeks: int = 1
    #: The length of time in seconds, counted from the beginning of 1970 in UTC; 0 for lines.
    interval: int = 0

    @property
    def text(self) -> str:
        """The crontab lines, and what they cannot say."""
        if self.interval:
            return f"every {duration(timedelta(seconds=self.interval))}"
        text = "; ".join(line.text for line in self.lines)
        if self.each_weeks > 1:
            return f"{text} (every {self.each_weeks} weeks)"
        return f"{text} (every {self.each_days} days)" if self.each_days > 1 else text

    def between(self, after_ns: int, until_ns: int, found: FoundDays, most: int) -> list[int]:
        """Return when it fires after an instant and up to another, in nanoseconds since the epoch.

        Args:
            after_ns: the instant before, itself left out.
            until_ns: the last instant.
            found: keeps days for other timings of the same call.
            most: how many are of interest; of more some are left out.
        """
        if self.interval:
            step = self.interval * _SECOND_NS
            return list(range(after_ns - after_ns % step + step, until_ns + 1, step)[:most])
        first = (to_datetime(after_ns).astimezone(self.timezone)).date() - _DAY
        last = to_datetime(until_ns).astimezone(self.timezone).date()
        instants: set[int] = set()
        for line in self.lines:
            days = self._chosen(line, first, last, found)
            instants.update(islice(self._instants(line, days), most))
        return sorted(ns for ns in instants if after_ns < ns <= until_ns)

    def _chosen(self, line: CronLine, first: date, last: date, found: FoundDays) -> Iterable[date]:
        key = (line.day_fields, first, last)
        days = found.get(key)
        if days is None:
            days = found[key] = days_of(*key)
        if self.each_days == self.each_weeks == 1:
            return days
        length, step = (1, self.each_days) if self.each_days > 1 else (7, self.each_weeks)
        return [day for day in days if (day - _FIRST_SUNDAY).days // length % step == 0]

    def _instants(self, line: CronLine, days: Iterable[date]) -> Iterator[int]:
        nanoseconds = [second * _SECOND_NS for second in line.seconds()]
        for day in days:
            midnight = datetime(day.year, day.month, day.day, tzinfo=self.timezone)
            offset = midnight.utcoffset()
            if offset == (midnight + _DAY).utcoffset():
                start_ns = to_ns(midnight, "midnight")
                yield from [start_ns + ns for ns in nanoseconds]
            else:
                yield from self._where_the_clocks_change(line, midnight.replace(tzinfo=None))

    def _where_the_clocks_change(self, line: CronLine, midnight: datetime) -> Iterator[int]:
        """Follow Debian's cron: a time that is left out comes late, one that comes twice counts once."""
        for second in line.seconds():
            local = midnight + timedelta(seconds=second)
            once, again = (local.replace(tzinfo=self.timezone, fold=fold) for fold in (0, 1))
            exists = _exists(once)
            if exists:
                yield to_ns(once, "time")
            if line.follows_the_clock:
                if exists and once.utcoffset() != again.utcoffset():
                    yield to_ns(again, "time")
            elif not exists:
                while not _exists(once):
                    once += _MINUTE
                yield to_ns(once, "time")


def _exists(local: datetime) -> bool:
    back = local.astimezone(UTC).astimezone(local.tzinfo)
    return back.replace(tzinfo=None) == local.replace(tzinfo=None)
