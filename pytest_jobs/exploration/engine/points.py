"""Where a delivery can be stopped."""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from types import CodeType
from typing import Final, Literal, TypeAlias

PointKind: TypeAlias = Literal["line", "before", "after", "await", "awaited"]
#: Function, file and line.
Place: TypeAlias = tuple[str, str, int]


#: Python 3.12 has no functions for these, and so hears of no line in their rounds: nor shall 3.11.
_INLINED: Final = frozenset(("<listcomp>", "<dictcomp>", "<setcomp>"))
_PAUSES: Final = {
    "await": "while it awaited, on",
    "awaited": "before it had the answer, on",
}


@dataclass(frozen=True, slots=True)
class Point:
    """A line that is about to run, or the moment before or after an act.

    Two points are the same when they are named alike, wherever their lines stand: a replay survives
    edits elsewhere.
    """

    kind: PointKind
    #: The qualified name of the function.
    function: str
    #: The text of the line, or of the act.
    text: str
    #: The how manieth of its name this is in the delivery, counted from 1.
    hit: int
    filename: str = ""
    line: int = 0

    @property
    def name(self) -> tuple[str, str, str, int]:
        """What tells it from the others."""
        return self.kind, self.function, self.text, self.hit

    def __str__(self) -> str:
        times = f" (time {self.hit})" if self.hit > 1 else ""
        if self.kind == "line":
            return f"before line {self.line} of {self.function}{times}: {self.text}"
        if self.kind in _PAUSES:
            return f"{_PAUSES[self.kind]} line {self.line} of {self.function}{times}: {self.text}"
        return f"{self.kind} {self.text}{times}"


class PointCounter:
    """Names the points of one delivery as they come."""

    __slots__ = ("_hits", "place")

    def __init__(self) -> None:
        self._hits: dict[tuple[str, str, str], int] = {}
        #: Where the delivery stands.
        self.place: Place = ("", "", 0)

    def line(self, code: CodeType, line: int) -> Point:
        """Return the point of a line."""
        self.place = (code.co_qualname, code.co_filename, line)
        return self._next("line", linecache.getline(code.co_filename, line).strip())

    def is_inlined(self, code: CodeType, line: int) -> bool:
        """Say whether a line is a further round of a comprehension that stands in one line."""
        return code.co_name in _INLINED and line == self.place[2]

    def pause(self, kind: PointKind) -> Point:
        """Return the point at which a coroutine waits, or has what it waited for."""
        _, filename, line = self.place
        return self._next(kind, linecache.getline(filename, line).strip())

    def act(self, kind: PointKind, text: str) -> Point:
        """Return the point before or after an act."""
        return self._next(kind, text)

    def _next(self, kind: PointKind, text: str) -> Point:
        function, filename, line = self.place
        key = (kind, function, text)
        hit = self._hits[key] = self._hits.get(key, 0) + 1
        return Point(kind, function, text, hit, filename, line)
