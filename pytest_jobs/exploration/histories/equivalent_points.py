"""The points of a job that are worth a history: those that others are equivalent to.

Between two effects a delivery only computes. Wherever it is killed there, it leaves the same world, so one
point stands for all. A second delivery that runs whole there finds the same world, too, and what the first
one has read before is the same, so the first point and the last one stand for all. The page "What a check
proves" has the argument, with what it rests on.

A line that comes by often is the other kind: of a thousand rounds with one effect each, the first two and the
last stand for all.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any, Final

from ..engine.memory.shared import Content
from ..engine.run import Run

#: A line or an effect that comes by more often than this does so in a loop.
_OFTEN: Final = 10
#: Of those, so many are tried at the beginning.
_FIRST: Final = 2
#: What differs from round to round in the text of an effect, and leaves its kind as it is.
_ROUND: Final = re.compile(r"'(?:[^'\\]|\\.)+'|\"(?:[^\"\\]|\\.)+\"|(?!0\b)\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Chosen:
    """The indexes of the points that are tried."""

    #: Where a worker dies.
    killed: Sequence[int]
    #: Where another delivery overtakes.
    overtaken: Sequence[int]
    #: The effects that fail, or whose reply is lost: before and after which points.
    acts: Sequence[int]
    #: How many points there are.
    count: int
    #: Whether some were left out since their lines come by often.
    rounds_left_out: bool = False

    @classmethod
    def every(cls, run: Run) -> Chosen:
        every = range(len(run.points))
        return cls(every, every, every, len(every))

    def text(self, *, crashes: bool, overlaps: bool, effects: bool) -> str:
        """Return how many points stand for all of them; "" if each was tried."""
        tried = {"a crash": self.killed} if crashes else {}
        tried |= {"an overlap": self.overtaken} if overlaps else {}
        fewer = any(len(points) < self.count for points in tried.values())
        parts = [f"{what} at {len(points)}" for what, points in tried.items()] if fewer else []
        standing = f"{' and '.join(parts)} {'stands' if len(parts) == 1 else 'stand'} for all"
        if not (self.rounds_left_out and (tried or effects)):
            return standing if parts else ""
        rounds = "two rounds and the last of each loop"
        return f"{standing}, and {rounds}" if parts else f"{rounds} stand for all"


@dataclass(frozen=True)
class Surroundings:
    """What is outside of a delivery at one of its points."""

    acted: int
    #: How much of this outlives its worker, and how much happened where nobody else could see or disturb it.
    lasting: int
    excluded: int
    looked: int
    now_ns: int
    #: The state of the world and the effects, and the stores that it does not show.
    state: object
    #: The memory that deliveries share: that of the project, and that of servers of which it is heard.
    memory: tuple[Content, Content] | object

    def is_same_world(self, other: Surroundings) -> bool:
        """Return whether a worker that is killed at either point leaves the same world."""
        return (
            self.lasting == other.lasting
            and self.now_ns == other.now_ns
            and self.state == other.state
            and self.memory == other.memory
        )

    def is_same_to_others(self, other: Surroundings) -> bool:
        """Return whether nothing happened in between that a second delivery could see, or be seen by."""
        return (
            self.is_same_world(other)
            and self.looked == other.looked
            and self.acted - self.excluded == other.acted - other.excluded
        )


class Unclear:
    """A state that cannot be seen, so that it is the same as no other."""


def surroundings_at(
    run: Run,
    now_ns: int,
    state: Callable[[], Any],
    memory: Callable[[], tuple[Content, Content] | None],
) -> Surroundings:
    """Return what is outside of a delivery at one of its points."""
    try:
        shown = state()
    except Exception:
        # Of the world of a user: it may need a lock that the delivery holds.
        shown = None
    return Surroundings(
        run.acted,
        run.lasting,
        run.excluded,
        run.looked,
        now_ns,
        Unclear() if shown is None else shown,
        memory() or Unclear(),
    )


def candidates(run: Run) -> list[int]:
    """Return the points of a delivery without those of lines and effects that come by often.

    The first two and the last of each are left, and each effect whose arguments are of another kind than
    those of the rounds before.
    """
    places: dict[object, list[int]] = defaultdict(list)
    for index, key in enumerate(_keys(run)):
        places[key].append(index)
    found: list[int] = []
    for indexes in places.values():
        few = len(indexes) <= _OFTEN
        found += indexes if few else [*indexes[:_FIRST], indexes[-1]]
    return sorted(found)


def _keys(run: Run) -> Iterator[object]:
    """Yield for each point what the points of other rounds of a loop have in common with it.

    That is its line with the lines from which its function was called, as far as the order of lines tells them:
    a helper that twelve different lines call is no loop. Of an effect it is also the kind of its arguments.
    """
    calls: list[tuple[CodeType | None, int]] = []
    ways: dict[tuple[int, CodeType | None, int], int] = {}
    way = 0
    for kind, text, code, line in run.points.noted():
        while any(called is code for called, _ in calls):
            calls.pop()
        way = calls[-1][1] if calls else 0
        way = ways.setdefault((way, code, line), len(ways) + 1)
        calls.append((code, way))
        yield kind, way, None if text is None else _ROUND.sub("_", text)


def chosen(
    run: Run, tried: Sequence[int], at_points: Sequence[Surroundings], end: Surroundings
) -> Chosen:
    """Return the points that stand for the others, by what was outside of the delivery at each, and at its end."""
    count = len(run.points)
    killed: list[int] = []
    before: Surroundings | None = None
    unreported = False
    for index, surroundings in zip(tried, at_points, strict=True):
        if before is None or not surroundings.is_same_world(before):
            killed.append(index)
        unreported = unreported or (
            before is not None and _changed_unreported(before, surroundings)
        )
        before = surroundings
    unreported = unreported or before is None or _changed_unreported(before, end)
    overtaken = list(tried) if unreported else _ends_of_equivalents(tried, at_points)
    return Chosen(
        killed,
        # A delivery that overtakes at the end comes after the other one: that is the history `twice`.
        [index for index in overtaken if not (run.points.are_all() and index == count - 1)],
        list(tried),
        count,
        rounds_left_out=len(tried) < count,
    )


def _changed_unreported(before: Surroundings, after: Surroundings) -> bool:
    """Return whether the world may have changed without an effect, so that a line in between may read that."""
    # What such a server keeps is changed by its library too, which stores results and takes messages out of a
    # queue. What a job asks it for is a look.
    if _of_project(before) != _of_project(after):
        return True
    if isinstance(before.state, Unclear) or isinstance(after.state, Unclear):
        # Each of these points is tried by itself.
        return False
    return before.acted == after.acted and before.state != after.state


def _of_project(surroundings: Surroundings) -> object:
    return surroundings.memory[0] if isinstance(surroundings.memory, tuple) else surroundings.memory


def _ends_of_equivalents(tried: Sequence[int], at_points: Sequence[Surroundings]) -> list[int]:
    """Return the first and the last point of each stretch without an effect and without a look."""
    found: dict[int, None] = {}
    previous: tuple[int, Surroundings] | None = None
    for index, surroundings in zip(tried, at_points, strict=True):
        if previous is None or not surroundings.is_same_to_others(previous[1]):
            if previous is not None:
                found[previous[0]] = None
            found[index] = None
        previous = index, surroundings
    if previous is not None:
        found[previous[0]] = None
    return list(found)
