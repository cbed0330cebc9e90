"""Where a step of a machine interrupts a delivery: as it was drawn, and by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from ..engine.acts import Act
from ..engine.points import Point
from ..engine.watching import Run

#: The lines of a module run when it is imported, under a lock that a dead worker would keep.
_IMPORTING = "<module>"


class Place(Protocol):
    """Says of each point of a delivery whether it is the one."""

    def is_at(self, point: Point, act: Act | None) -> bool:
        """Say whether this is the point; called for each in turn, and no more once it was."""
        ...


@dataclass
class Drawn:
    """The point at a position among those of its kind: nobody knows the points before the delivery.

    Positions are counted from 1; 0 is nowhere.
    """

    kind: Literal["effect", "line"]
    position: int

    def is_at(self, point: Point, act: Act | None) -> bool:
        """Count to the position."""
        if (self.kind == "effect") != (act is not None) or point.function == _IMPORTING:
            return False
        self.position -= 1
        return self.position == 0


@dataclass(frozen=True)
class Named:
    """The point of a name, as scripts have it."""

    name: str

    def is_at(self, point: Point, act: Act | None) -> bool:
        """Compare the names."""
        return name_of(point) == self.name

    def __str__(self) -> str:
        return repr(self.name)


@dataclass(frozen=True)
class NamedEffect:
    """The effect of a name."""

    name: str

    def is_at(self, point: Point, act: Act | None) -> bool:
        """Compare the names."""
        return effect_name_of(point) == self.name

    def __str__(self) -> str:
        return repr(self.name)


def name_of(point: Point) -> str:
    """Return what scripts call a point: its text, its function, and which time it is."""
    moment = "" if point.kind == "line" else f"{point.kind} "
    return f"{moment}{effect_name_of(point)}"


def effect_name_of(point: Point) -> str:
    """Return the same without the moment, before or after."""
    time = f", time {point.hit}" if point.hit > 1 else ""
    return f"{point.text} in {point.function}{time}"


class Interruption:
    """Interrupts a delivery at a place, once."""

    def __init__(
        self,
        place: Place,
        interrupt: Callable[[Point, Act | None], BaseException | None],
        counts: Callable[[Point, Act | None], bool] = lambda point, act: True,
    ) -> None:
        """Wait for the place.

        Args:
            place: where.
            interrupt: called there; returns what to raise.
            counts: says whether a point can be the place at all.
        """
        self._place = place
        self._interrupt = interrupt
        self._counts = counts
        #: The point; None as long as the delivery has not come to it.
        self.point: Point | None = None

    def reach(self, run: Run, index: int, point: Point) -> BaseException | None:
        """Hear of a point of a delivery."""
        act = run.point_acts[index]
        if (
            self.point is not None
            or not self._counts(point, act)
            or not self._place.is_at(point, act)
        ):
            return None
        self.point = point
        return self._interrupt(point, act)
