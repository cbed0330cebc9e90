"""When a recurring task fires."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import TypeAlias
from zoneinfo import ZoneInfo

from ..core.foundation.options import to_ns
from ..harness.records.instants import to_datetime
from ..harness.records.texts import duration
from .recurring_cron import CronLine, days_of

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
