"""Job coverage as a table and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import Final, NamedTuple

from ...harness.records.texts import counted
from .coverage import CoveredJob, JobCoverage

#: The width of the table, and of the names in it.
_WIDTH: Final = 80
_NAME: Final = 36
#: How many jobs a line names.
_NAMED: Final = 3
COLUMNS: Final = ("job", "delivery", "places", "safety")


class Row(NamedTuple):
    """The row of a job, in the terminal and on the page."""

    name: str
    #: The cases that were seen, of how many; and the places that enqueue it, "-" where the source shows none.
    delivery: str
    places: str
    #: What checks have shown: nothing, points, or a verdict.
    safety: str
    #: What was not seen, in a few words each.
    missing: list[str]
    job: CoveredJob


def rows(coverage: JobCoverage) -> Iterator[Row]:
    """Yield the row of each job."""
    for job in coverage.jobs:
        missing = [case.text for case in job.missing] if job.is_seen else ["all of it"]
        for file, sites in groupby(job.unseen_sites, key=lambda site: site.file):
            missing.append(f"enqueued at {file}:{', '.join(str(site.line) for site in sites)}")
        seen = len(job.sites) - len(job.unseen_sites)
        yield Row(
            job.name,
            f"{job.covered}/{len(job.cases)}",
            f"{seen}/{len(job.sites)}" if job.sites else "-",
            _safety(job),
            missing,
            job,
        )


def _safety(job: CoveredJob) -> str:
    if job.verdict or not job.has_body:
        return job.verdict or "-"
    if not job.histories:
        return "not explored"
    points = counted(job.points, "point")
    return f"explored at {points}" if job.is_explored else f"partly, at {points}"


def table(coverage: JobCoverage, *, everything: bool) -> Iterator[str]:
    """Yield the lines of a table of what is missing.

    Args:
        coverage: what is shown.
        everything: whether jobs are listed too of which everything was seen, and nothing bad.
    """
    shown = [row for row in rows(coverage) if everything or row.missing or row.job.verdict]
    if shown:
        yield _line(*COLUMNS)
    for row in shown:
        name = row.name
        if len(name) > _NAME:
            # Whole parts: a piece of a name is the name of something else.
            parts = (f"...{name[dot + 1 :]}" for dot, sign in enumerate(name) if sign == ".")
            name = next((part for part in parts if len(part) <= _NAME), name.rpartition(".")[2])
        yield _line(name, row.delivery, row.places, row.safety)
        text = f"not seen: {', '.join(row.missing)}" if row.missing else ""
        yield from textwrap.wrap(
            text, _WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
        )


def _line(name: str, delivery: str, places: str, safety: str) -> str:
    return f"{name:<{_NAME}} {delivery:>8}  {places:>6}  {safety}"


def summary(coverage: JobCoverage) -> Iterator[str]:
    """Yield how much was seen, and how many jobs do not count."""
    if coverage.outside:
        named = ", ".join(coverage.outside[:_NAMED])
        more = ", ..." if len(coverage.outside) > _NAMED else ""
        yield f"Not counted, since they lie outside of the rootdir of pytest: {named}{more}."
    elif not coverage.jobs:
        yield "0 jobs were found in this project, so nothing was measured."
    if coverage.jobs:
        jobs, bodies = counted(len(coverage.jobs), "job"), coverage.with_body()
        seen = f"{coverage.covered} of {coverage.cases} cases of {jobs} were seen"
        yield f"{seen}: {coverage.percent:.1f} %."
        explored = sum(1 for job in bodies if job.is_explored or job.verdict)
        unsafe = sum(1 for job in bodies if job.verdict)
        more = f", and found {unsafe} of them not safe to deliver twice" if unsafe else ""
        yield f"Safety: checks explored {explored} of {counted(len(bodies), 'job')}{more}."
    if coverage.sites or coverage.handoffs.unresolved:
        done = sum(1 for site in coverage.sites if site.count)
        calls = counted(len(coverage.handoffs.unresolved), "call")
        more = f" The job of {calls} is not known." if coverage.handoffs.unresolved else ""
        places = counted(len(coverage.sites), "place")
        yield f"Places: {done} of {places} that enqueue did so in a test.{more}"
    if coverage.left_out:
        yield f"Not counted: {counted(len(coverage.left_out), 'job')} of tests and of packages."


def as_json(coverage: JobCoverage) -> str:
    """Return coverage as JSON text: the numbers, and everything that was found."""
    numbers = {"percent": coverage.percent, "cases": coverage.cases, "covered": coverage.covered}
    content = {"version": 2, **numbers, **asdict(coverage)}
    return json.dumps(content, indent=2, ensure_ascii=False, default=sorted) + "\n"
