"""The verdict on a history: how its end differs from that of one clean run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from ...errors import (
    DivergedState,
    DuplicateEffect,
    HalfDone,
    LostEffect,
    NotIdempotent,
    PoisonJob,
    StuckJob,
)
from ..engine.points import Origin
from ..engine.run import Run
from ..engine.sameness.differences import MISSING, differences
from ..engine.sameness.renaming import whole
from .children import Child
from .halves import Half, Place, are_files, has_only, leaves
from .repeatable import Repeatable

Word: TypeAlias = Literal["DUPLICATE", "LOST", "DIVERGED", "POISON", "STUCK", "HALF_DONE"]

ERRORS: Final[Mapping[Word, type[NotIdempotent]]] = {
    "DUPLICATE": DuplicateEffect,
    "LOST": LostEffect,
    "DIVERGED": DivergedState,
    "POISON": PoisonJob,
    "STUCK": StuckJob,
    "HALF_DONE": HalfDone,
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
    #: Where the error was raised.
    origin: Origin | None = None
    #: What stays half done for ever, if that is what it is about.
    half: Half | None = None

    def __str__(self) -> str:
        return f"{self.word} {self.what}"

    @property
    def where(self) -> str:
        """Where a job that always fails does so; empty for other verdicts."""
        return f" at {self.origin}" if self.word == "POISON" and self.origin is not None else ""


def judge(
    wanted: Mapping[str, Any],
    found: Mapping[str, Any],
    initial: Mapping[str, Any],
    last: Run,
    at_least_once: Collection[str],
    repeatable: Repeatable,
    failed_child: Child | None = None,
    late: Mapping[Place, Any] = MappingProxyType({}),
) -> Verdict | None:
    """Return the verdict on a history; None if it ended as one clean run does.

    What is observed is wanted after one clean run, found at the end of the history, and initial before its first
    delivery. No child fails after one clean run. Values are late that are other ones after any later delivery.
    """
    differing = [
        difference
        for difference in counting_differences(wanted, found, repeatable)
        if not is_accepted(difference, at_least_once) and not has_only(difference, late)
    ]
    ranked = sorted(differing, key=lambda difference: _rank(difference, initial))
    words: dict[str, Word] = {
        name: _word(once, now, initial.get(name, MISSING)) for name, once, now in ranked
    }
    first = words[ranked[0][0]] if ranked else None
    is_done = last.acknowledged or last.dropped
    if last.used_up_retries:
        # Its library is done with the job, and the job with its work at most if an effect happened twice.
        is_done = first == "DUPLICATE"
    # The work of which there is too much was done.
    undone = [difference for difference in ranked if words[difference[0]] != "DUPLICATE"]
    asks = last.asks_again or last.used_up_retries
    if not is_done and not (undone and asks):
        name = type(last.error).__name__ if last.error is not None else "no end"
        return Verdict("POISON", name, tuple(differing), last.error, last.origin)
    if not differing:
        if failed_child is None:
            return None
        error = failed_child.run.error
        what = f"{type(error).__name__} in {failed_child.record.name}"
        return Verdict("POISON", what, (), error, failed_child.run.origin)
    worst = ranked[0] if is_done else undone[0]
    word = words[worst[0]] if is_done else "STUCK"
    return Verdict(word, what_of(worst), tuple(differing), last.error, last.origin)


def abandoned(left: Sequence[Half]) -> Verdict:
    """Return the verdict on a job that is never delivered again, and leaves something that is half done."""
    return Verdict(
        "HALF_DONE",
        left[0].label,
        tuple((half.label, half.after, half.now) for half in left),
        half=left[0],
    )


def counting_differences(
    wanted: Mapping[str, Any], found: Mapping[str, Any], repeatable: Repeatable
) -> list[tuple[str, Any, Any]]:
    """Return what differs, without what may happen again in each history."""
    return [
        difference
        for difference in differences(wanted, found)
        if not (repeatable and repeatable.takes(difference[0]) and is_more_of_the_same(difference))
    ]


def what_of(difference: tuple[str, Any, Any]) -> str:
    """Return the name of an effect as precisely as possible: `gateway.charge` rather than `gateway`."""
    return next(iter(names_in(difference)), difference[0])


def names_in(difference: tuple[str, Any, Any]) -> dict[str, None]:
    """Return the names of all effects that differ, or that of a part of the state."""
    name, once, now = difference
    kind = name.removesuffix(" calls")
    wanted, found = counted(once), counted(now)
    if kind == name or wanted is None or found is None:
        return {name: None}
    return dict.fromkeys(precise(kind, form) for form in (found - wanted) or (wanted - found))


def precise(kind: str, form: Any) -> str:
    """Return the name of an effect with the method of the call that is compared, if it begins with one."""
    if not (isinstance(form, tuple) and form and isinstance(form[0], str) and form[0] != kind):
        return kind
    is_method = form[0].replace("().", ".").replace(".", "").isidentifier()
    joint = "." if kind != "enqueue" and is_method else " "
    return f"{kind}{joint}{form[0]}"


def _rank(
    difference: tuple[str, Any, Any], initial: Mapping[str, Any]
) -> tuple[bool, bool, bool, int]:
    """Return a number by which the difference that the reader cares about most comes first.

    Effects come before state: they are the cause, and cannot be undone. A part of the state of which one clean
    run leaves nothing, such as the lock of a delivery that died, comes after the work, and a file after the table
    that is in it.
    """
    name, once, now = difference
    is_state = not name.endswith(" calls")
    word = _word(once, now, initial.get(name, MISSING))
    return (
        is_state,
        is_state and counted(once) == Counter(),
        are_files(name),
        list(ERRORS).index(word),
    )


def _word(once: Any, now: Any, before: Any) -> Word:
    before = whole(before)
    wanted, found = counted(once), counted(now)
    if wanted is not None and found is not None and wanted - found and not found - wanted:
        return "LOST"
    if has_only_more(once, now) and not _is_still_there(once, now, before):
        return "DUPLICATE"
    if now == before and once != before:
        return "STUCK"
    return "DIVERGED"


def _is_still_there(once: Any, now: Any, before: Any) -> bool:
    """Return whether what is too much was there before, and one clean run takes it away."""
    found = [forms for _, forms in leaves((once, now, before)) if forms[0] != forms[1]]
    # Names that are computed may be the same, so that nothing tells them apart.
    return bool(found) and all(_is_left(*forms) for forms in found)


def _is_left(once: Any, now: Any, before: Any) -> bool:
    wanted, found, initial = counted(once), counted(now), counted(before)
    if wanted is None or found is None or initial is None:
        return bool(now == before)
    return not (found - wanted) - (initial - wanted)


def has_only_more(once: Any, now: Any) -> bool:
    """Return whether a value only has more items than before, in itself or in a list somewhere within it."""
    wanted, found = counted(once), counted(now)
    if wanted is None or found is None or wanted == found:
        return False
    if not wanted - found:
        return True
    if isinstance(once, dict) and isinstance(now, dict):
        # Calls, and what a list of a service has in the end.
        once = tuple(sorted((wanted - found).elements(), key=repr))
        now = tuple(sorted((found - wanted).elements(), key=repr))
    if not isinstance(once, tuple) or not isinstance(now, tuple) or len(once) != len(now):
        return False
    return all(
        one == other or has_only_more(one, other) for one, other in zip(once, now, strict=True)
    )


def counted(value: Any) -> Counter[Any] | None:
    if isinstance(value, dict):
        return Counter(value)
    if value is None or value is MISSING:
        return Counter()
    if isinstance(value, tuple):
        return Counter(value)
    return None


def is_accepted(difference: tuple[str, Any, Any], at_least_once: Collection[str]) -> bool:
    """Return whether a part differs only by how often something happened, and its name is among those."""
    name = difference[0]
    is_named = name.removesuffix(" calls") in at_least_once or name in at_least_once
    return is_named and is_more_of_the_same(difference)


def is_more_of_the_same(difference: tuple[str, Any, Any]) -> bool:
    """Return whether something only happened more often than in one clean run."""
    _, once, now = difference
    wanted, found = counted(once), counted(now)
    return wanted is not None and found is not None and set(wanted) == set(found)
