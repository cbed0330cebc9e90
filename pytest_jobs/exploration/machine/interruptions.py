"""How a step of a machine interrupts a delivery: at a point that was drawn, or named by a script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from ..engine.acts import Act
from ..engine.points import Point
from ..engine.run import Run

#: These lines run while a module is imported, under a lock that a killed worker would keep.
_IMPORTING = "<module>"


class PointChoice(Protocol):
    """Chooses one point of a delivery."""

    def is_at(self, point: Point, act: Act | None) -> bool:
        """Return whether this is the point. Called for each point in turn, until it is."""
        ...


@dataclass
class DrawnPoint:
    """Chooses the point at a position among those of its kind: the points are unknown before the delivery.

    Positions are counted from 1; 0 chooses none.
    """

    kind: Literal["effect", "line"]
    position: int

    def is_at(self, point: Point, act: Act | None) -> bool:
        if (self.kind == "effect") != (act is not None) or point.function == _IMPORTING:
            return False
        self.position -= 1
        return self.position == 0


@dataclass(frozen=True)
class NamedPoint:
    """Chooses the point, or the effect, with a name, as scripts write it."""

    name: str
    #: Returns the name of a point.
    named: Callable[[Point], str]

    def is_at(self, point: Point, act: Act | None) -> bool:
        return self.named(point) == self.name

    def __str__(self) -> str:
        return repr(self.name)


def name_of(point: Point) -> str:
    """Return what scripts call a point: its text, its function, and how often it has come."""
    moment = "" if point.kind == "line" else f"{point.kind} "
    return f"{moment}{effect_name_of(point)}"


def effect_name_of(point: Point) -> str:
    """Return the same without `before` or `after`."""
    time = f", time {point.hit}" if point.hit > 1 else ""
    return f"{point.text} in {point.function}{time}"


@dataclass
class Interruption:
    """Interrupts a delivery once, at a point."""

    choice: PointChoice
    #: Called at the point; returns the error to raise, or None.
    interrupt: Callable[[Point, Act | None], BaseException | None]
    #: Returns whether a point can be chosen at all.
    counts: Callable[[Point, Act | None], bool] = lambda point, act: True
    #: None as long as the delivery has not come to it.
    point: Point | None = None

    def at_point(self, run: Run, index: int) -> BaseException | None:
        if self.point is not None:
            return None
        point, act = run.points[index], run.point_acts[index]
        if not self.counts(point, act) or not self.choice.is_at(point, act):
            return None
        self.point = point
        return self.interrupt(point, act)
