"""Reading phrases such as `every monday at 9am`, as Fugit does for Solid Queue and Sidekiq."""

from __future__ import annotations

from .recurring_draft import Draft
from .recurring_words import (
    GROUPS,
    UNITS,
    WEEKDAYS,
    duration_seconds,
    number,
    ordinal,
    refuse,
    time_of_day,
    words_of,
)

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
