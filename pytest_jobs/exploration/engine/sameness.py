"""When two states are the same, although clocks and random ids differ."""

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

from ...harness.records.patches import Patches

#: What stands for a time that lies within the history.
_NOW: Final = "<now>"
_TODAY: Final = "<today>"
_DIGITS: Final = re.compile(r"(?<!\d)\d{4,}(?!\d)")

#: Called by a world whose database numbers rows, with those numbers and with what they number. They are
#: to be such as occur nowhere else. Which of them are used up by what is rolled back is no difference.
numbering: ContextVar[Callable[[range, str], None] | None] = ContextVar(
    "pytest_jobs_numbering", default=None
)


class Chance:
    """Random bytes that can be told from other values later on."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, and no secret
        self._seed = seed
        self._forms: dict[str, int] = {}
        self._drawn = 0
        self._numbers: list[tuple[range, str]] = []

    @contextmanager
    def pinned(self) -> Generator[None, None, None]:
        """Draw the random bytes of a block from here, and so those of `uuid` and `secrets`; seed `random`."""
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
        """Return which drawing a text is a form of; None for none."""
        return self._forms.get(text)

    def numbered(self, value: float) -> str | None:
        """Return what a database numbers by a number; None for one that is from no sequence."""
        return next((name for numbers, name in self._numbers if value in numbers), None)

    @property
    def numbers(self) -> bool:
        """Whether there are any numbers of a database."""
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
    """Writes values of one history in a form that another history has too.

    A random value is named by the order in which it appears: a token that was sent and the same
    token stored stay the same, and a fresh one is another. A time within the history is *now*.
    """

    def __init__(self, chance: Chance, begin: datetime, end: datetime) -> None:
        self._chance = chance
        # Databases keep whole seconds.
        self._begin = begin.replace(microsecond=0)
        self._end = end
        self._names: dict[int, str] = {}
        self._numbers: dict[str, dict[int, str]] = {}

    def of(self, value: Any) -> Any:
        """Return the form of a value: hashable, ordered, and equal exactly when it is the same."""
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
    """Return what differs: its name, and what it is in both."""
    names = dict.fromkeys((*wanted, *found))
    return [
        (name, wanted.get(name), found.get(name))
        for name in names
        if wanted.get(name) != found.get(name)
    ]
