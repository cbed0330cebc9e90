"""Job coverage as a table: a row a job, a column for each kind of thing that can happen to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..coverage.coverage import CoveredCase, CoveredJob, JobCoverage
from ..coverage.output import summary
from .data import Cell, Table

#: The columns, each with the kinds of cases that it counts.
_COLUMNS: Final = (
    ("enqueued", ("enqueued",)),
    ("performed", ("performed",)),
    ("retried", ("retried", "rescued")),
    ("given up", ("exhausted", "discarded")),
    ("callbacks", ("callback", "halted")),
    ("recurring", ("fired",)),
    ("idempotency", ("explored",)),
)


def coverage_table(coverage: JobCoverage) -> Table:
    """Return the table, with the columns that some job has cases for."""
    kinds = {case.kind for job in coverage.jobs for case in job.cases}
    columns = [(name, of) for name, of in _COLUMNS if kinds & {*of}]
    rows = [
        (job.name, [_cell(job, [one for one in job.cases if one.kind in of]) for _, of in columns])
        for job in coverage.jobs
    ]
    header = ["job", *(name for name, _ in columns)]
    return Table(header, rows, " ".join(summary(coverage)))


def _cell(job: CoveredJob, cases: Sequence[CoveredCase]) -> Cell:
    """Return how many cases of a column were seen, and which were not."""
    if not cases:
        return Cell("-")
    missing = tuple(case.text for case in cases if not case.count)
    seen = f"{len(cases) - len(missing)} of {len(cases)}"
    if len(cases) > 1:
        return Cell(seen, "bad" if missing else "ok", missing)
    if missing:
        return Cell("never", "bad")
    return Cell(_explored(job) if cases[0].kind == "explored" else "yes", "ok")


def _explored(job: CoveredJob) -> str:
    histories = "1 history" if len(job.histories) == 1 else f"{len(job.histories)} histories"
    points = "1 point" if job.points == 1 else f"{job.points} points"
    return f"{histories}, {points}"
