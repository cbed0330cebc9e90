"""From the text of a schedule to when it fires: a phrase, a crontab line, or a length of time."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NoReturn
from zoneinfo import ZoneInfo, available_timezones

from ...errors import ScheduleError
from .timing import CronLine, Timing

_NUMBERS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
_ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
]
_WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
_UNITS = ["second", "minute", "hour", "day", "week", "month", "year"]

NUMBERS: Final[Mapping[str, int]] = MappingProxyType({w: n for n, w in enumerate(_NUMBERS, 1)})
ORDINALS: Final[Mapping[str, int]] = MappingProxyType({w: n for n, w in enumerate(_ORDINALS, 1)})
#: Each unit of time by what it may be called.
UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {name: unit for unit in _UNITS for name in (unit, f"{unit}s")}
    | {"sec": "second", "secs": "second", "min": "minute", "mins": "minute"}
)
#: Each weekday by what it may be called; Sunday is 0.
WEEKDAYS: Final[Mapping[str, int]] = MappingProxyType(
    {
        name: number
        for number, day in enumerate(_WEEKDAYS)
        for name in (day, f"{day}s", day[:3], f"{day[:3]}s")
    }
    | {"tues": 2, "weds": 3, "thur": 4, "thurs": 4}
)
#: Groups of weekdays, as a field of a crontab line.
GROUPS: Final[Mapping[str, str]] = MappingProxyType(
    {"weekday": "1-5", "weekdays": "1-5", "weekend": "0,6", "weekends": "0,6"}
)
_GRAMMAR = (
    *(
        "every",
        "each",
        "once",
        "a",
        "an",
        "at",
        "on",
        "in",
        "from",
        "to",
        "until",
        "between",
        "and",
    ),
    *(
        "of",
        "the",
        "other",
        "last",
        "noon",
        "midnight",
        "fortnight",
        "quarter",
        "half",
        "day",
        "days",
    ),
)
VOCABULARY: Final[Sequence[str]] = (
    *_GRAMMAR,
    *NUMBERS,
    *ORDINALS,
    *UNITS,
    *WEEKDAYS,
    *GROUPS,
)
_SECONDS_OF = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:\d+[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")
_TIME = re.compile(r"(\d{1,2})(?::(\d{2}))?(am|pm)?")
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th)")


def words_of(text: str) -> list[str]:
    """Return the words of a phrase in lower case; `9 am` is one, a comma is an `and`."""
    lowered = re.sub(r"(\d) (am|pm)\b", r"\1\2", text.lower())
    return lowered.replace(",", " and ").split()


def duration_seconds(text: str) -> int | None:
    """Return the seconds of a duration such as `2h30m`; None when it is none."""
    if not _DURATION.fullmatch(text):
        return None
    return sum(int(count) * _SECONDS_OF[unit] for count, unit in _PART.findall(text))


def ordinal(word: str) -> int | None:
    """Return the number that a word such as `1st` or `first` stands for."""
    found = _ORDINAL.fullmatch(word)
    return int(found[1]) if found else ORDINALS.get(word)


def number(word: str) -> int | None:
    """Return the number that a word stands for."""
    return int(word) if word.isascii() and word.isdigit() else NUMBERS.get(word)


def time_of_day(word: str) -> tuple[int, int] | None:
    """Return the hour and the minute of a word such as `9am`, `04:02`, `noon` or `nine`.

    Raises:
        ScheduleError: when it looks like a time and is none, as `25:00` does.
    """
    if word in ("noon", "midnight"):
        return (12, 0) if word == "noon" else (0, 0)
    if word in NUMBERS:
        return NUMBERS[word], 0
    found = _TIME.fullmatch(word)
    if found is None:
        return None
    hour, minute, half = int(found[1]), int(found[2] or 0), found[3]
    if minute > 59 or hour > (12 if half else 23) or (half and hour == 0):
        refuse(f"{word} is no time of day")
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return hour, minute


def closest(word: str, known: Sequence[str]) -> str | None:
    """Return the known word that is most like another one; None when none is."""
    return next(iter(difflib.get_close_matches(word, known, 1)), None)


def refuse(reason: str) -> NoReturn:
    """Raise the reason why a phrase is no schedule.

    Raises:
        ScheduleError: always.
    """
    raise ScheduleError(reason)


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


_AND = ("and", "&")
_TO = ("to", "until", "through", "-")


def read_phrase(text: str) -> Draft:
    """Return what a phrase without a timezone says.

    Raises:
        ScheduleError: with the reason alone, when it is none.
    """
    return _Phrase(words_of(text)).read()


class _Phrase:
    """Goes through the words of a phrase."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._next = 0
        self._draft = Draft()

    def read(self) -> Draft:
        if self._peek() == "at":
            self._draft.repeat(1, "day")
        elif self._accept("every", "each") or (self._accept("once") and self._accept("a", "every")):
            self._read_rhythm()
        else:
            refuse("a phrase begins with `every` or `at`")
        while (word := self._peek()) is not None:
            self._next += 1
            self._read_rest(word)
        return self._draft

    # How often

    def _read_rhythm(self) -> None:
        word = self._take("how often")
        if word == "second" and self._is_day(self._peek()):
            self._read_month_days(ordinal(word))
        elif (weekdays := self._weekdays(word)) is not None:
            self._draft.repeat(1, "week")
            self._draft.set_weekdays(weekdays)
        elif word in UNITS:
            self._draft.repeat(1, UNITS[word])
        elif word == "other":
            self._read_unit(2)
        elif (count := number(word)) is not None:
            self._read_unit(count)
        elif (seconds := duration_seconds(word)) is not None:
            self._read_duration(seconds)
        elif word == "last" or ordinal(word) is not None:
            self._read_month_days(ordinal(word))
        else:
            self._read_fraction(word)

    def _read_unit(self, count: int) -> None:
        word = self._take("a unit of time")
        if word in UNITS:
            self._draft.repeat(count, UNITS[word])
        elif (weekdays := self._weekdays(word)) is not None:
            self._draft.repeat(count, "week")
            self._draft.set_weekdays(weekdays)
        else:
            refuse(f"{word!r} is no unit of time")

    def _read_duration(self, seconds: int) -> None:
        while (more := duration_seconds(self._peek() or "")) is not None:
            self._next += 1
            seconds += more
        if not seconds:
            refuse("nothing happens every 0 times")
        self._draft.last(seconds)

    def _read_fraction(self, word: str) -> None:
        hour = word in ("quarter", "half") and (
            (self._accept("of") and self._accept("an", "the") and self._accept("hour"))
            or (self._accept("an") and self._accept("hour"))
            or self._accept("hour")
        )
        if hour:
            self._draft.repeat(15 if word == "quarter" else 30, "minute")
        elif word == "quarter":
            self._draft.repeat(3, "month")
        elif word == "fortnight":
            self._draft.repeat(2, "week")
        else:
            refuse(f"{word!r} says nothing of how often")

    def _read_month_days(self, first: int | None) -> None:
        self._draft.repeat(1, "month")
        self._read_days("last" if first is None else first)
        if not (self._accept("of") or self._peek() == "month"):
            refuse("the number of a day needs `of the month`")
        self._accept("the", "every", "each")
        if not self._accept("month", "months"):
            refuse("days are numbered within a month")

    # When exactly

    def _read_rest(self, word: str) -> None:
        if word == "at" and self._accept("minute", "minutes"):
            self._draft.set_minutes(self._numbers())
        elif word == "at":
            self._draft.set_times(self._times())
        elif word in ("from", "between"):
            first = self._time()
            if not self._accept(*(_AND if word == "between" else _TO)):
                refuse(f"`{word}` needs two times")
            self._draft.set_hours(first, self._time())
        elif word == "on":
            self._read_on()
        else:
            refuse(f"{word!r} is out of place")

    def _read_on(self) -> None:
        self._accept("the")
        word = self._take("a day")
        if word in ("day", "days"):
            self._set_month_days(self._numbers())
        elif (weekdays := self._weekdays(word)) is not None:
            self._draft.set_weekdays(weekdays)
        elif word == "last" or ordinal(word) is not None:
            self._read_days(ordinal(word) or "last")
            if self._accept("of") and not (self._accept("the") and self._accept("month")):
                refuse("days are numbered within a month")
        else:
            refuse(f"{word!r} is no day")

    def _read_days(self, first: int | str) -> None:
        """Read days of a month after the first ordinal: `1st and 15th day`, `first monday`."""
        weekday = WEEKDAYS.get(self._peek() or "")
        if weekday is not None:
            self._next += 1
            if isinstance(first, int) and first > 5:
                refuse(f"a month has no weekday {first} times")
            self._draft.set_days("*", f"{weekday}L" if first == "last" else f"{weekday}#{first}")
            return
        days = [first]
        while self._accept(*_AND):
            self._accept("the")
            word = self._take("a day")
            day = "last" if word == "last" else ordinal(word)
            if day is None:
                refuse(f"{word!r} is no day of a month")
            days.append(day)
        self._accept("day", "days")
        self._set_month_days(days)

    def _set_month_days(self, days: list[int] | list[int | str]) -> None:
        for day in days:
            if isinstance(day, int) and not 1 <= day <= 31:
                refuse(f"no month has a day {day}")
        numbered = sorted({day for day in days if isinstance(day, int)})
        fields = [str(day) for day in numbered] + ["L"] * ("last" in days)
        self._draft.set_days(",".join(fields), "*")

    # Words

    def _peek(self) -> str | None:
        return self._words[self._next] if self._next < len(self._words) else None

    def _take(self, what: str) -> str:
        word = self._peek()
        if word is None:
            refuse(f"it ends where {what} should be")
        self._next += 1
        return word

    def _accept(self, *words: str) -> bool:
        accepted = self._peek() in words
        self._next += accepted
        return accepted

    def _is_day(self, word: str | None) -> bool:
        return word in ("day", *WEEKDAYS)

    def _numbers(self) -> list[int]:
        found: list[int] = []
        while not found or self._accept(*_AND):
            word = self._take("a number")
            value = number(word)
            if value is None:
                refuse(f"{word!r} is no number")
            found.append(value)
        return found

    def _time(self) -> tuple[int, int]:
        word = self._take("a time of day")
        found = time_of_day(word)
        if found is None:
            refuse(f"{word!r} is no time of day")
        return found

    def _times(self) -> list[tuple[int, int]]:
        times = [self._time()]
        while self._accept(*_AND):
            self._accept("at")
            times.append(self._time())
        return times

    def _weekdays(self, first: str) -> str | None:
        """Return weekdays as a field of a crontab line; None when the word is none."""
        if first in GROUPS:
            return GROUPS[first]
        found = self._weekday_range(first)
        if found is None:
            return None
        days = found
        while self._accept(*_AND):
            more = self._weekday_range(self._take("a weekday"))
            if more is None:
                refuse("weekdays are joined with weekdays alone")
            days = f"{days},{more}"
        return days

    def _weekday_range(self, word: str) -> str | None:
        first, dash, last = word.partition("-")
        if first not in WEEKDAYS:
            return None
        if not dash and self._accept(*_TO):
            dash, last = "-", self._take("a weekday")
        if not dash:
            return str(WEEKDAYS[first])
        if last not in WEEKDAYS:
            refuse(f"{last!r} is no weekday")
        start, end = WEEKDAYS[first], WEEKDAYS[last]
        if start <= end:
            return f"{start}-{end}"
        return f"{start}-6" + (f",0-{end}" if end else ",0")


_NICKNAMES: Final = MappingProxyType(
    {
        "@yearly": "0 0 1 1 *",
        "@annually": "0 0 1 1 *",
        "@monthly": "0 0 1 * *",
        "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *",
        "@midnight": "0 0 * * *",
        "@noon": "0 12 * * *",
        "@hourly": "0 * * * *",
    }
)
#: One phrase of each kind; what nobody understands is compared with them.
PHRASES: Final = (
    "every day",
    "every second",
    "every minute",
    "every hour",
    "every week",
    "every month",
    "every year",
    "every 10 seconds",
    "every 30 minutes",
    "every 45 minutes",
    "every 2 hours",
    "every 2 days",
    "every 2 weeks",
    "every 2 months",
    "every 3 months",
    "every 6 months",
    "every other day",
    "every other week",
    "every 1h30m",
    "every hour at minute 15",
    "every day at 2:30am",
    "every day at 16:30",
    "every day at noon",
    "every day at midnight",
    "every day at 9am and 5pm",
    "every day from 9am to 5pm",
    "every hour from 9am to 5pm",
    "every weekday at 9am",
    "every weekend at 9am",
    "every monday at 9am",
    "every monday and thursday at 9am",
    "every mon-fri at 9am",
    "every 1st day of month at 3am",
    "every last day of the month at 3am",
    "every first monday of the month at 9am",
    "every month on the 1st at 3am",
    "every month on day 2 at 10:00",
    "every quarter",
    "every fortnight",
    "at 16:30",
)
_ZONE = re.compile(r"[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+\-]+)+|UTC|GMT|Z")


def find_zone(name: str) -> ZoneInfo:
    """Return a timezone by its name in the IANA database.

    Raises:
        ScheduleError: when there is none, with the reason alone.
    """
    try:
        return ZoneInfo("UTC" if name == "Z" else name)
    except (ValueError, OSError, LookupError):
        raise ScheduleError(
            f"{name!r} names no timezone; the nearest is {_nearest_zone(name)!r}"
        ) from None


def read_schedule(text: str, zone: ZoneInfo) -> Timing:
    """Return when a text such as `every monday at 9am` or `0 9 * * 1` fires.

    Args:
        text: a phrase or a crontab line; a timezone may follow it.
        zone: the timezone where the text names none.

    Raises:
        ScheduleError: when it says nothing that can be meant; with the nearest that can.
    """
    try:
        return _read(text, zone)
    except ScheduleError as error:
        raise ScheduleError(f"{text!r} is no schedule: {error}. {_advice(text, zone)}") from None


def read_interval(text: str, zone: ZoneInfo) -> Timing:
    """Return when a length of time such as `1h`, or a phrase, fires: for `every:` of Sidekiq's schedulers.

    Raises:
        ScheduleError: as `read_schedule`.
    """
    if duration_seconds("".join(text.split())) is not None:
        text = f"every {''.join(text.split())}"
    elif words_of(text)[:1] != ["every"]:
        text = f"every {text}"
    return read_schedule(text, zone)


def _read(text: str, zone: ZoneInfo) -> Timing:
    words = text.split()
    if len(words) > 1 and _ZONE.fullmatch(words[-1]):
        zone = find_zone(words.pop())
        if words[-1] == "in":
            words.pop()
    text = " ".join(words)
    if text.startswith("@"):
        if text.lower() not in _NICKNAMES:
            raise ScheduleError(f"of nicknames there are {', '.join(_NICKNAMES)}")
        return Timing((CronLine(_NICKNAMES[text.lower()]),), zone)
    if duration_seconds("".join(words)) is not None:
        raise ScheduleError("a length of time needs `every` before it")
    if is_crontab(text):
        return Timing((CronLine(text),), zone)
    return _timing(read_phrase(text), zone)


def is_crontab(text: str) -> bool:
    """Say whether a text has the look of a crontab line, right or wrong."""
    duration = duration_seconds("".join(text.split())) is not None
    return len(text.split()) > 1 and not duration and re.match(r"[\d*]", text) is not None


def _timing(draft: Draft, zone: ZoneInfo) -> Timing:
    lines = tuple(CronLine(line) for line in draft.lines())
    return Timing(lines, zone, draft.each_days, draft.each_weeks, draft.interval)


def _advice(text: str, zone: ZoneInfo) -> str:
    if is_crontab(text):
        return (
            "Write minute, hour, day, month and weekday, as in '0 9 * * 1', or a phrase such as "
            "'every monday at 9am'."
        )
    return f"The nearest that is: {nearest(text, zone)!r}."


def nearest(text: str, zone: ZoneInfo) -> str:
    """Return the phrase that can be read and is most like a text."""
    words = words_of(text)
    *others, last = ["", *text.split()]
    respelt = [_respelt(word) for word in words]
    if not words:
        return PHRASES[0]
    beginning = words.index("every") if "every" in words else 0
    candidates = [
        f"every {text.strip()}",
        " ".join(respelt),
        f"every {' '.join(respelt)}",
        " ".join(respelt).replace("every day on", "every month on"),
        " ".join([*others, _nearest_zone(last) if _ZONE.fullmatch(last) else last]).strip(),
        " ".join([*words[beginning:], *words[:beginning]]),
        " ".join(words[:-1]),
        " ".join(words[:-2]),
    ]
    for candidate in candidates:
        try:
            _read(candidate, zone)
        except ScheduleError:
            continue
        return candidate
    found = difflib.get_close_matches(" ".join(words), PHRASES, 1, 0.0)
    return found[0] if found else PHRASES[0]


def _nearest_zone(name: str) -> str:
    return closest(name, sorted(available_timezones())) or "UTC"


def _respelt(word: str) -> str:
    if re.fullmatch(r"\d+:\d+", word):
        hour, minute = map(int, word.split(":"))
        return f"{min(hour, 23):02}:{min(minute, 59):02}"
    if any(letter.isdigit() for letter in word) or word in VOCABULARY:
        return word
    return closest(word, VOCABULARY) or word
