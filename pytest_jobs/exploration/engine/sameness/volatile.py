"""Texts and numbers whose random values, numbers of rows and times differ from history to history."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final, TypeVar

from .chance import Chance
from .times import Time, Timed, Times, stamps

#: It begins with a digit, which the search for a place to begin is fast at.
_DIGITS: Final = re.compile(r"\d(?<!\d\d)\d{3,}(?!\d)")
_SHORTEST_RANDOM: Final = 6
_DATE: Final = len("2026-01-31")
#: A shorter text is looked through each time.
_LONG: Final = 1_000
#: So many characters of long texts are remembered.
_MOST: Final = 50_000_000

_Found = TypeVar("_Found")


class LongTexts:
    """What was found in long texts. Histories of one search share it, since such a text hardly ever changes."""

    def __init__(self) -> None:
        self._found: dict[Hashable, tuple[Any, ...]] = {}
        self._characters = 0

    def found_in(
        self,
        text: str,
        find: Callable[[str], Iterable[_Found]],
        by: Callable[[], Hashable] | None = None,
    ) -> Iterable[_Found]:
        if len(text) < _LONG:
            return find(text)
        key = find.__qualname__, text, None if by is None else by()
        if key not in self._found:
            if self._characters > _MOST:
                self._found.clear()
                self._characters = 0
            self._found[key] = tuple(find(text))
            self._characters += len(text)
        return self._found[key]


class Volatile:
    """Gives texts, numbers and times of one history a form that can be compared with that of another history.

    Random values are renamed in the order in which they appear: a token that was sent and the same
    token in the database get one name, and a fresh one gets another. Times become distances.
    """

    def __init__(self, chance: Chance, times: Times, texts: LongTexts) -> None:
        self._chance = chance
        self.times = times
        self._texts = texts
        self._names: dict[int, str] = {}
        self._numbers: dict[str, dict[int, str]] = {}
        self._drawn: dict[str, tuple[int, ...]] = {}

    def number(self, value: float) -> Any:
        if value != value:  # noqa: PLR0124 - NaN, which is not equal to itself
            return "<nan>"
        numbered = self._chance.numbered(value) if self._chance.numbers else None
        if numbered is not None:
            return self._row(numbered, int(value))
        time = self.times.of_number(value)
        if time is not None:
            return time
        drawn = self._chance.number_of(value) if isinstance(value, int) else None
        return value if drawn is None else self._name(drawn)

    def text(self, text: str) -> str:
        number = self._chance.number(text)
        if number is not None:
            return self._name(number)
        if len(text) == _DATE and text[4] == "-":
            day = self.times.of_date_text(text)
            if day is not None:
                return day
        return self._cut(text)

    def content(self, value: bytes) -> Any:
        number = self._chance.number_of(value)
        if number is not None:
            return self._name(number)
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return value
        form = self.text(text)
        return value if form is text else form

    def drawn_in(self, value: Any, depth: int = 3) -> tuple[int, ...]:
        """Return when each random value in a value was drawn.

        Random keys decide in which order a table gives its rows, so these are visited in the order of drawing.
        """
        if not self._chance.any_drawn:
            return ()
        if isinstance(value, int | bytes):
            number = self._chance.number_of(value)
            return () if number is None else (number,)
        if isinstance(value, str | uuid.UUID | PurePath):
            return self._drawn_in_text(str(value))
        if isinstance(value, Mapping):
            inner: Iterable[Any] = (*value.keys(), *value.values())
        else:
            is_group = isinstance(value, list | tuple | set | frozenset)
            inner = value if is_group else getattr(value, "__dict__", {}).values()
        if not depth:
            return ()
        return tuple(number for member in inner for number in self.drawn_in(member, depth - 1))

    def _drawn_in_text(self, text: str) -> tuple[int, ...]:
        if text not in self._drawn:
            number = self._chance.number(text)
            parts = self._texts.found_in(text, self._chance.parts, self._chance.forms)
            found = [part[2] for part in parts] if number is None else [number]
            self._drawn[text] = tuple(found)
        return self._drawn[text]

    def _cut(self, text: str) -> str:
        """Return a text with names for its parts that are random, numbers of rows or times."""
        found: list[tuple[int, int, str]] = []
        if self._chance.any_drawn and len(text) >= _SHORTEST_RANDOM:
            parts = self._texts.found_in(text, self._chance.parts, self._chance.forms)
            found += [(begin, end, self._name(number, part)) for begin, end, number, part in parts]
        if len(text) >= _DATE:
            for begin, end in self._texts.found_in(text, stamps):
                time = self.times.of_stamp(text[begin:end])
                if time is not None:
                    found.append((begin, end, time))
        if self._chance.numbers:
            found += self._rows(text)
        return _joined(text, found) if found else text

    def _rows(self, text: str) -> list[tuple[int, int, str]]:
        rows = []
        for begin, end in self._texts.found_in(text, _numbers):
            number = int(text[begin:end])
            numbered = self._chance.numbered(number)
            if numbered is not None:
                rows.append((begin, end, self._row(numbered, number)))
        return rows

    def _row(self, sequence: str, number: int) -> str:
        names = self._numbers.setdefault(sequence, {})
        return names.setdefault(number, f"<{sequence} {len(names) + 1}>")

    def _name(self, number: int, part: str = "") -> str:
        name = self._names.setdefault(number, f"random {len(self._names) + 1}")
        return f"<{name}{part}>"


def _numbers(text: str) -> Iterator[tuple[int, int]]:
    return (digits.span() for digits in _DIGITS.finditer(text))


def _joined(text: str, found: list[tuple[int, int, str]]) -> str:
    """Return a text with some of its parts replaced; of two that overlap, the first one."""
    pieces: list[str | Time] = []
    at = 0
    for begin, end, name in sorted(found, key=lambda part: part[0]):
        if begin < at:
            continue
        pieces.append(text[at:begin])
        pieces += name.pieces if isinstance(name, Timed) else [name]
        at = end
    pieces.append(text[at:])
    is_timed = any(isinstance(piece, Time) for piece in pieces)
    return Timed.of(pieces) if is_timed else "".join(map(str, pieces))
