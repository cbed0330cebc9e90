"""The lines that a delivery ran, one after the other, with what it did in each."""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .acts import Act
from .points import Point
from .watching import Run


@dataclass(frozen=True)
class Visit:
    """One line, as a delivery ran it."""

    filename: str
    function: str
    line: int
    text: str
    #: Which point of the delivery it was.
    index: int
    #: How many functions of the project it is inside of the first.
    depth: int
    #: What was done in it, in order, by the point at which that was known.
    done: dict[int, str] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str, int]:
        """Where it is."""
        return self.filename, self.function, self.line

    def within(self, begin: int, end: int) -> Visit | None:
        """Return what of it belongs to a part of the delivery; None when nothing does."""
        done = {index: text for index, text in self.done.items() if begin <= index < end}
        return replace(self, done=done) if done or begin <= self.index < end else None


def visits(run: Run, begin: int = 0, end: int | None = None) -> list[Visit]:
    """Return the lines of a part of a delivery.

    Args:
        run: the delivery.
        begin: the first point that counts.
        end: the first point that counts no more; None for the end of the delivery.
    """
    found: list[Visit] = []
    stack: list[tuple[str, str]] = []
    pairs = list(zip(run.points, run.point_acts, strict=True))
    for index, (point, act) in enumerate(pairs):
        visit = _visited(index, point, found, stack)
        if act is None:
            continue
        if point.kind == _told_at(act):
            visit.done[index] = act_text(act) + _effect_of(run, act)
        elif point.kind == "before" and _failed(act, run.point_acts, index + 1):
            visit.done[index] = f"{act_text(act)} failed"
    last = len(pairs) if end is None else end
    parts = [visit.within(begin, last) for visit in found]
    return [part for part in parts if part is not None]


def act_text(act: Act) -> str:
    """Return an act in a few words."""
    return f"{act.kind}: {act.text}"


def enclosing_function(function: str) -> str:
    """Return the function in which a comprehension stands: newer Pythons have none of its own for it."""
    for kind in ("listcomp", "dictcomp", "setcomp", "genexpr"):
        function = function.removesuffix(f".<locals>.<{kind}>")
    return function


def _visited(index: int, point: Point, found: list[Visit], stack: list[tuple[str, str]]) -> Visit:
    """Return the visit that a point belongs to, a new one for a new line."""
    place = point.filename, enclosing_function(point.function), point.line
    if point.kind != "line":
        for visit in reversed(found):
            if visit.place == place:
                return visit
    here = place[:2]
    if here in stack:
        del stack[stack.index(here) + 1 :]
    else:
        stack.append(here)
    # Lines that gave way to another tool were not heard of, and only what was done in them is known.
    text = linecache.getline(point.filename, point.line).strip()
    found.append(Visit(*place, text, index, len(stack) - 1))
    return found[-1]


def _told_at(act: Act) -> str:
    """Return at which of its points an act has been done: a file is only heard of before."""
    return "before" if act.kind == "file" else "after"


def _effect_of(run: Run, act: Act) -> str:
    """Say so where a call with a known key was answered, and did nothing."""
    may_do_nothing = not act.counts and act.value is not None
    if not may_do_nothing or any(made is act for made in run.acts):
        return ""
    return " had no effect"


def _failed(act: Act, acts: Sequence[Act | None], begin: int) -> bool:
    if act.kind == "file" or begin == len(acts):
        return False
    return not any(acts[index] is act for index in range(begin, len(acts)))
