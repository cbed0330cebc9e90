"""Which points of a test are tried first, where there are more than the limit lets it have.

What a kill shows depends on what had happened by then. Most defects lie beside an effect: it has happened, and
nothing says so yet. So the points around effects come before plain lines, each place in the source once before any
a second time, and of points between which nothing happens only one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from ..engine.acts import Act
from ..engine.points import Noted, Point, spread

#: What differs between two rounds of a loop that do the same.
_VALUES: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\d+")

#: After an effect that lasts; before it; around a statement that awaits its commit; at a plain line; where nothing
#: has happened since the point before.
Beside: TypeAlias = Literal["after", "before", "statement", "line", "nothing new"]
#: Which time it is that a delivery comes to a place.
Time: TypeAlias = Literal["first", "last", "second", "between"]

#: The best first. What is not listed comes last, in this order of `Beside`.
_TIERS: Final[Sequence[tuple[Beside, Time]]] = (
    ("after", "first"),
    ("before", "first"),
    ("after", "last"),
    ("after", "second"),
    ("statement", "first"),
    ("line", "first"),
    ("before", "last"),
    ("statement", "last"),
    ("line", "last"),
    ("before", "second"),
    ("statement", "second"),
    ("line", "second"),
)
_OTHERS: Final[Sequence[Beside]] = ("after", "before", "statement", "line", "nothing new")


@dataclass(frozen=True)
class CrashPoint:
    """A point of one delivery of a test."""

    #: The name of the job.
    job: str
    #: Which delivery of this job in the test it is, counted from 1.
    delivery: int
    point: Point
    #: The job as a call.
    call: str
    #: The effect that it comes before or after; None at lines.
    act: Act | None = field(default=None, compare=False)
    #: How often the delivery had come to this place by then, this time included.
    time: int = 1

    @property
    def of_delivery(self) -> tuple[str, int]:
        return self.job, self.delivery

    @property
    def place(self) -> tuple[object, ...]:
        """The job, and the place in its source, whatever the values are."""
        return self.job, *place_of(self.point)

    def lies_at(self, noted: Noted) -> bool:
        """Return whether what another run of the delivery has noted is of this place."""
        point = self.point
        kind, text, code, line = noted
        # The line rules nearly everything out.
        if line != point.line or kind != point.kind:
            return False
        function, filename = ("", "") if code is None else (code.co_qualname, code.co_filename)
        return (function, filename) == (point.function, point.filename) and (
            text is None or _without_values(text) == _without_values(point.text)
        )

    def __str__(self) -> str:
        return f"{self.call}, {self.point}"


def place_of(point: Point) -> tuple[object, ...]:
    """Return where a point lies. Its values may differ in each run of a test, such as ids from a sequence."""
    text = _without_values(point.text)
    return point.kind, point.function, point.filename, point.line, text


def _without_values(text: str) -> str:
    return _VALUES.sub("?", text)


def by_worth(points: Sequence[CrashPoint]) -> list[CrashPoint]:
    """Return the points, those first that are most likely to show a defect.

    Those of equal worth are spread: any number of them taken from the front lies all over the test.
    """
    tiers: dict[int, list[CrashPoint]] = {}
    for point, beside, time in zip(points, _surroundings(points), _times(points), strict=True):
        known = (beside, time) in _TIERS
        tier = _TIERS.index((beside, time)) if known else len(_TIERS) + _OTHERS.index(beside)
        tiers.setdefault(tier, []).append(point)
    return [point for tier in sorted(tiers) for point in spread(tiers[tier])]


def _surroundings(points: Sequence[CrashPoint]) -> Iterable[Beside]:
    """Yield for each point what it lies beside."""
    commits = {
        (*point.of_delivery, point.act.kind): position
        for position, point in enumerate(points)
        if point.act is not None and point.act.is_commit
    }
    for position, point in enumerate(points):
        act = point.act
        if act is None:
            yield "nothing new" if _is_beside_its_effect(points, position) else "line"
        elif act.awaits_commit and position < commits.get((*point.of_delivery, act.kind), -1):
            yield "statement"
        else:
            yield "after" if point.point.kind == "after" else "before"


def _is_beside_its_effect(points: Sequence[CrashPoint], position: int) -> bool:
    """Return whether a line is the one whose effect comes next, or follows at once upon an effect."""
    point = points[position]
    line = point.of_delivery, point.point.filename, point.point.line
    return any(
        before.point.kind == "after" and before.of_delivery == point.of_delivery
        for before in points[max(position - 1, 0) : position]
    ) or any(
        (after.of_delivery, after.point.filename, after.point.line) == line
        for after in points[position + 1 : position + 2]
        if after.point.kind == "before"
    )


def _times(points: Sequence[CrashPoint]) -> Iterable[Time]:
    """Yield for each point which time it is that the job comes to this place, in all its deliveries."""
    places = [point.place for point in points]
    in_all, so_far = Counter(places), Counter[tuple[object, ...]]()
    for place in places:
        so_far[place] += 1
        if so_far[place] == 1:
            yield "first"
        elif so_far[place] == in_all[place]:
            yield "last"
        else:
            yield "second" if so_far[place] == 2 else "between"
