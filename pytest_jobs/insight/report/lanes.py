"""Where the jobs of a test are drawn: one row a job, over virtual time.

The axis gives each event a place of its own, in the order in which things happened, and widens with the logarithm
of the time between two events. So jobs of one instant can be told apart, and twenty days fit beside three seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from ...harness.records.texts import duration
from .data import TONES, ShownAttempt, ShownJob, ShownTest

#: The places of the first and the last event, in percent of the width.
_FIRST: Final = 2.0
_LAST: Final = 97.0
#: How far apart labels of the axis are at least.
_APART: Final = 12.0
#: So many events share the axis before the time between them gets more room.
_FEW: Final = 40
#: A child that is drawn at most so many rows below its parent is connected with it by a line.
_NEAR: Final = 12


@dataclass(frozen=True, slots=True)
class Lane:
    """The row of one job. Places are in percent of the width."""

    job: ShownJob
    #: How many jobs up to the one that the test enqueued itself.
    depth: int
    enqueued: float
    #: The place of its due time; None where it began when it was due, or was due at once.
    due: float | None
    #: Where each attempt begins and ends.
    attempts: tuple[tuple[float, float], ...]
    #: Where its children were enqueued, and where children of the jobs above it were that are drawn further down.
    children: tuple[float, ...] = ()
    through: tuple[float, ...] = ()

    def to_dict(self, tracebacks: dict[str, int]) -> dict[str, Any]:
        """Return what the script of the page draws.

        Args:
            tracebacks: those of the test, each with its number; one may belong to thousands of jobs.
        """
        job = self.job
        told: list[Any] = list(steps(job))
        for place, attempt in enumerate(job.attempts, 1):
            if attempt.traceback:
                number = tracebacks.setdefault(attempt.traceback, len(tracebacks))
                told[place] = [told[place], number]
        where = f" · queue {job.queue}" if job.queue else ""
        drawn: dict[str, Any] = {
            "call": job.call,
            "about": f"#{job.sequence} · {job.library}{where}",
            "enqueued": self.enqueued,
            "attempts": [
                [*places, TONES.get(attempt.status, "quiet")]
                for places, attempt in zip(self.attempts, job.attempts, strict=True)
            ],
            "outcome": job.outcome,
            "tone": TONES.get(job.outcome, "quiet"),
            "steps": told,
        }
        more = {
            "depth": self.depth,
            "due": self.due,
            "children": self.children,
            "through": self.through,
        }
        return {**drawn, **{name: value for name, value in more.items() if value}}


@dataclass(frozen=True, slots=True)
class Timeline:
    """The rows of a test, and its axis."""

    lanes: Sequence[Lane]
    #: Places and labels.
    ticks: Sequence[tuple[float, str]] = ()

    def to_dict(self) -> dict[str, Any]:
        tracebacks: dict[str, int] = {}
        lanes = [lane.to_dict(tracebacks) for lane in self.lanes]
        return {"ticks": self.ticks, "lanes": lanes, "tracebacks": list(tracebacks)}


def steps(job: ShownJob) -> Iterator[str]:
    """Yield in sentences what happened to a job."""
    due = "" if job.due is None else f", due at +{duration(job.due)}"
    by = "" if job.parent is None else f" by #{job.parent}"
    yield f"+{duration(job.enqueued)}: enqueued{by}{due}"
    for attempt in job.attempts:
        yield _step(attempt)
    if job.outcome in ("pending", "removed"):
        yield f"at the end: {job.outcome}"


def _step(attempt: ShownAttempt) -> str:
    took = attempt.ended - attempt.at
    text = f"+{duration(attempt.at)}: attempt {attempt.number}"
    text += f", {duration(took)} long" if took > 0 else ""
    text += f": {attempt.status}"
    text += "" if attempt.wait is None else f", again in {duration(attempt.wait)}"
    return f"{text}: {attempt.error}" if attempt.error else text


def timeline(test: ShownTest) -> Timeline:
    """Lay out the jobs of a test."""
    axis = _Axis(test.jobs)
    placed = [
        Lane(
            job,
            depth,
            axis.of(job.enqueued, job.order),
            axis.due(job),
            tuple(
                (axis.of(attempt.at, attempt.order), axis.end(attempt)) for attempt in job.attempts
            ),
        )
        for job, depth in _rows(test.jobs)
    ]
    return Timeline(_connected(placed), axis.ticks())


def _rows(jobs: Sequence[ShownJob]) -> Iterator[tuple[ShownJob, int]]:
    """Yield the jobs, each below the one that enqueued it, with its depth."""
    known = {job.sequence for job in jobs}
    children: dict[int | None, list[ShownJob]] = {}
    for job in sorted(jobs, key=lambda job: job.sequence):
        # A parent has a lower number; a parent of an earlier test is not drawn here.
        has_parent = job.parent is not None and job.parent in known and job.parent < job.sequence
        children.setdefault(job.parent if has_parent else None, []).append(job)
    waiting = [(job, 0) for job in reversed(children.get(None, []))]
    while waiting:
        job, depth = waiting.pop()
        yield job, depth
        waiting += [(child, depth + 1) for child in reversed(children.get(job.sequence, []))]


def _connected(lanes: Sequence[Lane]) -> list[Lane]:
    """Add the lines from each job to its children."""
    rows = {lane.job.sequence: row for row, lane in enumerate(lanes)}
    children: list[dict[float, None]] = [{} for _ in lanes]
    through: list[dict[float, None]] = [{} for _ in lanes]
    for row, lane in enumerate(lanes):
        if not lane.depth or lane.job.parent is None:
            continue
        above = rows[lane.job.parent]
        children[above][lane.enqueued] = None
        if row - above <= _NEAR:
            for between in range(above + 1, row):
                through[between][lane.enqueued] = None
    return [
        replace(lane, children=_few(children[row]), through=tuple(through[row]))
        for row, lane in enumerate(lanes)
    ]


def _few(places: Iterable[float]) -> tuple[float, ...]:
    """Return the first and the last places where there are so many that their lines would be a grey field."""
    every = tuple(places)
    return every if len(every) <= 2 * _NEAR else (*every[:_NEAR], *every[-_NEAR:])


class _Axis:
    """The places of events: of jobs that were enqueued, of attempts, and of due times without one."""

    def __init__(self, jobs: Sequence[ShownJob]) -> None:
        events: set[tuple[float, float]] = set()
        for job in jobs:
            events.add((job.enqueued, job.order))
            for attempt in job.attempts:
                events.add((attempt.at, attempt.order))
                if attempt.ended > attempt.at:
                    events.add((attempt.ended, attempt.order))
            if self._shows_due(job):
                events.add((job.due or 0.0, math.inf))
        self._events = sorted(events)
        self._places = self._placed()

    def of(self, at: float, order: float) -> float:
        return self._places[at, order]

    def end(self, attempt: ShownAttempt) -> float:
        return self.of(max(attempt.at, attempt.ended), attempt.order)

    def due(self, job: ShownJob) -> float | None:
        return self.of(job.due or 0.0, math.inf) if self._shows_due(job) else None

    def ticks(self) -> list[tuple[float, str]]:
        """Return the places and the labels of instants, as many as there is room for, the last one included."""
        first: dict[float, float] = {}
        for at, order in self._events:
            first.setdefault(at, self._places[at, order])
        instants = [(place, f"+{duration(at)}") for at, place in first.items()]
        found: list[tuple[float, str]] = []
        for tick in instants:
            if not found or tick[0] - found[-1][0] >= _APART:
                found.append(tick)
        if found and found[-1] != instants[-1]:
            if len(found) > 1:
                found.pop()
            found.append(instants[-1])
        return found

    @staticmethod
    def _shows_due(job: ShownJob) -> bool:
        if job.due is None:
            return False
        return not job.attempts or job.attempts[0].at > job.due

    def _placed(self) -> dict[tuple[float, float], float]:
        places = [0.0]
        room = max(1.0, len(self._events) / _FEW)
        for (before, _), (after, _) in pairwise(self._events):
            gap = after - before
            places.append(places[-1] + 1 + (room * (2 + 3 * math.log10(1 + gap)) if gap > 0 else 0))
        whole = max(places[-1], 1.0)
        # A few events of one instant need not be as far apart as the page is wide.
        share = min(1.0, whole / 12)
        scale = (_LAST - _FIRST) * share / whole
        return {
            event: round(_FIRST + place * scale, 2)
            for event, place in zip(self._events, places, strict=False)
        }
