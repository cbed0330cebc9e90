"""Hints at what may help, by verdict and history. They are guesses, and shown as such."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..histories.plans import HistoryName
from ..histories.verdicts import Word

_KEY: Final = (
    "give the effect an idempotency key that is derived from the arguments, "
    "or look it up before making it."
)
_DROPPED: Final = (
    "the library gives the job up: let it be acknowledged after it ran and delivered again when it "
    "fails, by its settings or a retry rule."
)
_HINTS: Final[Mapping[tuple[Word, HistoryName | None], str]] = {
    ("DUPLICATE", "twice"): f"nothing tells the job that its work is done: {_KEY}",
    ("DUPLICATE", "restart"): (
        "what the job remembers in its module is gone with its process: remember it where the effect is."
    ),
    ("DUPLICATE", "crash"): (
        "a mark that is set after the effect is not set when the worker dies between the two: "
        + _KEY
    ),
    ("DUPLICATE", "effect_fails"): (
        "the delivery that failed had done a part of its work: do it all in one transaction, or give each "
        "effect a key that is derived from the arguments."
    ),
    ("DUPLICATE", "reply_lost"): (
        "an error does not say that nothing happened: try again with the same idempotency key, "
        "or look the effect up first."
    ),
    ("DUPLICATE", "overlap"): (
        "looking first and acting then leaves a gap: take a lock that both deliveries see, "
        "or make the effect with a key that is derived from the arguments."
    ),
    ("DUPLICATE", "late"): (
        "the key or the mark is another one by then: derive it from the arguments alone, "
        "and keep it for as long as a broker may deliver."
    ),
    ("DUPLICATE", "lease_expires"): (
        "a lease may run out while its holder pauses: make the effect with a key too."
    ),
    ("DUPLICATE", None): _KEY,
    ("LOST", "crash"): (
        "a mark that is set before the effect hides that it was never made: "
        "mark the work as done after its effects, or in the same transaction."
    ),
    ("LOST", "effect_fails"): (
        "the job is marked as done although an effect failed: let the error pass, "
        "and mark the work as done only after its effects."
    ),
    ("LOST", "overlap"): (
        "both deliveries read before either wrote: add in one statement, or lock what is read."
    ),
    ("LOST", None): "mark the work as done after its effects, or in the same transaction.",
    ("STUCK", None): (
        "a mark without an end is never taken away: "
        "let a later delivery take up what an earlier one left."
    ),
    (
        "POISON",
        "overlap",
    ): "the loser of a race fails for ever: let it return when the work is done.",
    ("POISON", None): "let a delivery that finds the work done return, instead of failing.",
    ("DIVERGED", "reply_lost"): (
        "an error does not say that nothing happened: do not record a failure before looking the effect up."
    ),
    ("DIVERGED", "overlap"): (
        "both deliveries read before either wrote: "
        "write absolute values, or lock what is read until it is written."
    ),
    ("DIVERGED", "out_of_order"): (
        "a late delivery overwrites what is newer: compare a version or a time before writing."
    ),
    ("DIVERGED", None): "write absolute values, or do everything in one transaction.",
}


def hint(word: Word, history: HistoryName, *, dropped: bool = False) -> str:
    """Return a hint.

    Args:
        word: the verdict.
        history: the history that failed.
        dropped: whether the library would never have delivered the job again.
    """
    if dropped:
        return _DROPPED
    return _HINTS.get((word, history)) or _HINTS[word, None]
