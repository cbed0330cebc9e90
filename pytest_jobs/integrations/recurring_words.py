"""The words of schedule phrases: times of day, weekdays, numbers, units of time."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NoReturn

from ..errors import ScheduleError

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
