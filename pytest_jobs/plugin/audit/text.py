"""The section of the summary: findings by rank, jobs without one, and what was not checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Final

from ...harness.records.texts import counted
from .baseline import Baseline
from .findings import Finding, Kind
from .result import Audited, Result

_WAYS: Final = {
    "delivered": "delivered",
    "called": "called directly or performed at once",
    "pending": "only enqueued",
    "mocked": "only enqueued, and a mock kept it from its queue",
}
_HISTORIES: Final = {
    "crash": "killed",
    "effect_fails": "an effect fails",
    "twice": "delivered again after it was done",
}
#: What comes between a history and its place.
_AT: Final = {"crash": " ", "effect_fails": ": ", "twice": ", which repeats "}
_WIDTH: Final = 110


def section(result: Result, baseline: Baseline | None) -> Iterator[str]:
    """Yield the lines of the section.

    Args:
        result: what was found.
        baseline: the findings that are accepted; None if there are none.
    """
    if not result.is_begun:
        yield "The tests did not come to their end, so no job was checked."
        return
    yield from _findings(result, baseline)
    if baseline is not None:
        yield from _baseline(result, baseline)
    yield from _semantics(result.checked)
    yield from _without_finding([each for each in result.checked if not each.findings])
    yield from _not_checked(result.not_checked)
    for title, names in (
        (
            "Not checked, since the application performs them itself, at most once:",
            sorted(result.passed.difference(each.job for each in result.checked)),
        ),
        (
            "Delivered only by checks of the tests themselves:",
            sorted(result.only_own_checks),
        ),
        (
            f"{counted(len(result.unreached), 'job')} of the registries that no test reaches:",
            result.unreached,
        ),
    ):
        if names:
            yield from ("", title)
            yield from _listed(names)
    for check in (check for each in result.checked for check in each.checks if check.story):
        yield ""
        yield from check.story.splitlines()


def _findings(result: Result, baseline: Baseline | None) -> Iterator[str]:
    """Yield how much was checked, and the findings by rank."""
    causes: dict[object, list[tuple[Finding, Audited]]] = {}
    for each in result.checked:
        for finding in each.findings:
            if baseline is None or not baseline.reason(finding):
                causes.setdefault(finding.cause, []).append((finding, each))
    reached = counted(len(result.audited), "job")
    if not result.audited:
        yield "No test reaches a job, so this run shows nothing."
    elif not result.checked:
        yield f"{reached} reached, and none was checked, so this run shows nothing."
    else:
        yield f"{reached} reached, {len(result.checked)} checked, {counted(len(causes), 'finding')}."
    if result.past:
        yield (
            f"Not seen: the jobs that {counted(len(result.past), 'test')} enqueued outside of any harness. Add "
            "--jobs-inline, which performs each job where it is enqueued."
        )
    for kind in Kind:
        found = [same for same in causes.values() if same[0][0].kind is kind]
        if found:
            yield ""
            yield f"{kind.value}:"
        for same in found:
            yield from _finding(same)
            if baseline is not None and baseline.reason(same[0][0]) == "":
                yield f"  {baseline.name} lists it without a reason: write one if it is to be accepted"


def _baseline(result: Result, baseline: Baseline) -> Iterator[str]:
    """Yield what the baseline accepts, and what it can do without."""
    reasons = {finding.key: baseline.reason(finding) for finding in result.findings}
    accepted = [f"- {verdict} in {job}: {why}" for (_, job, verdict), why in reasons.items() if why]
    gone = [f"- {verdict} in {job}" for _, job, verdict in baseline.gone(result)]
    for title, lines in (
        (f"Accepted by {baseline.name}:", accepted),
        (
            f"Not found again, so {baseline.name} can do without (--jobs-audit-update takes it out):",
            gone,
        ),
    ):
        if lines:
            yield from ("", title, *lines)


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
    yield f"  reached by {counted(audited.tests, 'test')} ({ways})"
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
        yield f"- {text.removeprefix('delivery: ')} ({counted(len(names), 'job')})"


def _without_finding(found: Sequence[Audited]) -> Iterator[str]:
    if found:
        yield ""
        yield "No finding:"
    for each in found:
        left = dict.fromkeys(check.left_out for check in each.checks if check.left_out)
        part = f", in part: {'; '.join(left)}" if left else ""
        yield f"  {each.job} ({counted(len(each.checks), 'check')}{part})"


def _not_checked(found: Sequence[Audited]) -> Iterator[str]:
    """Yield the jobs without a check, by reason: its first sentence says why, and the others what to write."""
    groups: dict[str, tuple[str, list[str]]] = {}
    for each in found:
        why, stop, rest = each.why_not.partition(". ")
        groups.setdefault(f"{why}{stop}".rstrip(), (rest, []))[1].append(each.job)
    if groups:
        yield ""
        yield "Not checked:"
    for why, (rest, jobs) in sorted(groups.items(), key=lambda group: -len(group[1][1])):
        yield from wrap(f"- {why}", _WIDTH, subsequent_indent="  ")
        yield from wrap(rest, _WIDTH, initial_indent="  ", subsequent_indent="  ")
        yield from wrap(", ".join(jobs), _WIDTH, initial_indent="    ", subsequent_indent="    ")


def _listed(names: Iterable[str]) -> Iterator[str]:
    return (f"  {name}" for name in names)
