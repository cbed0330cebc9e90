"""The story of a history that ended badly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ..harness.describe import error_text, short_name, short_repr, shortened
from .explorer import Exploration, Failure
from .plans import HISTORIES, HistoryName
from .points import Point
from .verdicts import Word
from .watching import Run

_STORY: Final[dict[HistoryName, str]] = {
    "twice": "delivered again after it was done",
    "restart": "delivered again after it was done, in a new process",
    "crash": "the worker was killed, and the job delivered again",
    "effect_fails": "an effect failed before it happened, and the job was delivered again",
    "reply_lost": "an effect happened and its answer was lost",
    "overlap": "a second delivery ran whole while the first was under way",
    "late": "delivered again long after",
    "lease_expires": "the first delivery paused past its lease, and a second ran meanwhile",
    "out_of_order": "another job ran in between",
}
_HINTS: Final[dict[tuple[Word, HistoryName | None], str]] = {
    (
        "DUPLICATE",
        "overlap",
    ): "take a lock that both deliveries see, or make the effect with a key that is derived "
    "from the arguments.",
    (
        "DUPLICATE",
        "lease_expires",
    ): "a lease may run out while its holder pauses: make the effect with a key too.",
    (
        "DUPLICATE",
        None,
    ): "give the effect an idempotency key that is derived from the arguments, or look it up before "
    "making it.",
    ("LOST", None): "mark the work as done after its effects, or in the same transaction.",
    (
        "STUCK",
        None,
    ): "let a later delivery take up what an earlier one left: a mark without an end is never taken away.",
    ("POISON", None): "let a delivery that finds the work done return, instead of failing.",
    ("DIVERGED", None): "write absolute values, or do everything in one transaction.",
}
_WIDTH: Final = 100


def report(
    name: str, exploration: Exploration, failure: Failure, names: Sequence[HistoryName]
) -> str:
    """Return what is said of an exploration that found a failure."""
    parts = [
        _headline(name, exploration, failure),
        _story(failure),
        _difference(failure),
        _closing(exploration, failure, names),
    ]
    return "\n\n".join(parts)


def _headline(name: str, exploration: Exploration, failure: Failure) -> str:
    arguments = [
        *map(short_repr, exploration.args),
        *(f"{word}={short_repr(value)}" for word, value in exploration.kwargs.items()),
    ]
    call = shortened(f"{short_name(name)}({', '.join(arguments)})", _WIDTH)
    verdict = failure.verdict
    return (
        f"{call} is not safe to deliver twice: {verdict.word} {verdict.what} "
        f"[{failure.plan.name}]\n{_STORY[failure.plan.name]}."
    )


def _story(failure: Failure) -> str:
    lines: list[str] = []
    for run in failure.runs:
        lines += _delivery(run)
    return "\n".join(lines)


def _delivery(run: Run) -> list[str]:
    lines = [f"delivery {run.number}"]
    for point, act in zip(run.points, run.point_acts, strict=True):
        if act is not None and point.kind == "after":
            lines.append(f"       {_source(point)}{act.kind}: {act.text}")
        if point is run.stopped_at:
            lines.append(f"  x    killed {_where(point)}")
            break
    lines.append(f"  {_ending(run)}")
    return lines


def _source(point: Point) -> str:
    if not point.filename:
        return ""
    return f"{Path(point.filename).name}:{point.line}  "


def _where(point: Point) -> str:
    if point.kind == "line":
        return f"before {Path(point.filename).name}:{point.line}: {point.text}"
    return f"{point.kind} {point.text}"


def _ending(run: Run) -> str:
    if run.stopped_at is not None:
        return "never ended"
    if run.spinning:
        return "waited for the other without end"
    if run.acknowledged:
        return "done"
    return f"failed: {error_text(run.error)}" if run.error is not None else "not done"


def _difference(failure: Failure) -> str:
    lines: list[str] = []
    told: list[tuple[Counter[str], Counter[str]]] = []
    for name, once, now in failure.verdict.differences:
        pair = _items(once), _items(now)
        if pair in told:
            continue
        told.append(pair)
        lines.append(f"{name}\n  once: {_value(once)}\n  now:  {_value(now)}")
    return "\n".join(lines) if lines else "the state is the same, but the job is never done."


def _items(value: Any) -> Counter[str]:
    """Return what a value holds, so that the calls of a fake are told once, by whichever name."""
    if isinstance(value, dict):
        return Counter({repr(key): count for key, count in value.items()})
    return Counter(map(repr, value)) if isinstance(value, tuple) else Counter([repr(value)])


def _value(value: Any) -> str:
    if isinstance(value, dict):
        shown = [f"{count} x {key!r}" for key, count in value.items()]
        return shortened(", ".join(shown) or "none", _WIDTH)
    return shortened("none" if value is None else repr(value), _WIDTH)


def _closing(exploration: Exploration, failure: Failure, names: Sequence[HistoryName]) -> str:
    verdict, plan = failure.verdict, failure.plan
    hint = _HINTS.get((verdict.word, plan.name)) or _HINTS[(verdict.word, None)]
    return f"Hint: {hint}\n{explored_text(exploration, names)}"


def explored_text(exploration: Exploration, names: Sequence[HistoryName]) -> str:
    """Say what was explored, and what was not."""
    left = [name for name in HISTORIES if name not in names]
    text = (
        f"Explored {exploration.histories} of {exploration.planned} histories at "
        f"{len(exploration.points)} points."
    )
    if exploration.inconclusive:
        calls = dict.fromkeys(call for _, call in exploration.inconclusive)
        text += (
            f" {len(exploration.inconclusive)} of them show nothing, since one delivery waited for the other at "
            f"{', '.join(calls)}."
        )
    if left:
        text += f" Not explored: {', '.join(left)}."
    if exploration.elsewhere:
        text += f" In other threads, and so not interrupted: {', '.join(exploration.elsewhere)}."
    if exploration.untraced:
        text += f" Lines not explored of: {', '.join(exploration.untraced)}."
    return text
