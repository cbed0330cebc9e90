"""A schedule while its phrase is read."""

from __future__ import annotations

from dataclasses import dataclass, field

from .recurring_words import refuse

_MINUTE, _HOUR, _DAY, _WEEK = 60, 3600, 86_400, 604_800
_CENTURY = 100 * 366 * _DAY
_SECONDS = {"second": 1, "minute": _MINUTE, "hour": _HOUR, "day": _DAY, "week": _WEEK}
#: Units of which a phrase can say at which times of the day.
_DAILY = ("day", "week", "month", "year")


@dataclass
class Draft:
    """The fields of a crontab line, and what such a line cannot say."""

    #: The unit that is repeated; empty for a length of time that fits no calendar, such as 45 minutes.
    unit: str = ""
    seconds: str | None = None
    minutes: str = "0"
    hours: str = "0"
    days: str = "*"
    months: str = "*"
    weekdays: str = "*"
    #: Only each so many days or weeks are meant.
    each_days: int = 1
    each_weeks: int = 1
    #: The length of time, in seconds.
    interval: int = 0
    times: list[tuple[int, int]] = field(default_factory=list)
    #: The hour at which minutes within hours end.
    ending: int | None = None
    beyond_midnight: bool = False
    said: set[str] = field(default_factory=set)

    def repeat(self, count: int, unit: str) -> None:
        """Take in how often: each so many units.

        Raises:
            ScheduleError: when no calendar has such a rhythm.
        """
        if count < 1:
            refuse("nothing happens every 0 times")
        if unit == "year" and count == 1:
            self.unit, self.days, self.months = "year", "1", "1"
        elif unit == "month" and 12 % count == 0:
            self._repeat_month(count)
        elif unit in ("month", "year"):
            refuse(f"{count} {unit}s do not divide a year, so no calendar has that rhythm")
        else:
            self.last(count * _SECONDS[unit])

    def last(self, seconds: int) -> None:
        """Take in how often, by the time from one to the next in seconds."""
        if seconds > _CENTURY:
            refuse("nothing is awaited for more than a hundred years")
        if seconds < _MINUTE and _MINUTE % seconds == 0:
            self.unit, self.seconds, self.minutes, self.hours = "second", _step(seconds), "*", "*"
        elif seconds % _MINUTE == 0 and seconds < _HOUR and _HOUR % seconds == 0:
            self.unit, self.minutes, self.hours = "minute", _step(seconds // _MINUTE), "*"
        elif seconds % _HOUR == 0 and seconds < _DAY and _DAY % seconds == 0:
            self.unit, self.hours = "hour", _step(seconds // _HOUR)
        elif seconds % _WEEK == 0:
            self.unit, self.weekdays, self.each_weeks = "week", "0", seconds // _WEEK
        elif seconds % _DAY == 0:
            self.unit, self.each_days = "day", seconds // _DAY
        else:
            self.interval = seconds

    def _repeat_month(self, count: int) -> None:
        self.unit, self.days = "month", "1"
        self.months = "1" if count == 12 else _step(count)

    def set_times(self, times: list[tuple[int, int]]) -> None:
        """Take in at which times of the day."""
        self._once("hours", _DAILY, "times of day go with days, weeks, months and years")
        self.times = sorted(set(times))

    def set_minutes(self, minutes: list[int]) -> None:
        """Take in at which minutes of the hour."""
        self._once("minutes", ("hour",), "`at minute` goes with hours")
        if max(minutes) > 59:
            refuse(f"an hour has no minute {max(minutes)}")
        self.minutes = ",".join(str(minute) for minute in sorted(set(minutes)))

    def set_hours(self, first: tuple[int, int], last: tuple[int, int]) -> None:
        """Take in from which hour to which, both included."""
        if self.interval:
            refuse(
                "`from ... to` goes with minutes that divide an hour, and hours that divide a day"
            )
        units = ("minute", "hour", "day", "week")
        self._once("hours", units, "`from ... to` goes with minutes, hours, days and weeks")
        if first[1] != last[1]:
            refuse("both ends of `from ... to` need the same minute")
        if self.unit == "minute":
            self._set_hours_of_minutes(first, last)
        else:
            self._set_hours_of_hours(first, last)
        self._check_midnight()

    def _set_hours_of_minutes(self, first: tuple[int, int], last: tuple[int, int]) -> None:
        if first[1]:
            refuse("`from ... to` goes with minutes when it begins and ends on the hour")
        if first == last:
            refuse("`from ... to` needs two times")
        self.hours, self.ending = _hours(first[0], (last[0] - 1) % 24, 1), last[0]
        self.beyond_midnight = first > last

    def _set_hours_of_hours(self, first: tuple[int, int], last: tuple[int, int]) -> None:
        if self.unit == "hour" and first[1]:
            self.set_minutes([first[1]])
        elif first[1]:
            self.minutes = str(first[1])
        step = int(self.hours.removeprefix("*/")) if self.hours.startswith("*/") else 1
        self.hours = _hours(first[0], last[0], step)
        self.beyond_midnight = first > last

    def set_weekdays(self, weekdays: str) -> None:
        """Take in on which weekdays."""
        units = ("second", "minute", "hour", "day", "week")
        self._once("weekdays", units, "weekdays go with what is shorter than a month")
        if self.each_days > 1:
            refuse("every so many days and certain weekdays would seldom meet")
        self.weekdays = weekdays
        if self.unit == "day":
            self.unit = "week"
        self._check_midnight()

    def set_days(self, days: str, weekdays: str) -> None:
        """Take in on which days of the month."""
        self._once("days", ("month",), "days of the month go with months")
        self.days, self.weekdays = days, weekdays

    def _once(self, what: str, units: tuple[str, ...], rule: str) -> None:
        if self.unit not in units:
            refuse(rule)
        if what in self.said:
            refuse(f"its {what} are said twice")
        self.said.add(what)

    def _check_midnight(self) -> None:
        if self.beyond_midnight and self.weekdays != "*":
            refuse("hours that go beyond midnight belong to two weekdays")

    def lines(self) -> tuple[str, ...]:
        """Return the crontab lines."""
        if self.interval:
            return ()
        rest = f"{self.days} {self.months} {self.weekdays}"
        if self.ending is not None:
            return (f"{self.minutes} {self.hours} {rest}", f"0 {self.ending} {rest}")
        if not self.times:
            line = f"{self.minutes} {self.hours} {rest}"
            return (line if self.seconds is None else f"{self.seconds} {line}",)
        hours = sorted({hour for hour, _ in self.times})
        minutes = sorted({minute for _, minute in self.times})
        if len(hours) == 1:
            return (f"{_list(minutes)} {hours[0]} {rest}",)
        by_minute = [([h for h, m in self.times if m == minute], minute) for minute in minutes]
        return tuple(f"{minute} {_list(found)} {rest}" for found, minute in sorted(by_minute))


def _step(count: int) -> str:
    return "*" if count == 1 else f"*/{count}"


def _hours(first: int, last: int, step: int) -> str:
    """Return each so many hours from one to another, over midnight if need be."""
    if first <= last:
        return _range(first, last) if step == 1 else f"{first}-{last}/{step}"
    if step == 1:
        return f"{_range(first, 23)},{_range(0, last)}"
    return _list([hour % 24 for hour in range(first, last + 25, step)])


def _range(first: int, last: int) -> str:
    return f"{first}-{last}" if first < last else str(first)


def _list(numbers: list[int]) -> str:
    return ",".join(str(each) for each in numbers)
