"""What the summary of a session says about its checks: how much they explored, and what they left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from ..exploration.histories.plans import HANDOFFS, HISTORIES
from ..exploration.report.audience import GUESSED
from ..harness.records.texts import counted

#: What a report says about one check: a `CheckNote` in plain values.
Note: TypeAlias = Mapping[str, Any]

#: How many jobs the summary names.
_NAMED: Final = 5


def summary(notes: Sequence[tuple[str, Note]], *, verbose: bool) -> Iterator[str]:
    """Yield the lines about some checks.

    Args:
        notes: the id of a test and the note of a check in it, for each check.
        verbose: whether each test gets a line.
    """
    yield f"passed: {_total([note for _, note in notes])}"
    if verbose:
        for nodeid in dict.fromkeys(nodeid for nodeid, _ in notes):
            yield f"{nodeid}: {_total([note for test, note in notes if test == nodeid])}"
    for nodeid, note in notes:
        if note["left_out"]:
            yield f"{nodeid}: {note['job']}: left out {'; '.join(note['left_out'])}"
    remarks = dict.fromkeys(remark for _, note in notes for remark in note["remarks"])
    for remark in remarks:
        jobs = dict.fromkeys(note["job"] for _, note in notes if remark in note["remarks"])
        yield f"{_named(jobs, verbose)}: {remark}"
    for library in dict.fromkeys(note["forgives"] for _, note in notes if note["forgives"]):
        jobs = dict.fromkeys(note["job"] for _, note in notes if note["forgives"] == library)
        yield f"passed only by redeliveries that {library} does not make: {_named(jobs, verbose)}"
    guesses = dict.fromkeys(guess for _, note in notes for guess in note["guesses"])
    if guesses:
        yield f"{GUESSED}: {_named(guesses, verbose)}"


def _named(names: Collection[str], verbose: bool) -> str:
    """Return the first few of some names, or all of them."""
    shown = [*names] if verbose else [*names][:_NAMED]
    more = f" and {len(names) - len(shown)} more (-v)" if len(names) > len(shown) else ""
    return f"{', '.join(shown)}{more}"


def _total(notes: Sequence[Note]) -> str:
    """Return how much some checks explored, of which jobs, and which histories none of them did of a job."""
    histories = sum(note["histories"] for note in notes)
    jobs = list(dict.fromkeys(note["job"] for note in notes))
    named = ", ".join(jobs[:_NAMED])
    more = f" and {len(jobs) - _NAMED} more" if len(jobs) > _NAMED else ""
    checks = f"{counted(len(notes), 'check')} of {named}{more}"
    text = f"{checks}, {counted(histories, 'history')}"
    for what, key in (("not explored", "not_asked"), ("nothing to try for", "nothing_to_try")):
        told = [
            name if len(without) == len(jobs) else f"{name} (of {counted(len(without), 'job')})"
            for name in dict.fromkeys((*HISTORIES, *HANDOFFS))
            if (without := _without(name, key, notes))
        ]
        text += f"; {what}: {', '.join(told)}" if told else ""
    return text


def _without(name: str, key: str, notes: Sequence[Note]) -> set[str]:
    """Return the jobs of which some check left a history out so, and none tried it: checks add up."""
    tried = {
        note["job"] for note in notes if name not in (*note["not_asked"], *note["nothing_to_try"])
    }
    return {note["job"] for note in notes if name in note[key]} - tried
