"""From the text of a schedule to when it fires: a crontab line, a nickname such as `@daily`, or a phrase.

A phrase is a row of `_ROWS` that begins with `every`, and rows that say when exactly. Each row sets fields of a
crontab line, and cronsim judges the line. A new way to say something is a new row, or a word in `_SAME`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from ...errors import ScheduleError
from .timing import CronLine, Timing, find_zone

# The words of phrases

_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_DAY_NAMES: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_WEEKDAYS: Final = {name[:3]: number for number, name in enumerate(_DAY_NAMES)}
_NUMBERS: Final = "one two three four five six seven eight nine ten eleven twelve"
#: Second is a unit of time too; see `_plain`.
_ORDINALS: Final = "first 2th third fourth fifth sixth seventh eighth ninth tenth"
#: Other words for the words of `_ROWS`.
_SAME: Final = {
    **{word: str(number) for number, word in enumerate(_NUMBERS.split(), 1)},
    **{word: f"{number}th" for number, word in enumerate(_ORDINALS.split(), 1)},
    "each": "every",
    "once": "every",
    "other": "2",
    "fortnight": "2 weeks",
    "quarter": "3 months",
    "until": "to",
    "through": "to",
    "noon": "12:00",
    "midnight": "0:00",
    "min": "minute",
    "mins": "minutes",
    "sec": "second",
    "secs": "seconds",
    **dict.fromkeys(("weekday", "weekdays"), "mon-fri"),
    **dict.fromkeys(("weekend", "weekends"), "sun and sat"),
}
_DAY: Final = f"(?:{'|'.join(_WEEKDAYS)})"
_ANY_DAY: Final = "|".join(f"{name[:3]}(?:{name[3:]})?s?" for name in _DAY_NAMES)


def _plain(text: str) -> str:
    """Say a phrase in the words of `_ROWS`: one word for one thing, and each weekday in three letters."""
    text = re.sub(r"(\d) (am|pm)\b", r"\1\2", text.lower().replace(",", " and "))
    text = " ".join(_SAME.get(word, word) for word in text.split())
    text = re.sub(rf"\b(?:{_ANY_DAY})\b", lambda found: found[0][:3], text)
    text = re.sub(rf"\bsecond (?=day|{_DAY}\b)", "2th ", text)
    return re.sub(rf"\b({_DAY}) (?:to|-) (?={_DAY}\b)", r"\1-", text)


def _listed(pattern: str) -> str:
    return rf"({pattern}(?: and (?:at |the )?{pattern})*)"


def _numbers(listed: str) -> list[int]:
    return sorted({int(number) for number in re.findall("[0-9]+", listed)})


def _join(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


def _step(count: int) -> str:
    return "*" if count == 1 else f"*/{count}"


_MOMENT: Final = "(?:(?:1[0-2]|0?[1-9])(?::[0-9]{2})?(?:am|pm)|[0-9]{1,2}(?::[0-9]{2})?)"


def _moments(listed: str) -> list[tuple[int, int]]:
    """Return the hour and the minute of each time of day in a list such as `9am and 16:30`."""
    found = re.findall("([0-9]+)(?::([0-9]+))?(am|pm)?", listed)
    return sorted(
        (int(hour) % 12 + 12 * (half == "pm") if half else int(hour), int(minute or 0))
        for hour, minute, half in found
    )


# Phrases


@dataclass
class _Phrase:
    """The fields of the crontab lines that a phrase means."""

    #: The unit that is repeated; empty before `every`.
    unit: str = ""
    second: str = ""
    #: The minute and the hour of each line: 9:00 and 16:30 need two lines.
    times: Sequence[tuple[str, str]] = (("0", "0"),)
    day: str = "*"
    month: str = "*"
    weekday: str = "*"
    #: Only one of so many days, or weeks, counts.
    each_days: int = 1
    each_weeks: int = 1
    #: The seconds between two firings, where no unit fits.
    interval: int = 0

    def read(self, text: str) -> None:
        """Read a whole phrase.

        Raises:
            ScheduleError: when some words of it are not understood, or do not fit the words before them.
        """
        said: set[str] = set()
        rest = text
        while rest:
            for row in _ROWS:
                found = re.match(rf"(?:{row.pattern})(?: |$)", rest)
                if found is not None:
                    break
            else:
                raise ScheduleError(f"{rest!r} is not understood")
            if row.sets in said or self.unit not in row.after:
                raise ScheduleError(
                    f"{found[0].strip()!r} cannot follow {text[: -len(rest)].strip()!r}"
                )
            said.add(row.sets)
            row.read(self, *filter(None, found.groups()))
            rest = rest[found.end() :]
        if not said:
            raise ScheduleError("it is empty")

    def repeat(self, *counted: str) -> None:
        """Set how often, from a unit, or a number and a unit."""
        *number, unit = counted
        count = int(number[0]) if number else 1
        if unit not in ("month", "year"):
            self.repeat_after(count * _SECONDS[unit])
            return
        months = count * 12 if unit == "year" else count
        if 12 % months:
            raise ScheduleError(
                f"{count} {unit}s do not divide a year, so no calendar has that rhythm"
            )
        self.unit, self.day, self.month = unit, "1", "1" if months == 12 else _step(months)

    def repeat_duration(self, text: str) -> None:
        unit_seconds = {unit[0]: seconds for unit, seconds in _SECONDS.items()}
        parts = re.findall("([0-9]+)([smhdw])", text)
        self.repeat_after(sum(int(number) * unit_seconds[unit] for number, unit in parts))

    def repeat_after(self, seconds: int) -> None:
        """Set how often, by the time between two firings."""
        minute, hour, day, week = (_SECONDS[unit] for unit in ("minute", "hour", "day", "week"))
        if minute % seconds == 0 and seconds < minute:
            self.unit, self.second, self.times = "second", _step(seconds), (("*", "*"),)
        elif hour % seconds == 0 and seconds % minute == 0 and seconds < hour:
            self.unit, self.times = "minute", ((_step(seconds // minute), "*"),)
        elif day % seconds == 0 and seconds % hour == 0 and seconds < day:
            self.unit, self.times = "hour", (("0", _step(seconds // hour)),)
        elif seconds % week == 0:
            self.unit, self.weekday, self.each_weeks = "week", "0", seconds // week
        elif seconds % day == 0:
            self.unit, self.each_days = "day", seconds // day
        else:
            self.unit, self.interval = "interval", seconds

    def repeat_weekdays(self, *counted: str) -> None:
        *number, days = counted
        self.repeat(*number, "week")
        self.set_weekdays(days)

    def repeat_days(self, days: str) -> None:
        self.repeat("month")
        self.set_days(days)

    def repeat_nth(self, place: str, weekday: str) -> None:
        self.repeat("month")
        self.set_nth(place, weekday)

    def set_minutes(self, minutes: str) -> None:
        self.times = [(_join(_numbers(minutes)), self.times[0][1])]

    def set_times(self, listed: str) -> None:
        self.unit = self.unit or "day"
        times = _moments(listed)
        if len({hour for hour, _ in times}) == 1:
            self.times = [(_join(dict.fromkeys(minute for _, minute in times)), str(times[0][0]))]
            return
        by_minute = groupby(sorted(times, key=lambda time: time[1]), key=lambda time: time[1])
        hours = [
            (list(dict.fromkeys(hour for hour, _ in same)), minute) for minute, same in by_minute
        ]
        self.times = [(str(minute), _join(of_minute)) for of_minute, minute in sorted(hours)]

    def set_hours(self, first: str, last: str) -> None:
        """Repeat from one time of day to another one."""
        [(hour, minute)], [(last_hour, last_minute)] = _moments(first), _moments(last)
        ((own_minute, own_hour),) = self.times
        if last_hour <= hour or minute != last_minute or (minute and own_minute != "0"):
            raise ScheduleError(
                "`from ... to` goes from one full hour to a later one of the same day"
            )
        if self.unit == "minute":
            # The last firing, on the hour, is a crontab line of its own.
            self.times = [(own_minute, f"{hour}-{last_hour - 1}"), ("0", str(last_hour))]
            if last_hour - 1 == hour:
                self.times[0] = (own_minute, str(hour))
            return
        step = own_hour.removeprefix("*") if own_hour.startswith("*") else ""
        self.times = [(str(minute) if minute else own_minute, f"{hour}-{last_hour}{step}")]

    def set_weekdays(self, days: str) -> None:
        if self.each_days > 1:
            raise ScheduleError("every so many days and certain weekdays would seldom meet")
        fields = []
        for part in days.split(" and "):
            first, *last = (_WEEKDAYS[day] for day in part.split("-"))
            # Sunday is 7 too, where a range ends with it.
            fields.append(f"{first}-{last[0] or 7}" if last else str(first))
        self.weekday = ",".join(fields)

    def set_days(self, days: str) -> None:
        last = ["L"] if "last" in days else []
        self.day = ",".join([*map(str, _numbers(days)), *last])

    def set_nth(self, place: str, weekday: str) -> None:
        number = _WEEKDAYS[weekday]
        self.day, self.weekday = "*", f"{number}L" if place == "last" else f"{number}#{place[:-2]}"

    def lines(self) -> tuple[CronLine, ...]:
        if self.interval:
            return ()
        dates = f"{self.day} {self.month} {self.weekday}"
        return tuple(
            CronLine(f"{self.second} {minute} {hour} {dates}".lstrip())
            for minute, hour in self.times
        )


class _Row(NamedTuple):
    """A way to say something."""

    pattern: str
    #: What it sets: a phrase says it once.
    sets: str
    #: The units that it may follow; nothing comes before an empty one.
    after: tuple[str, ...]
    #: Is called with the groups of the pattern.
    read: Callable[..., None]


_COUNT = "([1-9][0-9]{0,5})"
_ORDINAL = "(?:[0-9]{1,2}(?:st|nd|rd|th)|last)"
_SPAN = f"{_DAY}(?:-{_DAY})?"
_DURATION = "[1-9][0-9]{0,5}[smhdw](?: ?[1-9][0-9]{0,5}[smhdw])*"
_EVERY = "every (?:an? |every )?"
_UNIT = "|".join((*_SECONDS, "month", "year"))
_OF_MONTH = "of(?: the| every| each)? months?"
_ROWS: Final = (
    _Row(f"{_EVERY}(?:{_COUNT} )?({_UNIT})s?", "rhythm", ("",), _Phrase.repeat),
    _Row(f"{_EVERY}({_DURATION})", "rhythm", ("",), _Phrase.repeat_duration),
    _Row(f"{_EVERY}(?:{_COUNT} )?{_listed(_SPAN)}", "weekdays", ("",), _Phrase.repeat_weekdays),
    _Row(
        f"{_EVERY}{_listed(_ORDINAL)}(?: days?)?(?: {_OF_MONTH}| month)",
        *("days", ("",), _Phrase.repeat_days),
    ),
    _Row(f"{_EVERY}({_ORDINAL}) ({_DAY}) {_OF_MONTH}", "days", ("",), _Phrase.repeat_nth),
    _Row(f"at minutes? {_listed('[0-9]{1,2}')}", "minutes", ("hour",), _Phrase.set_minutes),
    _Row(
        f"at {_listed(_MOMENT)}",
        *("hours", ("", "day", "week", "month", "year"), _Phrase.set_times),
    ),
    _Row(
        f"from ({_MOMENT}) to ({_MOMENT})|between ({_MOMENT}) and ({_MOMENT})",
        *("hours", ("minute", "hour", "day", "week"), _Phrase.set_hours),
    ),
    _Row(f"on (?:the )?{_listed(_SPAN)}", "weekdays", tuple(_SECONDS), _Phrase.set_weekdays),
    _Row(f"on (?:the )?days? {_listed('[0-9]{1,2}')}", "days", ("month",), _Phrase.set_days),
    _Row(
        f"on (?:the )?({_ORDINAL}) ({_DAY})(?: {_OF_MONTH})?",
        *("days", ("month",), _Phrase.set_nth),
    ),
    _Row(
        f"on (?:the )?{_listed(_ORDINAL)}(?: days?)?(?: {_OF_MONTH})?",
        *("days", ("month",), _Phrase.set_days),
    ),
)


# From any text to a timing

_NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@noon": "0 12 * * *",
    "@hourly": "0 * * * *",
}
#: The longest schedule: cronsim takes a second for a line of a thousand ranges.
_LONGEST = 1000
_ZONE = re.compile(r"[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+\-]+)+|UTC|GMT|Z")


def read_schedule(text: str, zone: ZoneInfo) -> Timing:
    """Return when a text such as `every monday at 9am` or `0 9 * * 1` fires.

    Args:
        text: a phrase or a crontab line; a timezone may follow it.
        zone: the timezone where the text names none.

    Raises:
        ScheduleError: when it cannot be understood, with what to write.
    """
    if len(text) > _LONGEST:
        raise ScheduleError(
            f"{text[:20]!r}... has {len(text):,} characters, and {_LONGEST:,} are enough to name each minute, "
            "hour, day, month and weekday"
        )
    try:
        return _read(text, zone)
    except ScheduleError as error:
        raise ScheduleError(
            f"{text!r} is not a schedule: {error}. Write minute, hour, day, month and weekday, as in "
            "'0 9 * * 1', or a phrase such as 'every monday at 9am'."
        ) from None


def read_interval(text: str, zone: ZoneInfo) -> Timing:
    """Return when a duration such as `1h`, or a phrase, fires: for `every:` of Sidekiq's schedulers.

    Raises:
        ScheduleError: as `read_schedule`.
    """
    return read_schedule(text if text.lower().startswith("every ") else f"every {text}", zone)


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
    if len(words) > 1 and re.match(r"[\d*]", text):
        return Timing((CronLine(text),), zone)
    phrase = _Phrase()
    phrase.read(_plain(text))
    return Timing(phrase.lines(), zone, phrase.each_days, phrase.each_weeks, phrase.interval)
