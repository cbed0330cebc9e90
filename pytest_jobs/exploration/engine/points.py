"""Where a delivery can be stopped, and where it failed."""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, TracebackType
from typing import Final, Literal, Protocol, TypeAlias

PointKind: TypeAlias = Literal["line", "before", "after", "await", "awaited"]
#: The qualified name of a function, its file, and a line in it.
SourceLine: TypeAlias = tuple[str, str, int]

#: Python 3.12 inlines these and reports no line for each round. Points of 3.11 are to be the same.
_INLINED: Final = frozenset(("<listcomp>", "<dictcomp>", "<setcomp>"))
_NO_SOURCE: Final = "(no source)"
_PAUSES: Final = {
    "await": "while it awaited, on",
    "awaited": "before it had the answer, on",
}


@dataclass(frozen=True, slots=True)
class Point:
    """A line that is about to run, or the moment before or after an effect or an await.

    Two points are the same if their names are equal. A name has no line number, so that a replay
    token survives edits elsewhere in the file.
    """

    kind: PointKind
    #: The qualified name of the function.
    function: str
    #: The text of the line, or of the effect.
    text: str
    #: How often the delivery has come to this kind, function and text so far, this time included.
    hit: int
    filename: str = ""
    line: int = 0

    @property
    def name(self) -> tuple[str, str, str, int]:
        """Kind, function, text and hit."""
        return self.kind, self.function, self.text, self.hit

    def __str__(self) -> str:
        times = f" (time {self.hit})" if self.hit > 1 else ""
        if self.kind == "line":
            return f"before line {self.line} of {self.function}{times}: {self.text}"
        if self.kind in _PAUSES:
            return f"{_PAUSES[self.kind]} line {self.line} of {self.function}{times}: {self.text}"
        return f"{self.kind} {self.text}{times}"


class PointCounter:
    """Makes the points of one delivery, in the order in which it comes to them."""

    __slots__ = ("_hits", "place")

    def __init__(self) -> None:
        self._hits: dict[tuple[str, str, str], int] = {}
        #: The line of the project that runs now.
        self.place: SourceLine = ("", "", 0)

    def located(self) -> str:
        """Return where the current line is, such as " in pay, at shop.py:12"; "" if it is not known."""
        function, filename, line = self.place
        return f" in {function}, at {Path(filename).name}:{line}" if filename else ""

    def line(self, code: CodeType, line: int) -> Point:
        """Return the point of a line that is about to run."""
        self.place = (code.co_qualname, code.co_filename, line)
        return self._next("line", source_text(code.co_filename, line))

    def is_inlined(self, code: CodeType, line: int) -> bool:
        """Return whether this is another round of a comprehension that is written in one line."""
        return code.co_name in _INLINED and line == self.place[2]

    def pause(self, kind: PointKind) -> Point:
        """Return the point at which a coroutine waits, or has got what it waited for."""
        _, filename, line = self.place
        return self._next(kind, source_text(filename, line))

    def act(self, kind: PointKind, text: str) -> Point:
        """Return the point before or after an effect."""
        return self._next(kind, text)

    def _next(self, kind: PointKind, text: str) -> Point:
        function, filename, line = self.place
        key = (kind, function, text)
        hit = self._hits[key] = self._hits.get(key, 0) + 1
        return Point(kind, function, text, hit, filename, line)


def source_text(filename: str, line: int) -> str:
    """Return the text of a line; a remark if its code was generated and its source was not kept."""
    return linecache.getline(filename, line).strip() or (_NO_SOURCE if line else "")


def enclosing_function(function: str) -> str:
    """Return the function that contains a comprehension. Only older Pythons give comprehensions functions."""
    for kind in ("listcomp", "dictcomp", "setcomp", "genexpr"):
        function = function.removesuffix(f".<locals>.<{kind}>")
    return function


class Counted(Protocol):
    """Decides whose lines count; see `Scope`."""

    def wants(self, code: CodeType) -> bool: ...

    def is_of_project(self, code: CodeType) -> bool: ...


@dataclass(frozen=True)
class Origin:
    """Where an error was raised."""

    #: The innermost line of the project.
    place: SourceLine

    def __str__(self) -> str:
        function, _, line = self.place
        return f"line {line} of {enclosing_function(function)}"


def origin_of(error: BaseException, scope: Counted) -> Origin | None:
    """Return where an error was raised; None if no code of the project was on the way."""
    found: TracebackType | None = None
    entry = error.__traceback__
    while entry is not None:
        code = entry.tb_frame.f_code
        if scope.wants(code) or scope.is_of_project(code):
            found = entry
        entry = entry.tb_next
    if found is None:
        return None
    code = found.tb_frame.f_code
    return Origin((code.co_qualname, code.co_filename, found.tb_lineno))
