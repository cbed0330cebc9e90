"""From the text of a schedule to when it fires: a crontab line, a nickname such as `@daily`, or a phrase.

A phrase is `every`, how often (a row of `_RHYTHMS`), and when exactly (rows of `_CLAUSES`). A new way to say
something is a new row. Each row reads some words and sets fields of the crontab line.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from ...errors import ScheduleError
from .timing import CronLine, Timing
from .zones import find_zone, nearest_zone

T = TypeVar("T")

# Words


def _numbered(words: str, start: int) -> dict[str, int]:
    return {word: number for number, word in enumerate(words.split(), start)}


_NUMBERS: Final = _numbered("one two three four five six seven eight nine ten eleven twelve", 1)
_ORDINALS: Final = _numbered("first second third fourth fifth sixth seventh eighth ninth tenth", 1)
#: Each unit of time by its names.
_UNITS: Final[Mapping[str, str]] = {
    name: unit
    for unit in ("second", "minute", "hour", "day", "week", "month", "year")
    for name in (unit, f"{unit}s")
} | {"sec": "second", "secs": "second", "min": "minute", "mins": "minute"}
#: The number of each weekday in a crontab line, by its names.
_WEEKDAYS: Final[Mapping[str, int]] = {
    name: number
    for day, number in _numbered(
        "sunday monday tuesday wednesday thursday friday saturday", 0
    ).items()
    for name in (day, f"{day}s", day[:3], f"{day[:3]}s")
} | {"tues": 2, "weds": 3, "thur": 4, "thurs": 4}
_GROUPS: Final = {"weekday": "1-5", "weekdays": "1-5", "weekend": "0,6", "weekends": "0,6"}
_GRAMMAR: Final = (
    "every each once a an at on in from to until between and of the other last noon midnight fortnight quarter "
    "half day days"
)
_VOCABULARY: Final = (
    *_GRAMMAR.split(),
    *_NUMBERS,
    *_ORDINALS,
    *_UNITS,
    *_WEEKDAYS,
    *_GROUPS,
)
#: The last day of a month, among numbers of days.
_LAST: Final = -1
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}

# What the words look like
_AND = "and|&"
_TO = "to|until|through|-"
_UNIT = "|".join(_UNITS)
_NUMBER = "|".join(("[0-9]+", *_NUMBERS))
_DURATION = "(?:[0-9]+[smhdw])+"
_NUMBERED = "[0-9]{1,2}(?:st|nd|rd|th)"
_MONTH_DAY = "|".join((_NUMBERED, "last", *_ORDINALS))
_WEEKDAY = "|".join(_WEEKDAYS)
#: A weekday, or two with a dash between; what follows the dash is checked later.
_WEEKDAYS_WORD = rf"{'|'.join(_GROUPS)}|(?:{_WEEKDAY})(?:-\S*)?"


def words_of(text: str) -> list[str]:
    """Return the words of a phrase in lower case; `9 am` is one word, a comma is an `and`."""
    lowered = re.sub(r"(\d) (am|pm)\b", r"\1\2", text.lower())
    return lowered.replace(",", " and ").split()


def _duration_seconds(text: str) -> int | None:
    """Return the seconds of a duration such as `2h30m` or `2h 30m`; None for another text."""
    text = "".join(text.split())
    if not re.fullmatch(_DURATION, text):
        return None
    seconds_of = {unit[0]: seconds for unit, seconds in _SECONDS.items()}
    return sum(int(part[:-1]) * seconds_of[part[-1]] for part in re.findall("[0-9]+.", text))


def _number(word: str) -> int | None:
    return int(word) if word.isascii() and word.isdigit() else _NUMBERS.get(word)


def _month_day(word: str) -> int | None:
    """Return the number of a word such as `1st` or `first`, and `_LAST` for `last`."""
    if word == "last":
        return _LAST
    return int(word[:-2]) if re.fullmatch(_NUMBERED, word) else _ORDINALS.get(word)


def _time_of_day(word: str) -> tuple[int, int] | None:
    """Return the hour and the minute of a word such as `9am`, `04:02`, `noon` or `nine`."""
    if word in ("noon", "midnight"):
        return (12, 0) if word == "noon" else (0, 0)
    if word in _NUMBERS:
        return _NUMBERS[word], 0
    found = re.fullmatch("([0-9]{1,2})(?::([0-9]{2}))?(am|pm)?", word)
    if found is None:
        return None
    hour, minute, half = int(found[1]), int(found[2] or 0), found[3]
    if minute > 59 or hour > (12 if half else 23) or (half and hour == 0):
        _refuse(f"{word} is not a time of day")
    return (hour % 12 + (12 if half == "pm" else 0) if half else hour), minute


def _weekday_field(word: str) -> str | None:
    """Return a weekday, or several such as `mon-fri`, as a crontab line has them."""
    first, dash, last = word.partition("-")
    if first not in _WEEKDAYS:
        return None
    if not dash:
        return str(_WEEKDAYS[first])
    if last not in _WEEKDAYS:
        _refuse(f"{last!r} is not a weekday" if last else "it ends where a weekday should be")
    start, end = _WEEKDAYS[first], _WEEKDAYS[last]
    if start <= end:
        return f"{start}-{end}"
    return f"{start}-6" + (f",0-{end}" if end else ",0")


def _refuse(reason: str) -> NoReturn:
    raise ScheduleError(reason)


# Phrases


@dataclass
class _Phrase:
    """A phrase that is read from left to right, and the fields of the crontab line that it means."""

    #: The words that are still to be read.
    rest: str
    #: The unit that is repeated; empty for an interval that fits no calendar, such as 45 minutes.
    unit: str = ""
    seconds: str = ""
    minutes: str = "0"
    hours: str = "0"
    days: str = "*"
    months: str = "*"
    weekdays: str = "*"
    #: Only one of so many days, or weeks, counts.
    each_days: int = 1
    each_weeks: int = 1
    #: The seconds between two firings, where no unit fits.
    interval: int = 0
    times: list[tuple[int, int]] = field(default_factory=list)
    #: The hour of the last firing, where minutes are repeated `from ... to`.
    last_hour: int | None = None
    beyond_midnight: bool = False
    #: The fields that a clause has set.
    said: set[str] = field(default_factory=set)

    def read(self) -> None:
        """Read all words.

        Raises:
            ScheduleError: when they cannot be understood, with the reason alone.
        """
        if self.accept("every|each|once (?:a|every)"):
            self._read_row(_RHYTHMS, "{!r} says nothing of how often")
        elif self.rest.partition(" ")[0] == "at":
            self.repeat(1, "day")
        else:
            _refuse("a phrase begins with `every` or `at`")
        while self.rest:
            self._read_row(_CLAUSES, "{!r} is out of place")
            if self.beyond_midnight and self.weekdays != "*":
                _refuse("hours that go beyond midnight belong to two weekdays")

    def _read_row(self, rows: Iterable[_Row], otherwise: str) -> None:
        for pattern, read in rows:
            if self.accept(pattern):
                read(self)
                return
        self.take("how often", lambda word: None, otherwise)

    # Words

    def accept(self, pattern: str) -> str:
        """Read the next words if they match, and return them; what is in parentheses stays to be read."""
        found = re.match(rf"(?:{pattern})(?![^ ])", self.rest)
        if found is None:
            return ""
        self.rest = self.rest[found.start(1) if found.re.groups else found.end() :].lstrip()
        return found[0]

    def take(self, noun: str, read: Callable[[str], T | None], otherwise: str = "") -> T:
        """Read the next word, which has to be there.

        Args:
            noun: what it should be, such as "a number".
            read: returns what the word means; None for a word of another kind.
            otherwise: what to say about a word of another kind, instead of "is no ...".
        """
        word, _, rest = self.rest.partition(" ")
        if not word:
            _refuse(f"it ends where {noun} should be")
        value = read(word)
        if value is None:
            _refuse((otherwise or f"{{!r}} is not a {noun.partition(' ')[2]}").format(word))
        self.rest = rest
        return value

    def take_list(
        self, noun: str, read: Callable[[str], T | None], otherwise: str = "", also: str = "and"
    ) -> list[T]:
        """Read words that are joined by `and`; after it the word `also` may stand."""
        taken = [self.take(noun, read, otherwise)]
        while self.accept(_AND):
            self.accept(also)
            taken.append(self.take(noun, read, otherwise))
        return taken

    # How often

    def repeat(self, count: int, unit: str) -> None:
        """Set how often: every `count` units."""
        if count < 1:
            _refuse("nothing happens every 0 times")
        if unit not in ("month", "year"):
            self.repeat_after(count * _SECONDS[unit])
            return
        if 12 % count if unit == "month" else count > 1:
            _refuse(f"{count} {unit}s do not divide a year, so no calendar has that rhythm")
        self.unit, self.days = unit, "1"
        self.months = "1" if unit == "year" or count == 12 else _step(count)

    def repeat_after(self, seconds: int) -> None:
        """Set how often, by the time between two firings."""
        minute, hour, day, week = (_SECONDS[unit] for unit in ("minute", "hour", "day", "week"))
        if not seconds:
            _refuse("nothing happens every 0 times")
        if seconds > 100 * 366 * day:
            _refuse("nothing is awaited for more than a hundred years")
        if seconds < minute and minute % seconds == 0:
            self.unit, self.seconds, self.minutes, self.hours = "second", _step(seconds), "*", "*"
        elif seconds % minute == 0 and seconds < hour and hour % seconds == 0:
            self.unit, self.minutes, self.hours = "minute", _step(seconds // minute), "*"
        elif seconds % hour == 0 and seconds < day and day % seconds == 0:
            self.unit, self.hours = "hour", _step(seconds // hour)
        elif seconds % week == 0:
            self.unit, self.weekdays, self.each_weeks = "week", "0", seconds // week
        elif seconds % day == 0:
            self.unit, self.each_days = "day", seconds // day
        else:
            self.interval = seconds

    def repeat_units(self, count: int) -> None:
        """Read a unit, or weekdays, and repeat every `count` of them."""
        if re.match(rf"(?:{_WEEKDAYS_WORD})(?![^ ])", self.rest):
            self.repeat(count, "week")
            self.set_weekdays()
        else:
            self.repeat(count, self.take("a unit of time", _UNITS.get))

    def repeat_duration(self) -> None:
        """Read the time between two firings, such as `1h 30m`."""
        self.repeat_after(_duration_seconds(self.accept(rf"{_DURATION}(?: {_DURATION})*")) or 0)

    def repeat_month_days(self) -> None:
        """Read days of the month instead of a unit."""
        self.repeat(1, "month")
        self.set_month_days()
        if not self.accept("(?:of(?: the| every| each)? )?month|of(?: the| every| each)? months"):
            if self.accept("of"):
                _refuse("days are numbered within a month")
            _refuse("the number of a day needs `of the month`")

    # When exactly

    def set_times(self) -> None:
        times = self.take_list("a time of day", _time_of_day, also="at")
        units = ("day", "week", "month", "year")
        self._begin("hours", units, "times of day go with days, weeks, months and years")
        self.times = sorted(set(times))

    def set_minutes(self) -> None:
        minutes = self.take_list("a number", _number)
        self._begin("minutes", ("hour",), "`at minute` goes with hours")
        if max(minutes) > 59:
            _refuse(f"an hour has no minute {max(minutes)}")
        self.minutes = _list(sorted(set(minutes)))

    def set_hours(self, word: str, between: str) -> None:
        """Read the first and the last time of day."""
        first = self.take("a time of day", _time_of_day)
        if not self.accept(between):
            _refuse(f"`{word}` needs two times")
        last = self.take("a time of day", _time_of_day)
        (first_hour, minute), (last_hour, last_minute) = first, last
        if self.interval:
            _refuse(
                "`from ... to` goes with minutes that divide an hour, and hours that divide a day"
            )
        units = ("minute", "hour", "day", "week")
        self._begin("hours", units, "`from ... to` goes with minutes, hours, days and weeks")
        if minute != last_minute:
            _refuse("both ends of `from ... to` need the same minute")
        if self.unit == "minute":
            if minute:
                _refuse("`from ... to` goes with minutes when it begins and ends on the hour")
            if first == last:
                _refuse("`from ... to` needs two times")
            # The last firing, on the hour, is a crontab line of its own.
            self.hours, self.last_hour = _hours(first_hour, (last_hour - 1) % 24, 1), last_hour
        else:
            if minute and self.unit == "hour":
                self._begin("minutes", ("hour",), "")
            self.minutes = str(minute) if minute else self.minutes
            step = int(self.hours.removeprefix("*/")) if self.hours.startswith("*/") else 1
            self.hours = _hours(first_hour, last_hour, step)
        self.beyond_midnight = first > last

    def set_weekdays(self) -> None:
        group = self.accept("|".join(_GROUPS))
        others = "weekdays are joined with weekdays alone"
        days = [_GROUPS[group]] if group else self.take_list("a weekday", _weekday_field, others)
        units = ("second", "minute", "hour", "day", "week")
        self._begin("weekdays", units, "weekdays go with what is shorter than a month")
        if self.each_days > 1:
            _refuse("every so many days and certain weekdays would seldom meet")
        self.weekdays = ",".join(days)
        if self.unit == "day":
            self.unit = "week"

    def set_month_days(self) -> None:
        """Read days of the month, or the place of a weekday in the month and the weekday."""
        first = self.take("a day", _month_day)
        weekday = self.accept(_WEEKDAY)
        if weekday:
            if first > 5:
                _refuse(f"a month has no weekday {first} times")
            self._begin("days", ("month",), "days of the month go with months")
            place = "L" if first == _LAST else f"#{first}"
            self.days, self.weekdays = "*", f"{_WEEKDAYS[weekday]}{place}"
            return
        days = [first]
        if self.accept(_AND):
            self.accept("the")
            days += self.take_list("a day", _month_day, "{!r} is not a day of a month", "the")
        self.accept("days?")
        self.set_days(days)

    def set_dated(self) -> None:
        """Read days of the month after `on`."""
        self.set_month_days()
        if self.accept("of") and not self.accept("the month"):
            _refuse("days are numbered within a month")

    def set_days(self, days: Sequence[int]) -> None:
        numbers = [day for day in days if day != _LAST]
        for number in numbers:
            if not 1 <= number <= 31:
                _refuse(f"no month has a day {number}")
        self._begin("days", ("month",), "days of the month go with months")
        last = ["L"] if _LAST in days else []
        self.days = ",".join([*map(str, sorted(set(numbers))), *last])

    def _begin(self, what: str, units: tuple[str, ...], rule: str) -> None:
        """Refuse a clause that does not go with the unit, or that comes twice."""
        if self.unit not in units:
            _refuse(rule)
        if what in self.said:
            _refuse(f"its {what} are said twice")
        self.said.add(what)

    def lines(self) -> tuple[str, ...]:
        dates = f"{self.days} {self.months} {self.weekdays}"
        if self.interval:
            return ()
        if self.last_hour is not None:
            return (f"{self.minutes} {self.hours} {dates}", f"0 {self.last_hour} {dates}")
        if not self.times:
            return (f"{self.seconds} {self.minutes} {self.hours} {dates}".lstrip(),)
        minutes = sorted({minute for _, minute in self.times})
        if len({hour for hour, _ in self.times}) == 1:
            return (f"{_list(minutes)} {self.times[0][0]} {dates}",)
        by_minute = [([h for h, m in self.times if m == minute], minute) for minute in minutes]
        return tuple(f"{minute} {_list(hours)} {dates}" for hours, minute in sorted(by_minute))


def _step(count: int) -> str:
    return "*" if count == 1 else f"*/{count}"


def _list(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


def _hours(first: int, last: int, step: int) -> str:
    """Return every so many hours from one to another, over midnight if need be."""
    if step > 1:
        if first <= last:
            return f"{first}-{last}/{step}"
        return _list(hour % 24 for hour in range(first, last + 25, step))
    ranges = [(first, last)] if first <= last else [(first, 23), (0, last)]
    return ",".join(f"{begin}-{end}" if begin < end else str(begin) for begin, end in ranges)


_Row: TypeAlias = tuple[str, Callable[[_Phrase], None]]
_HOUR = "(?: of)?(?: an| the)? hour"
#: How often: what may follow `every`. What is in parentheses is left to the function.
_RHYTHMS: Final[Sequence[_Row]] = (
    (f"quarter{_HOUR}", lambda phrase: phrase.repeat(15, "minute")),
    (f"half{_HOUR}", lambda phrase: phrase.repeat(30, "minute")),
    ("quarter", lambda phrase: phrase.repeat(3, "month")),
    ("fortnight", lambda phrase: phrase.repeat(2, "week")),
    (f"(second) (?:day|{_WEEKDAY})", _Phrase.repeat_month_days),
    (f"({_UNIT}|{_WEEKDAYS_WORD})", lambda phrase: phrase.repeat_units(1)),
    ("other", lambda phrase: phrase.repeat_units(2)),
    (f"({_NUMBER})", lambda phrase: phrase.repeat_units(phrase.take("a number", _number))),
    (f"({_DURATION})", _Phrase.repeat_duration),
    (f"({_MONTH_DAY})", _Phrase.repeat_month_days),
)
#: When exactly: what may follow that, each once.
_CLAUSES: Final[Sequence[_Row]] = (
    ("at minutes?", _Phrase.set_minutes),
    ("at", _Phrase.set_times),
    ("from", lambda phrase: phrase.set_hours("from", _TO)),
    ("between", lambda phrase: phrase.set_hours("between", _AND)),
    ("on(?: the)? days?", lambda phrase: phrase.set_days(phrase.take_list("a number", _number))),
    (f"on(?: the)? ({_WEEKDAYS_WORD})", _Phrase.set_weekdays),
    (f"on(?: the)? ({_MONTH_DAY})", _Phrase.set_dated),
    ("on(?: the)?", lambda phrase: phrase.take("a day", lambda word: None)),
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
#: One phrase of each kind. A text that cannot be understood is compared with them.
_PHRASES: Final = """
    every day, every second, every minute, every hour, every week, every month, every year, every 10 seconds,
    every 30 minutes, every 45 minutes, every 2 hours, every 2 days, every 2 weeks, every 2 months, every 3 months,
    every 6 months, every other day, every other week, every 1h30m, every hour at minute 15, every day at 2:30am,
    every day at 16:30, every day at noon, every day at midnight, every day at 9am and 5pm,
    every day from 9am to 5pm, every hour from 9am to 5pm, every weekday at 9am, every weekend at 9am,
    every monday at 9am, every monday and thursday at 9am, every mon-fri at 9am, every 1st day of month at 3am,
    every last day of the month at 3am, every first monday of the month at 9am, every month on the 1st at 3am,
    every month on day 2 at 10:00, every quarter, every fortnight, at 16:30
"""
#: The longest schedule: cronsim takes a second for a line of a thousand ranges.
_LONGEST = 1000
_ZONE = re.compile(r"[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+\-]+)+|UTC|GMT|Z")


def read_schedule(text: str, zone: ZoneInfo) -> Timing:
    """Return when a text such as `every monday at 9am` or `0 9 * * 1` fires.

    Args:
        text: a phrase or a crontab line; a timezone may follow it.
        zone: the timezone where the text names none.

    Raises:
        ScheduleError: when it cannot be understood, with the nearest text that can.
    """
    if len(text) > _LONGEST:
        raise ScheduleError(
            f"{text[:20]!r}... has {len(text):,} characters, and {_LONGEST:,} are enough to name each minute, "
            "hour, day, month and weekday"
        )
    try:
        return _read(text, zone)
    except ScheduleError as error:
        if _is_crontab(text):
            advice = (
                "Write minute, hour, day, month and weekday, as in '0 9 * * 1', or a phrase such as "
                "'every monday at 9am'."
            )
        else:
            advice = f"The nearest that is: {_nearest(text, zone)!r}."
        raise ScheduleError(f"{text!r} is not a schedule: {error}. {advice}") from None


def read_interval(text: str, zone: ZoneInfo) -> Timing:
    """Return when a duration such as `1h`, or a phrase, fires: for `every:` of Sidekiq's schedulers.

    Raises:
        ScheduleError: as `read_schedule`.
    """
    if _duration_seconds(text) is not None:
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
            _refuse(f"of nicknames there are {', '.join(_NICKNAMES)}")
        return Timing((CronLine(_NICKNAMES[text.lower()]),), zone)
    if _duration_seconds(text) is not None:
        _refuse("a length of time needs `every` before it")
    if _is_crontab(text):
        return Timing((CronLine(text),), zone)
    # `mon to fri` becomes one word, as `mon-fri` is.
    joined = rf"(?<![^ ])({_WEEKDAY}) (?:{_TO})(?: (\S+)|$)"
    phrase = _Phrase(re.sub(joined, r"\1-\2", " ".join(words_of(text))))
    phrase.read()
    lines = tuple(map(CronLine, phrase.lines()))
    return Timing(lines, zone, phrase.each_days, phrase.each_weeks, phrase.interval)


def _is_crontab(text: str) -> bool:
    """Say whether a text looks like a crontab line, right or wrong."""
    several = len(text.split()) > 1 and _duration_seconds(text) is None
    return several and re.match(r"[\d*]", text) is not None


def _nearest(text: str, zone: ZoneInfo) -> str:
    """Return the phrase that is most like a text, and can be understood."""
    words = words_of(text)
    phrases = [phrase.strip() for phrase in _PHRASES.split(",")]
    if not words:
        return phrases[0]
    *others, last = text.split()
    zoned = [*others, (nearest_zone(last) or last) if _ZONE.fullmatch(last) else last]
    respelt = " ".join(map(_respelt, words))
    beginning = words.index("every") if "every" in words else 0
    candidates = [
        f"every {text.strip()}",
        respelt,
        f"every {respelt}",
        respelt.replace("every day on", "every month on"),
        " ".join(zoned),
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
    return difflib.get_close_matches(" ".join(words), phrases, 1, 0.0)[0]


def _respelt(word: str) -> str:
    """Return the known word that a misspelt one is most like, and a time that a day has."""
    if re.fullmatch(r"\d+:\d+", word):
        hour, minute = map(int, word.split(":"))
        return f"{min(hour, 23):02}:{min(minute, 59):02}"
    if any(letter.isdigit() for letter in word):
        return word
    return closest(word, _VOCABULARY) or word


def closest(word: str, known: Sequence[str]) -> str | None:
    """Return the known word that is most like another one; None when none is."""
    return next(iter(difflib.get_close_matches(word, known, 1)), None)
