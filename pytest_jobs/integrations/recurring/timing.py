"""When a recurring task fires: crontab lines in a timezone, or one interval after another.

cronsim finds the days of a crontab line, without timezones. The instants of each day are worked out here, so that
a change of the clocks is handled as Debian's cron handles it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import islice, takewhile
from typing import TYPE_CHECKING, TypeAlias
from zoneinfo import ZoneInfo

from ...core.foundation.options import to_ns
from ...errors import ScheduleError
from ...harness.records.instants import to_datetime
from ...harness.records.texts import duration

if TYPE_CHECKING:
    from cronsim import CronSim

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_SECOND_NS = 1_000_000_000
#: Any day in the past; this one is a Saturday.
_SOME_DAY = datetime.fromisoformat("2000-01-01")
#: Every so many days, and weeks, are counted from this Sunday.
_FIRST_SUNDAY = date(1970, 1, 4)

_SOME_NAME = "'America/New_York'"

#: Days that were found already, by the day fields of a line, the first day and the last.
FoundDays: TypeAlias = "dict[tuple[str, date, date], list[date]]"


def find_zone(zone: object) -> ZoneInfo:
    """Return a timezone: a `ZoneInfo` itself, or the one that has a name in the IANA database.

    Raises:
        ScheduleError: when there is none, with the reason alone.
    """
    if isinstance(zone, ZoneInfo):
        return zone
    if not isinstance(zone, str):
        raise ScheduleError(
            f"{zone!r} is not a timezone; write a name such as {_SOME_NAME}, or ZoneInfo({_SOME_NAME})"
        )
    try:
        return ZoneInfo("UTC" if zone == "Z" else zone)
    except (ValueError, OSError, LookupError):
        raise ScheduleError(
            f"{zone!r} names no timezone; write a name of the IANA database, such as 'UTC' or {_SOME_NAME}"
        ) from None


class CronLine:
    """A crontab line of five fields, or of six with seconds first."""

    def __init__(self, text: str) -> None:
        """Read a line.

        Raises:
            ScheduleError: when it is wrong or never fires, with the reason alone; when cronsim is not installed.
        """
        #: The line, without a timezone.
        self.text = text
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
        return isinstance(other, CronLine) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    @cached_property
    def seconds(self) -> list[int]:
        """When it fires on each of its days, in seconds after midnight."""
        second, minute, hour = ["0", *self.text.split()][-6:-3]
        # One field at a time: a whole line would be simulated second by second.
        seconds = _values(f"{second} * * * * *", timedelta(minutes=1))
        minutes = _values(f"0 {minute} * * * *", timedelta(hours=1))
        hours = _values(f"0 0 {hour} * * *", timedelta(days=1))
        return [h + m + s for h in hours for m in minutes for s in seconds]

    def days(self, first: date, last: date) -> list[date]:
        """Return the days on which it fires."""
        if self.day_fields == "* * *":
            return [first + timedelta(days=count) for count in range((last - first).days + 1)]
        before = datetime.combine(first, datetime.min.time()) - _SECOND
        found = (instant.date() for instant in _simulate(f"0 0 {self.day_fields}", before))
        return list(takewhile(lambda day: day <= last, found))


@lru_cache(maxsize=1000)
def _values(line: str, span: timedelta) -> list[int]:
    """Return when a line fires in the first `span` of a day, in seconds."""
    end = _SOME_DAY + span
    found = takewhile(lambda instant: instant < end, _simulate(line, _SOME_DAY - _SECOND))
    return [int((instant - _SOME_DAY).total_seconds()) for instant in found]


def _simulate(line: str, after: datetime) -> Iterator[datetime]:
    simulated, error = cronsim()
    try:
        return simulated(line, after)
    except error as problem:
        raise ScheduleError(str(problem).lower()) from None


def cronsim() -> tuple[type[CronSim], type[Exception]]:
    """Return what finds the days of crontab lines, and its error.

    Raises:
        ScheduleError: when cronsim is not installed.
    """
    try:
        from cronsim import CronSim, CronSimError
    except ImportError:
        raise ScheduleError(
            'Schedules of recurring jobs need cronsim: pip install "pytest-jobs[recurring]".'
        ) from None
    return CronSim, CronSimError


@dataclass(frozen=True, slots=True)
class Timing:
    """Crontab lines in a timezone, or an interval."""

    lines: tuple[CronLine, ...]
    timezone: ZoneInfo
    #: Only every so many days or weeks, counted from Sunday, 4 January 1970.
    each_days: int = 1
    each_weeks: int = 1
    #: The interval in seconds, counted from the beginning of 1970 in UTC; 0 for lines.
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
            found: keeps days, for other timings of the same call.
            most: return no more than this of a line.
        """
        if self.interval:
            step = self.interval * _SECOND_NS
            return list(range(after_ns - after_ns % step + step, until_ns + 1, step)[:most])
        first = to_datetime(after_ns).astimezone(self.timezone).date() - _DAY
        last = to_datetime(until_ns).astimezone(self.timezone).date()
        length, step = (1, self.each_days) if self.each_days > 1 else (7, self.each_weeks)
        instants: set[int] = set()
        for line in self.lines:
            key = (line.day_fields, first, last)
            if key not in found:
                found[key] = line.days(first, last)
            days = [day for day in found[key] if (day - _FIRST_SUNDAY).days // length % step == 0]
            within = (ns for ns in self._instants(line, days) if after_ns < ns <= until_ns)
            instants.update(islice(within, most))
        return sorted(instants)

    def _instants(self, line: CronLine, days: list[date]) -> Iterator[int]:
        nanoseconds = [second * _SECOND_NS for second in line.seconds]
        for day in days:
            start_ns = _start_of(day, self.timezone)
            if start_ns is None:
                yield from self._where_the_clocks_change(
                    line, datetime.combine(day, datetime.min.time())
                )
            else:
                yield from [start_ns + ns for ns in nanoseconds]

    def _where_the_clocks_change(self, line: CronLine, midnight: datetime) -> Iterator[int]:
        """Follow Debian's cron: a skipped time fires late, and a time that comes twice fires once."""
        for second in line.seconds:
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


@lru_cache(maxsize=10_000)
def _start_of(day: date, timezone: ZoneInfo) -> int | None:
    """Return the midnight at which a day begins; None if the clocks change on it."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=timezone)
    if midnight.utcoffset() != (midnight + _DAY).utcoffset():
        return None
    return to_ns(midnight, "midnight")


def _exists(local: datetime) -> bool:
    """Say whether clocks show a local time at all, rather than skip it in spring."""
    back = local.astimezone(UTC).astimezone(local.tzinfo)
    return back.replace(tzinfo=None) == local.replace(tzinfo=None)
