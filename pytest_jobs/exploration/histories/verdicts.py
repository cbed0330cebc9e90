"""The verdict on a history: how its end differs from that of one clean run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from ...errors import DivergedState, DuplicateEffect, LostEffect, NotIdempotent, PoisonJob, StuckJob
from ..engine.sameness.differences import MISSING, differences
from ..engine.watching import Run

Word: TypeAlias = Literal["DUPLICATE", "LOST", "DIVERGED", "POISON", "STUCK"]

ERRORS: Final[Mapping[Word, type[NotIdempotent]]] = {
    "DUPLICATE": DuplicateEffect,
    "LOST": LostEffect,
    "DIVERGED": DivergedState,
    "POISON": PoisonJob,
    "STUCK": StuckJob,
}


@dataclass(frozen=True)
class Verdict:
    """How the end of a history differs from that of one clean run."""

    word: Word
    #: A name of the state, or an effect.
    what: str
    #: Each name that differs, its value after one clean run, and its value now.
    differences: tuple[tuple[str, Any, Any], ...]
    error: BaseException | None = None


def judge(
    wanted: Mapping[str, Any],
    found: Mapping[str, Any],
    initial: Mapping[str, Any],
    last: Run,
    at_least_once: Collection[str],
) -> Verdict | None:
    """Return the verdict on a history; None if it ended as one clean run does.

    Args:
        wanted: what is observed after one clean run.
        found: what is observed at the end of the history.
        initial: what is observed before the first delivery.
        last: the last delivery.
        at_least_once: names that may have more than wanted.
    """
    differing = [
        difference
        for difference in differences(wanted, found)
        if not _is_accepted(difference, at_least_once)
    ]
    if not (last.acknowledged or last.dropped):
        name = type(last.error).__name__ if last.error is not None else "no end"
        return Verdict("POISON", name, tuple(differing), last.error)
    if not differing:
        return None
    words: list[tuple[Word, str]] = [
        (_word(once, now, initial.get(name, MISSING)), name)
        for name, once, now in _worst_first(differing)
    ]
    ranks = {word: rank for rank, word in enumerate(ERRORS)}
    word, name = min(words, key=lambda pair: ranks[pair[0]])
    return Verdict(
        word, _what(name, wanted.get(name, MISSING), found.get(name, MISSING)), tuple(differing)
    )


def _what(name: str, once: Any, now: Any) -> str:
    """Return the name of an effect as precisely as possible: `gateway.charge` rather than `gateway`."""
    kind = name.removesuffix(" calls")
    wanted, found = _counted(once), _counted(now)
    if kind == name or wanted is None or found is None:
        return name
    key = next(iter((found - wanted) or (wanted - found)), None)
    if isinstance(key, tuple) and key and isinstance(key[0], str) and key[0] != kind:
        is_method = key[0].replace("().", ".").replace(".", "").isidentifier()
        joint = "." if kind != "enqueue" and is_method else " "
        return f"{kind}{joint}{key[0]}"
    return kind


def _worst_first(differing: list[tuple[str, Any, Any]]) -> list[tuple[str, Any, Any]]:
    """Sort effects before state: they are the cause, and cannot be undone."""
    return sorted(differing, key=lambda difference: not difference[0].endswith(" calls"))


def _word(once: Any, now: Any, before: Any) -> Word:
    wanted, found = _counted(once), _counted(now)
    if wanted is not None and found is not None:
        if found - wanted and not wanted - found:
            return "DUPLICATE"
        if wanted - found and not found - wanted:
            return "LOST"
    if now == before and once != before:
        return "STUCK"
    return "DIVERGED"


def _counted(value: Any) -> Counter[Any] | None:
    if isinstance(value, dict):
        return Counter(value)
    if value is None or value is MISSING:
        return Counter()
    if isinstance(value, tuple):
        return Counter(value)
    return None


def _is_accepted(difference: tuple[str, Any, Any], at_least_once: Collection[str]) -> bool:
    name, once, now = difference
    if name.removesuffix(" calls") not in at_least_once and name not in at_least_once:
        return False
    wanted, found = _counted(once), _counted(now)
    return wanted is not None and found is not None and set(wanted) == set(found)
