"""Comparing states although clocks and random ids differ."""

from __future__ import annotations

import base64
import dataclasses
import os
import random
import re
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence, Set as AbstractSet
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from typing import Any, Final

from ...errors import ExplorationError
from ...harness.records.patches import Patches

#: Stands for a time that lies within the history.
_NOW: Final = "<now>"
_TODAY: Final = "<today>"
_DIGITS: Final = re.compile(r"(?<!\d)\d{4,}(?!\d)")

#: Called by a world whose database numbers rows, with the numbers of a sequence and its name. The numbers
#: must occur nowhere else. Two states with different gaps in a sequence, as a rollback leaves, are the same.
numbering: ContextVar[Callable[[range, str], None] | None] = ContextVar(
    "pytest_jobs_numbering", default=None
)


class Chance:
    """A source of random bytes that recognises them later on."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, and no secret
        self._seed = seed
        self._forms: dict[str, int] = {}
        self._drawn = 0
        self._numbers: list[tuple[range, str]] = []

    @contextmanager
    def pinned(self) -> Generator[None, None, None]:
        """Let a block draw its random bytes from here, also by `uuid` and `secrets`, and seed `random`."""
        patches = Patches()
        state = random.getstate()
        patches.set(os, "urandom", self._urandom)
        patches.set(random, "_urandom", self._urandom)
        random.seed(self._seed)
        token = numbering.set(lambda numbers, name: self._numbers.append((numbers, name)))
        try:
            yield
        finally:
            numbering.reset(token)
            patches.restore()
            random.setstate(state)

    def number(self, text: str) -> int | None:
        """Return the number of the drawing that a text is made of; None if it is not random."""
        return self._forms.get(text)

    def numbered(self, value: float) -> str | None:
        """Return the sequence of a database that a number is from; None if it is from none."""
        return next((name for numbers, name in self._numbers if value in numbers), None)

    @property
    def numbers(self) -> bool:
        """Whether a database has reported any sequence."""
        return bool(self._numbers)

    def _urandom(self, size: int) -> bytes:
        drawn = self._random.randbytes(size)
        self._drawn += 1
        forms = [drawn.hex(), base64.urlsafe_b64encode(drawn).rstrip(b"=").decode()]
        if size == 16:
            unique = uuid.UUID(bytes=drawn, version=4)
            forms += [str(unique), unique.hex]
        for form in forms:
            self._forms[form] = self._drawn
        return drawn


class Renaming:
    """Gives values of one history a form that can be compared with that of another history.

    Random values are renamed in the order in which they appear: a token that was sent and the same
    token in the database get one name, and a fresh one gets another. A time within the history is *now*.
    """

    def __init__(self, chance: Chance, begin: datetime, end: datetime) -> None:
        self._chance = chance
        # Databases keep whole seconds.
        self._begin = begin.replace(microsecond=0)
        self._end = end
        self._names: dict[int, str] = {}
        self._numbers: dict[str, dict[int, str]] = {}

    def of(self, value: Any) -> Any:
        """Return the form of a value: hashable, ordered, and equal exactly if the values are the same."""
        if value is None or isinstance(value, bool | bytes):
            return value
        if isinstance(value, int | float):
            return self._number(value)
        if isinstance(value, str | uuid.UUID):
            return self._text(str(value))
        if isinstance(value, datetime):
            return _NOW if self._is_now(value) else value.isoformat()
        return self._of_many(value)

    def _of_many(self, value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = dataclasses.fields(value)
            return type(value).__name__, tuple(
                (field.name, self.of(getattr(value, field.name))) for field in fields
            )
        if isinstance(value, Mapping):
            pairs = ((self.of(key), self.of(inner)) for key, inner in value.items())
            return tuple(sorted(pairs, key=repr))
        if isinstance(value, AbstractSet):
            return tuple(sorted((self.of(inner) for inner in value), key=repr))
        if isinstance(value, Sequence):
            return tuple(self.of(inner) for inner in value)
        if isinstance(value, date):
            return _TODAY if self._is_today(value) else value.isoformat()
        return repr(value)

    def _number(self, value: float) -> Any:
        numbered = self._chance.numbered(value)
        if numbered is None:
            return _NOW if self._is_now_number(value) else value
        names = self._numbers.setdefault(numbered, {})
        return names.setdefault(int(value), f"<{numbered} {len(names) + 1}>")

    def _text(self, text: str) -> str:
        number = self._chance.number(text)
        if number is None:
            if self._is_today_text(text):
                return _TODAY
            if self._is_now_text(text):
                return _NOW
            return _DIGITS.sub(self._digits, text) if self._chance.numbers else text
        return self._names.setdefault(number, f"<random {len(self._names) + 1}>")

    def _digits(self, found: re.Match[str]) -> str:
        digits = found[0]
        return str(self._number(int(digits))) if self._chance.numbered(int(digits)) else digits

    def _is_now(self, value: datetime) -> bool:
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        local = value.astimezone() if value.tzinfo is None else aware
        return self._begin <= aware <= self._end or self._begin <= local <= self._end

    def _is_today(self, value: date) -> bool:
        begin, end = self._begin, self._end
        return (
            begin.date() <= value <= end.date()
            or begin.astimezone().date() <= value <= end.astimezone().date()
        )

    def _is_today_text(self, text: str) -> bool:
        if len(text) != 10 or not text[:4].isdigit():
            return False
        try:
            return self._is_today(date.fromisoformat(text))
        except ValueError:
            return False

    def _is_now_text(self, text: str) -> bool:
        if not 19 <= len(text) <= 35 or not text[:4].isdigit():
            return False
        try:
            return self._is_now(datetime.fromisoformat(text))
        except ValueError:
            return False

    def _is_now_number(self, value: float) -> bool:
        begin, end = self._begin.timestamp(), self._end.timestamp()
        return int(begin) <= value <= end or int(begin) * 1000 <= value <= end * 1000


def differences(
    wanted: Mapping[str, Any], found: Mapping[str, Any]
) -> Sequence[tuple[str, Any, Any]]:
    """Return each name that differs, with its values in both."""
    names = dict.fromkeys((*wanted, *found))
    return [
        (name, wanted.get(name), found.get(name))
        for name in names
        if wanted.get(name) != found.get(name)
    ]


def not_fresh(first: Mapping[str, Any], second: Mapping[str, Any]) -> ExplorationError:
    """Return the error for a world whose state differs when it is built again."""
    name, one, two = differences(first, second)[0]
    return ExplorationError(
        f"The world is not fresh: {name} is {one!r} when it is entered for the first time, and {two!r} "
        "when it is entered again. Build everything inside the world, each time anew."
    )
