"""The section of the summary: findings by rank, jobs without one, and what was not checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Final

from ..adversary.plugin import several
from .arrivals import Way
from .checking import Checked
from .findings import Finding, Kind

_WAYS: Final = {
    "delivered": "delivered",
    "called": "called directly or performed at once",
    "pending": "only enqueued",
}
_HISTORIES: Final = {
    "crash": "killed",
    "effect_fails": "an effect fails",
    "twice": "delivered again after it was done",
}
#: What comes between a history and its place.
_AT: Final = {"crash": " ", "effect_fails": ": ", "twice": ", which repeats "}
_WIDTH: Final = 110


@dataclass
class Audited:
    """One job of the suite, and what became of its checks."""

    job: str
    #: How many tests reach it, and how.
    tests: int
    ways: Sequence[Way]
    checks: list[Checked] = field(default_factory=list)
    refusals: int = 0
    #: Why tests show nothing.
    reasons: dict[str, None] = field(default_factory=dict)
    #: Whether the audit has come to its end with it.
    is_done: bool = False

    @property
    def findings(self) -> list[Finding]:
        return [finding for check in self.checks for finding in check.findings]

    def note(self, checked: Checked) -> None:
        """Note a check, or why there is none."""
        if checked.refused:
            self.refusals += 1
            self.reasons[checked.refused] = None
        elif not checked.is_other:
            self.checks.append(checked)

    def note_no_time(self, seconds: float) -> None:
        self.reasons[f"no time was left of {seconds:g} s of computing: raise --jobs-audit-time"] = (
            None
        )


def section(
    audited: Sequence[Audited],
    *,
    unreached: Sequence[str],
    own_checks: Sequence[str],
    passed: Sequence[str],
    past: int,
    is_over: bool,
) -> Iterator[str]:
    """Yield the lines of the section.

    Args:
        audited: the jobs that tests reach.
        unreached: the names of the jobs that only the registries know.
        own_checks: the names of the jobs that only checks of the tests themselves deliver.
        passed: the names of jobs that the application itself performs, at most once.
        past: how many tests enqueue jobs outside of any harness, and reach none.
        is_over: whether the tests came to their end, so that the second pass began.
    """
    if not is_over:
        yield "The tests did not come to their end, so no job was checked."
        return
    checked = [each for each in audited if each.checks]
    yield from _findings(audited, checked, past)
    yield from _semantics(checked)
    yield from _without_finding([each for each in checked if not each.findings])
    yield from _not_checked([each for each in audited if not each.checks])
    if passed:
        yield ""
        yield "Not checked, since the application performs them itself, at most once:"
        yield from _listed(passed)
    if own_checks:
        yield ""
        yield "Delivered only by checks of the tests themselves:"
        yield from _listed(own_checks)
    if unreached:
        yield ""
        yield f"{several(len(unreached), 'job')} of the registries that no test reaches:"
        yield from _listed(unreached)
    for check in (check for each in checked for check in each.checks if check.story):
        yield ""
        yield from check.story.splitlines()


def _findings(audited: Sequence[Audited], checked: Sequence[Audited], past: int) -> Iterator[str]:
    """Yield how much was checked, and the findings by rank."""
    causes: dict[object, list[tuple[Finding, Audited]]] = {}
    for each in checked:
        for finding in each.findings:
            causes.setdefault(finding.cause, []).append((finding, each))
    if not audited:
        yield "No test reaches a job, so this run shows nothing."
    elif not checked:
        yield f"{several(len(audited), 'job')} reached, and none was checked, so this run shows nothing."
    else:
        yield (
            f"{several(len(audited), 'job')} reached, {len(checked)} checked, "
            f"{several(len(causes), 'finding')}."
        )
    if past:
        yield (
            f"Not seen: the jobs that {several(past, 'test')} enqueued outside of any harness. Add --jobs-inline, "
            "which performs each job where it is enqueued."
        )
    for kind in Kind:
        found = [same for same in causes.values() if same[0][0].kind is kind]
        if found:
            yield ""
            yield f"{kind.value}:"
        for same in found:
            yield from _finding(same)


def _finding(same: Sequence[tuple[Finding, Audited]]) -> Iterator[str]:
    """Yield the lines of one finding, which several jobs may have."""
    finding, audited = same[0]
    yield f"- {finding.verdict} in {finding.call}"
    told = _HISTORIES[finding.history]
    place = f" ({finding.place})" if finding.place else ""
    yield f"  {told}{_AT[finding.history]}{finding.at}{place}" if finding.at else f"  {told}"
    if finding.stands_for:
        yield f"  a double stands in the place of {finding.stands_for}"
    yield from wrap(f"hint: {finding.hint}", _WIDTH, initial_indent="  ", subsequent_indent="  ")
    ways = " and ".join(_WAYS[way] for way in audited.ways)
    yield f"  reached by {several(audited.tests, 'test')} ({ways})"
    others = dict.fromkeys(each.job for each, _ in same if each.job != finding.job)
    if others:
        yield f"  so are {', '.join(others)}" if len(others) > 1 else f"  so is {', '.join(others)}"
    yield f"  replay: {finding.replay}"


def _semantics(checked: Iterable[Audited]) -> Iterator[str]:
    """Yield once for each library what it does with the jobs that have findings."""
    jobs: dict[str, dict[str, None]] = {}
    for each in checked:
        for finding in each.findings:
            jobs.setdefault(finding.semantics, {})[finding.job] = None
    if jobs:
        yield ""
        yield "What the library does with these jobs:"
    for text, names in jobs.items():
        yield f"- {text.removeprefix('delivery: ')} ({several(len(names), 'job')})"


def _without_finding(found: Sequence[Audited]) -> Iterator[str]:
    if found:
        yield ""
        yield "No finding:"
    for each in found:
        left = dict.fromkeys(check.left_out for check in each.checks if check.left_out)
        part = f", in part: {'; '.join(left)}" if left else ""
        yield f"  {each.job} ({several(len(each.checks), 'check')}{part})"


def _not_checked(found: Sequence[Audited]) -> Iterator[str]:
    """Yield the jobs without a check, by reason."""
    reasons: dict[tuple[str, ...], list[str]] = {}
    for each in found:
        why = tuple(each.reasons) if each.is_done else ("the audit was interrupted before it",)
        reasons.setdefault(why, []).append(each.job)
    if reasons:
        yield ""
        yield "Not checked:"
    for why, jobs in sorted(reasons.items(), key=lambda pair: -len(pair[1])):
        yield from _listed(jobs)
        for text in why:
            indent = "    "
            yield from wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)


def _listed(names: Iterable[str]) -> Iterator[str]:
    return (f"  {name}" for name in names)
