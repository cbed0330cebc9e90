"""Where a delivery can be stopped, and where it failed."""

from __future__ import annotations

import linecache
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import CodeType
from typing import Final, Literal, TypeAlias, TypeVar, overload

from .scope import Scope

T = TypeVar("T")

#: The end comes when the last line has run, and before the library acknowledges the delivery.
PointKind: TypeAlias = Literal["line", "before", "after", "await", "awaited", "end"]

#: The kind of a point, its text (None for that of its line), and the code and the number of its line.
Noted: TypeAlias = "tuple[PointKind, str | None, CodeType | None, int]"

#: Python 3.12 inlines these and reports no line for each round. Points of 3.11 are to be the same.
_INLINED: Final = frozenset(("<listcomp>", "<dictcomp>", "<setcomp>"))
_RAISE: Final = re.compile(r"\braise\b")
_NO_SOURCE: Final = "(no source)"
#: Where a point lies that is at a line and at no effect.
AT_LINES: Final = {
    "line": "before",
    "await": "while it awaited, on",
    "awaited": "before it had the answer, on",
    "end": "after the last line,",
}


@dataclass(frozen=True, slots=True)
class Point:
    """A line that is about to run, the moment before or after an effect or an await, or the end of the job.

    Two points are the same if their names are equal. A name has no line number, so that a replay token survives
    edits elsewhere in the file, and no text of an effect, which has data that another run does not have.
    """

    kind: PointKind
    #: The qualified name of the function; of a comprehension that of the function around it.
    function: str
    #: The text of the line, or of the effect.
    text: str
    #: How often the delivery has come to this kind, function and text so far, this time included.
    hit: int
    #: How often it has come to this kind of point in this function at a line with this source.
    turn: int
    filename: str = ""
    line: int = 0

    @property
    def name(self) -> tuple[str, str, str, int]:
        return self.kind, self.function, source_text(self.filename, self.line), self.turn

    def __str__(self) -> str:
        times = f" (time {self.hit})" if self.hit > 1 else ""
        if self.kind in AT_LINES:
            return f"{AT_LINES[self.kind]} line {self.line} of {self.function}{times}: {self.text}"
        return f"{self.kind} {self.text}{times}"


def spread(items: Sequence[T]) -> list[T]:
    """Return items so that those in front lie all over the sequence: both ends, the middle, and so on."""
    last = len(items) - 1
    order = dict.fromkeys((0, last) if last >= 0 else ())
    parts = 2
    while len(order) < len(items):
        for part in range(1, parts, 2):
            order.setdefault(round(last * part / parts))
        parts *= 2
    return [items[position] for position in order]


class Trail(Sequence[Point]):
    """The points to which one delivery has come, in order. Each is made when it is asked for.

    A job runs thousands of lines in each history, and hardly any of their points is looked at.
    """

    __slots__ = ("_code", "_counts", "_line", "_made", "_noted")

    def __init__(self) -> None:
        self._noted: list[Noted] = []
        self._made: list[Point] = []
        self._counts: defaultdict[tuple[str, ...], count[int]] = defaultdict(lambda: count(1))
        #: The line of the project that runs now.
        self._code: CodeType | None = None
        self._line = 0

    def __len__(self) -> int:
        return len(self._noted)

    @overload
    def __getitem__(self, index: int) -> Point: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Point]: ...

    def __getitem__(self, index: int | slice) -> Point | Sequence[Point]:
        return self._all()[index]

    def __iter__(self) -> Iterator[Point]:
        return iter(self._all())

    def located(self) -> str:
        """Return where the current line is, such as " in pay, at shop.py:12"; "" if it is not known."""
        code = self._code
        if code is None:
            return ""
        return f" in {code.co_qualname}, at {Path(code.co_filename).name}:{self._line}"

    def be_at(self, code: CodeType, line: int) -> None:
        """Note the line of the project that runs now."""
        self._code, self._line = code, line

    def line(self, code: CodeType, line: int) -> int | None:
        """Add the point of a line that is about to run; return its index.

        Returns:
            None if there is none: it is another round of a comprehension that is written in one line.
        """
        if line == self._line and code.co_name in _INLINED:
            before = self._code
            if before is None or before.co_filename == code.co_filename:
                return None
        self._code, self._line = code, line
        noted = self._noted
        noted.append(("line", None, code, line))
        return len(noted) - 1

    def add(self, kind: PointKind, text: str | None = None) -> None:
        """Add the point before or after an effect; without a text, one at an await or at the end."""
        self._noted.append((kind, text, self._code, self._line))

    def noted(self) -> Sequence[Noted]:
        return self._noted

    def are_all(self) -> bool:
        """Return whether the delivery has come to its end."""
        return bool(self._noted) and self._noted[-1][0] == "end"

    def comes_like(self, other: Trail, index: int) -> bool:
        """Return whether the point of an index is the one that another delivery has there."""
        end = index + 1
        # Comparing what was noted is fast, and nearly always enough.
        return self._noted[:end] == other._noted[:end] or (
            index < len(other) and self[index].name == other[index].name
        )

    def _all(self) -> list[Point]:
        made = self._made
        for kind, text, code, line in self._noted[len(made) :]:
            function, filename = ("", "") if code is None else (code.co_qualname, code.co_filename)
            function, source = enclosing_function(function), source_text(filename, line)
            shown = source if text is None else text
            hit = next(self._counts[kind, function, shown])
            turn = hit if text is None else next(self._counts[kind, function, source])
            made.append(Point(kind, function, shown, hit, turn, filename, line))
        return made


def source_text(filename: str, line: int) -> str:
    """Return the text of a line; a remark if its code was generated and its source was not kept."""
    return linecache.getline(filename, line).strip() or (_NO_SOURCE if line else "")


def enclosing_function(function: str) -> str:
    """Return the function that contains a comprehension. Only older Pythons give comprehensions functions."""
    for kind in ("listcomp", "dictcomp", "setcomp", "genexpr"):
        function = function.removesuffix(f".<locals>.<{kind}>")
    return function


@dataclass(frozen=True)
class Origin:
    """Where an error was raised."""

    #: A line of the project: the qualified name of its function, its file, and its number.
    place: tuple[str, str, int]
    #: Whether the line itself raised the error, and no library that it called.
    raises: bool = False

    def __str__(self) -> str:
        function, _, line = self.place
        return f"line {line} of {function}"

    @property
    def is_on_purpose(self) -> bool:
        """Whether the line has a `raise` in it, or calls what raises the error."""
        _, filename, line = self.place
        return not self.raises or bool(_RAISE.search(source_text(filename, line)))

    @property
    def shown(self) -> str:
        """The line with its file and its text, as a traceback shows it in one line."""
        function, filename, line = self.place
        where = f"{Path(filename).name}:{line} in {function}"
        return f"{where}: {source_text(filename, line)}"


def trace_of(error: BaseException, scope: Scope) -> tuple[Origin, ...]:
    """Return the lines of the project through which an error went, the innermost last."""
    found = []
    entry = error.__traceback__
    while entry is not None:
        code = entry.tb_frame.f_code
        if scope.wants(code) or scope.is_of_project(code):
            place = enclosing_function(code.co_qualname), code.co_filename, entry.tb_lineno
            found.append(Origin(place, raises=entry.tb_next is None))
        entry = entry.tb_next
    return tuple(found)
