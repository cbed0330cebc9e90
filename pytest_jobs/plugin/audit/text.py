"""What an audit says: findings by rank, jobs without one, and what was not checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Final

from ...harness.records.texts import counted
from ...insight.reached.reached import JobsReached, ReachedJob
from ...insight.seen.audited import ShownAudit, ShownFinding, ShownGroup, ShownPart, ShownRank
from .findings import Finding, Kind, causes
from .handoffs import Handoffs
from .result import Accepted, Audited, Result

_WAYS: Final = {
    "delivered": "delivered",
    "called": "called directly or performed at once",
    "enqueued": "only enqueued",
    "mocked": "only enqueued, and a mock or an open transaction kept it from its queue",
}
_HISTORIES: Final = {
    "crash": "killed",
    "abandoned": "killed, and not delivered again,",
    "effect_fails": "an effect fails",
    "twice": "delivered again after it was done",
}
#: What comes between a history and its place.
_AT: Final = {"crash": " ", "abandoned": " ", "effect_fails": ": ", "twice": ", which repeats "}
_WIDTH: Final = 110
#: It judges nothing, and may be the longest part.
_HANDED_OFF: Final = "Handed off"
#: What is usually a bug; of what may be by design the terminal has the number.
_BUGS: Final = (Kind.KILLED, Kind.EFFECT_FAILS)


def written(audit: ShownAudit, *, verbose: bool) -> Iterator[str]:
    """Yield the lines of the section in the terminal: the first two ranks, and with `-v` all of them.

    Where nothing is in these two, the first that has anything is shown: a session that fails says why.
    """
    yield from audit.sentences
    whole = [rank for rank in audit.ranks if verbose or rank.are_bugs] or audit.ranks[:1]
    for rank in whole:
        yield from ("", f"{rank.title}:")
        for one in rank.findings:
            yield f"- {one.verdict} in {one.call}"
            for line in one.lines:
                yield from wrap(line, _WIDTH, initial_indent="  ", subsequent_indent="  ")
            yield f"  replay: {one.replay}"
    more = [rank for rank in audit.ranks if rank not in whole]
    if more:
        yield from ("", "Further findings, which -v shows:")
        yield from (f"  {len(rank.findings)}  {rank.title}" for rank in more)
    for part in audit.parts:
        yield from ("", f"{part.title}:")
        for group in part.groups:
            if not group.text:
                yield from (f"  {name}" for name in group.names)
                continue
            yield from wrap(f"- {group.text}", _WIDTH, subsequent_indent="  ")
            if part.on_request and group.names and not verbose:
                yield "  -v names those that it does not check."
                continue
            for line in group.lines:
                yield from wrap(line, _WIDTH, initial_indent="    ", subsequent_indent="      ")
            names = ", ".join(group.names)
            yield from wrap(names, _WIDTH, initial_indent="    ", subsequent_indent="    ")


def shown(
    result: Result, baseline: Accepted | None, reached: JobsReached, handoffs: Handoffs
) -> ShownAudit:
    """Return what an audit says, in the terminal and on the page of the report.

    Args:
        result: what was found.
        baseline: the findings that are accepted; None if there are none.
        reached: the jobs, and how the tests reach them.
        handoffs: the places that hand work off.
    """
    if not result.is_begun:
        return ShownAudit(("The tests did not come to their end, so no job was checked.",))
    parts = {
        **(_of_baseline(result, baseline) if baseline is not None else {}),
        "What the library does with these jobs": _semantics(result.checked),
        "No finding": _names(_checked(each) for each in result.checked if not each.findings),
        "Not checked": _not_checked(result.not_checked),
        "Delivered only by checks of the tests themselves": _jobs(reached.only_checked),
        f"{counted(len(reached.unreached), 'job')} of the registries that no test reaches": _jobs(
            reached.unreached
        ),
        "Rules, callbacks and schedules of the jobs": _cases(reached),
        _HANDED_OFF: _handed_off(handoffs),
    }
    new = result.findings if baseline is None else baseline.new(result.findings)
    found = causes(new)
    return ShownAudit(
        tuple(_sentences(result, len(found))),
        tuple(_ranks(found, result, baseline)),
        tuple(
            ShownPart(title, groups, title == _HANDED_OFF)
            for title, groups in parts.items()
            if groups
        ),
    )


def _sentences(result: Result, found: int) -> Iterator[str]:
    reached = counted(len(result.audited), "job")
    if not result.audited:
        yield "No test reaches a job, so this run shows nothing."
    elif not result.checked:
        yield f"{reached} reached, and none was checked, so this run shows nothing."
    else:
        yield f"{reached} reached, {len(result.checked)} checked, {counted(found, 'finding')}."
    yield from sorted(result.left_out)
    if result.past:
        yield (
            f"Not seen: the jobs that {counted(len(result.past), 'test')} enqueued outside of any harness. Add "
            "--jobs-inline, which performs each job where it is enqueued."
        )


def _ranks(
    found: Sequence[Sequence[Finding]], result: Result, baseline: Accepted | None
) -> Iterator[ShownRank]:
    for kind in Kind:
        shown = [_finding(same, result, baseline) for same in found if same[0].kind is kind]
        if shown:
            yield ShownRank(kind.value, kind in _BUGS, shown)


def _finding(same: Sequence[Finding], result: Result, baseline: Accepted | None) -> ShownFinding:
    """Return a finding, which several jobs and histories may have."""
    finding = same[0]
    audited = result.audited[finding.job]
    lines = [_history(finding)]
    if finding.stands_for:
        lines.append(f"a double stands in the place of {finding.stands_for}")
    histories = {one.history: one for one in reversed(same) if one.job == finding.job}
    lines += [f"also {_history(one)}" for name, one in histories.items() if name != finding.history]
    ways = " and ".join(_WAYS[way] for way in audited.ways)
    lines += [
        f"hint: {finding.hint}",
        f"reached by {counted(audited.tests, 'test')} ({ways})",
    ]
    others = dict.fromkeys(one.job for one in same if one.job != finding.job)
    if others:
        lines.append(f"so {'are' if len(others) > 1 else 'is'} {', '.join(others)}")
    if baseline is not None and baseline.reason(finding) == "":
        lines.append(
            f"{baseline.file} lists it without a reason: write one if it is to be accepted"
        )
    return ShownFinding(finding.verdict, finding.call, lines, finding.replay)


def _history(finding: Finding) -> str:
    """Return what happens, and where."""
    told = _HISTORIES[finding.history]
    at = f"{_AT[finding.history]}{finding.at}" if finding.at else ""
    return f"{told}{at} ({finding.place})"


def _of_baseline(result: Result, baseline: Accepted) -> dict[str, list[ShownGroup]]:
    """Return what the baseline accepts, and what it can do without."""
    reasons = {finding.key: baseline.reason(finding) for finding in result.findings}
    gone = (
        f"Not found again, so {baseline.file} can do without (--jobs-update-baseline takes it out)"
    )
    return {
        f"Accepted by {baseline.file}": [
            ShownGroup(f"{verdict} in {job}: {why}")
            for (_, job, verdict), why in reasons.items()
            if why
        ],
        gone: [ShownGroup(f"{verdict} in {job}") for _, job, verdict in baseline.gone(result)],
    }


def _semantics(checked: Iterable[Audited]) -> list[ShownGroup]:
    """Return once for each library what it does with the jobs that have findings."""
    jobs: dict[str, dict[str, None]] = {}
    for each in checked:
        for finding in each.findings:
            jobs.setdefault(finding.semantics, {})[finding.job] = None
    return [
        ShownGroup(f"{text.removeprefix('delivery: ')} ({counted(len(names), 'job')})")
        for text, names in jobs.items()
    ]


def _checked(each: Audited) -> str:
    part = f", in part: {'; '.join(each.left_out)}" if each.left_out else ""
    return f"{each.job} ({counted(len(each.checks), 'check')}{part})"


def _not_checked(found: Sequence[Audited]) -> list[ShownGroup]:
    """Return the jobs without a check, by what helps; jobs with one reason are told together."""
    groups: dict[str, dict[str, list[str]]] = {}
    for each in found:
        why, advice = each.why_not
        jobs = groups.setdefault(advice or why, {}).setdefault(why if advice else "", [])
        jobs.append(each.job)
    ordered = sorted(groups.items(), key=lambda group: -sum(map(len, group[1].values())))
    return [
        ShownGroup(
            text,
            [f"{', '.join(jobs)}: {why}" for why, jobs in reasons.items() if why],
            reasons.get("", ()),
        )
        for text, reasons in ordered
    ]


def _cases(reached: JobsReached) -> list[ShownGroup]:
    """Return how many of the cases that jobs declare no test has shown."""
    unseen = sum(not case.is_seen for case in reached.cases)
    if not unseen:
        return []
    text = f"{unseen} of {len(reached.cases)} were seen in no test: the page of --jobs-report names them."
    return [ShownGroup(text)]


def _handed_off(handoffs: Handoffs) -> list[ShownGroup]:
    """Return how many places hand work off, and those that no check of a handoff came to."""
    sites, unchecked = handoffs.sites, handoffs.unchecked
    if not sites:
        return []
    verb = "enqueues" if len(sites) == 1 else "enqueue"
    text = f"{counted(len(sites), 'place')} outside of jobs {verb} one, and check_handoff checks "
    if not unchecked:
        return [ShownGroup(f"{text}each of them.")]
    text += f"{len(sites) - len(unchecked) or 'none'} of them."
    names = [f"{site} ({site.function})" if site.function else str(site) for site in unchecked]
    return [ShownGroup(text, ("It does not check:",), names)]


def _jobs(jobs: Iterable[ReachedJob]) -> list[ShownGroup]:
    return _names({job.name for job in jobs})


def _names(names: Iterable[str]) -> list[ShownGroup]:
    """Return jobs of which nothing more is said."""
    several = sorted(names)
    return [ShownGroup(names=several)] if several else []
