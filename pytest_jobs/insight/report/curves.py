"""The waits between attempts, as curves: one for each schedule of retries that tests have shown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ...harness.records.texts import duration
from .data import TONES, ShownAttempt, ShownRun, Tone

WIDTH: Final = 320
HEIGHT: Final = 132
_LEFT, _RIGHT, _TOP, _BOTTOM = 12, 308, 24, 104
#: The first waits are named; the others are in the curve.
_NAMED: Final = 8


@dataclass(frozen=True, slots=True)
class Curve:
    """One schedule of retries. Places are in pixels of a picture of `WIDTH` and `HEIGHT`."""

    #: The jobs that have it.
    names: Sequence[str]
    waits: Sequence[float]
    #: How the job ended that went furthest.
    outcome: str
    points: Sequence[tuple[float, float]]
    #: The band in which jitter may put the waits, as the points of a polygon; empty without jitter.
    band: Sequence[tuple[float, float]]

    @property
    def tone(self) -> Tone:
        return TONES.get(self.outcome, "quiet")

    @property
    def line(self) -> str:
        return " ".join(f"{x},{y}" for x, y in self.points)

    @property
    def area(self) -> str:
        return " ".join(f"{x},{y}" for x, y in self.band)

    @property
    def labels(self) -> list[tuple[float, float, str]]:
        """The place and the text of the first and of the last wait, above their points."""
        shown = [0, len(self.waits) - 1] if len(self.waits) > 1 else [0]
        return [
            (self.points[index][0], self.points[index][1] - 9, duration(self.waits[index]))
            for index in shown
        ]

    @property
    def text(self) -> str:
        """The schedule in one sentence."""
        named = ", ".join(map(duration, self.waits[:_NAMED]))
        more = f" and {len(self.waits) - _NAMED} more" if len(self.waits) > _NAMED else ""
        count = len(self.waits)
        waits = "1 wait" if count == 1 else f"{count} waits"
        return f"{waits}, {duration(sum(self.waits))} in all: {named}{more}"


def curves(runs: Iterable[ShownRun]) -> list[Curve]:
    """Return the schedules that jobs followed, the longest first.

    Of one job only the longest run counts: a shorter one is the same schedule, ended earlier.
    """
    longest: dict[str, tuple[list[ShownAttempt], str]] = {}
    for run in runs:
        waited = [attempt for attempt in run.attempts if attempt.wait is not None]
        known = longest.get(run.name)
        if waited and (known is None or len(waited) > len(known[0])):
            longest[run.name] = waited, run.outcome
    alike: dict[tuple[float, ...], list[str]] = {}
    for name, (waited, _) in sorted(longest.items()):
        alike.setdefault(tuple(attempt.wait or 0.0 for attempt in waited), []).append(name)
    found = [_curve(names, *longest[names[0]]) for names in alike.values()]
    return sorted(found, key=lambda curve: (-len(curve.waits), *curve.names))


def _curve(names: Sequence[str], waited: Sequence[ShownAttempt], outcome: str) -> Curve:
    waits = [attempt.wait or 0.0 for attempt in waited]
    bounds = [attempt.bounds or (wait, wait) for attempt, wait in zip(waited, waits, strict=True)]
    highest = max(*(high for _, high in bounds), *waits, 1.0)

    def y_of(wait: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * math.log10(1 + wait) / math.log10(1 + highest), 1)

    step = (_RIGHT - _LEFT) / max(len(waits) - 1, 1)
    xs = [round(_LEFT + step * index, 1) for index in range(len(waits))]
    has_jitter = any(low != high for low, high in bounds)
    upper = [(x, y_of(high)) for x, (_, high) in zip(xs, bounds, strict=True)]
    lower = [(x, y_of(low)) for x, (low, _) in zip(xs, bounds, strict=True)]
    return Curve(
        names,
        waits,
        outcome,
        [(x, y_of(wait)) for x, wait in zip(xs, waits, strict=True)],
        [*upper, *reversed(lower)] if has_jitter and len(waits) > 1 else [],
    )
