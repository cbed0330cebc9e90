"""Hints at what may help, by verdict and history. They are guesses, and shown as such."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ..engine.acts import Act
from ..engine.run import Run
from ..histories.exploration import Failure
from ..histories.plans import AnyHistory
from ..histories.verdicts import Word


@dataclass(frozen=True)
class Habits:
    """What a job does already, so that no hint advises it."""

    #: The idempotency keys that were sent with the effect of the verdict.
    keys: frozenset[str] = frozenset()
    #: A parameter of that effect that may carry a key of which its stand-in does not know; "" if there is none.
    unknown: str = ""
    #: The function of the project that makes the effect and in whose place a double lies; "" if there is none.
    stands_for: str = ""
    #: How many transactions it commits in one clean run.
    commits: int = 2
    #: Whether all of its work is done when it fails.
    is_done: bool = True
    #: Whether the library drops it as configured.
    is_dropped: bool = False
    #: The error by which it fails while it handles that of an effect; None if it does not.
    other_error: BaseException | None = None

    #: Whether a job that it enqueues has run before its own work was done.
    hands_off_early: bool = False

    @classmethod
    def of(cls, failure: Failure, reference: Run) -> Habits:
        """Return them as a history and the clean run show them."""
        what = failure.verdict.what
        runs = [*failure.runs, *(child.run for child in failure.children)]
        acts = [act for run in runs for act in run.point_acts if act is not None]
        effects = [act for act in acts if what == act.kind or what.startswith(f"{act.kind}.")]
        keys = [_key_of(act) for act in effects]
        committing = [
            act
            for act, point in zip(reference.point_acts, reference.points, strict=True)
            if act is not None and point.kind == "before" and act.is_commit
        ]
        return cls(
            # A key beside a call without one is of another effect.
            frozenset() if None in keys else frozenset(map(repr, keys)),
            next((name for act in effects for name in _likely_keys(act)), ""),
            next((act.stands_for for act in effects if act.stands_for), ""),
            len(committing),
            not failure.verdict.differences,
            failure.runs[-1].dropped,
            failure.runs[-1].error if failure.runs[-1].failed_otherwise else None,
            any(child.is_early for child in failure.children)
            # Behind the last of them the job only ends.
            and len(failure.runs[0].points) + 1 < len(reference.points),
        )


def _key_of(act: Act) -> object:
    return act.key if act.sent_key is None else act.sent_key


def _likely_keys(act: Act) -> Iterator[str]:
    """Yield the parameters of a call without a known key whose names make a key of them."""
    parts = act.value if isinstance(act.value, tuple) and _key_of(act) is None else ()
    for part in parts:
        is_named = isinstance(part, tuple) and len(part) == len(("name", "value"))
        if is_named and isinstance(part[0], str) and "key" in part[0] and part[1] is not None:
            yield part[0]


_KEY: Final = (
    "give the effect an idempotency key that is derived from the arguments, "
    "or look it up before making it."
)
_DROPPED: Final = (
    "the library gives the job up: let it be acknowledged after it ran and delivered again when it "
    "fails, by its settings, by a retry rule, or in a library that keeps jobs."
)
#: So many commits have a moment between them.
_SEVERAL: Final = 2
_HALF_DONE: Final = (
    "a delivery that ends between two commits leaves half of the work, which the next takes for the whole: do "
    "everything in one transaction."
)
_ABSOLUTE: Final = (
    "each delivery changes what the one before it left: write absolute values, or look first whether the work is "
    "done."
)
_EARLY: Final = (
    "a worker may take a job as soon as it is enqueued: enqueue it when all that it reads is written, after the "
    "commit."
)
_TAKE_UP: Final = "let a later delivery take up what an earlier one left."
_OTHER_KEYS: Final = (
    "the deliveries sent different idempotency keys: derive the key from the arguments alone."
)
_UNKNOWN_KEY: Final = (
    "if {0}= is an idempotency key that the service knows, say so by fake(..., key={0!r}). If it is none, send "
    "one that is derived from the arguments, or look the effect up before making it."
)
_OWN: Final = (
    "{0} is of the project, and the test has put a double in its place: it may look by itself whether the work is "
    "done, which the double hides. To check that, put the original back, and a fake in the place of what it calls."
)
_FORGOTTEN_KEY: Final = (
    "the receiver did not know the key any more: look the effect up before making it, or let the job keep a mark "
    "of it for as long as a broker may deliver."
)
_HINTS: Final[Mapping[tuple[Word, AnyHistory | None], str]] = {
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
    ("LOST", "limit_fires"): (
        "the job ends as done although its time limit has cut it off: let the error of the limit pass, and "
        "let the library deliver the job again after it."
    ),
    ("LOST", "overlap"): (
        "both deliveries read before either wrote: add in one statement, or lock what is read."
    ),
    ("LOST", None): "mark the work as done after its effects, or in the same transaction.",
    ("STUCK", None): (
        "what one delivery left keeps the later ones from the work: let a mark or a lock end before they stop "
        "coming, or let a later delivery take up what an earlier one left."
    ),
    (
        "POISON",
        "overlap",
    ): "the loser of a race fails for ever: let it return when the work is done.",
    ("HALF_DONE", None): (
        "nobody takes up what a killed worker leaves: let a recurring job find what has been under way for too "
        "long, give the mark an end, or let the library deliver the job again (acknowledged after it ran, by its "
        "settings, by a retry rule, or in a library that keeps jobs)."
    ),
    ("POISON", None): "let a delivery that finds the work done return, instead of failing.",
    ("DIVERGED", "crash"): _HALF_DONE,
    ("DIVERGED", "effect_fails"): _HALF_DONE,
    ("DIVERGED", "twice"): _ABSOLUTE,
    ("DIVERGED", "restart"): _ABSOLUTE,
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
    ("DIVERGED", None): _TAKE_UP,
}


def hint(word: Word, history: AnyHistory, does: Habits | None = None) -> str:
    does = does or Habits()
    text = _likely(word, history, does)
    if word == "DUPLICATE" and does.stands_for:
        return f"{text} {_OWN.format(does.stands_for)}"
    return text


def _likely(word: Word, history: AnyHistory, does: Habits) -> str:
    if does.other_error is not None:
        return (
            f"the job handles the error of its effect and raises {does.other_error!r} there, for which its "
            "library has no rule, so it never comes again: mend the lines that handle the error."
        )
    if does.is_dropped and word != "HALF_DONE":
        return _DROPPED
    if word == "DUPLICATE" and does.keys:
        return _OTHER_KEYS if len(does.keys) > 1 else _FORGOTTEN_KEY
    if word == "DUPLICATE" and does.unknown:
        return _UNKNOWN_KEY.format(does.unknown)
    if does.hands_off_early and word in ("DIVERGED", "POISON"):
        return _EARLY
    if word == "POISON" and not does.is_done:
        return f"{_TAKE_UP.rstrip('.')}, instead of failing."
    found = _HINTS.get((word, history)) or _HINTS[word, None]
    if found == _HALF_DONE and does.commits < _SEVERAL:
        return _TAKE_UP
    return found
