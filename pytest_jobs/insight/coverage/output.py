"""Job coverage as a table, as XML and as JSON."""

from __future__ import annotations

import json
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any, Final

from ...harness.records.texts import counted
from .coverage import CoveredJob, JobCoverage

#: The width of the table, and of its columns.
_WIDTH: Final = 80
_NAME: Final = 30
_COUNT: Final = 6
#: How many jobs a line names.
_NAMED: Final = 3


def table(coverage: JobCoverage, *, everything: bool) -> Iterator[str]:
    """Yield the lines of a table of what is missing.

    Args:
        coverage: what is shown.
        everything: whether jobs of which nothing is missing are listed too.
    """
    jobs = [job for job in coverage.jobs if everything or job.missing]
    if jobs:
        yield f"{'job':<{_NAME}} {'cases':>{_COUNT}}  missing"
    for job in jobs:
        yield from _row(job)


def _row(job: CoveredJob) -> Iterator[str]:
    missing = (
        ", ".join(case.text for case in job.missing) if job.is_seen else "all: no harness saw it"
    )
    name = job.name
    if len(name) > _NAME:
        # Whole parts: a piece of a name is the name of something else.
        parts = (f"...{name[dot + 1 :]}" for dot, sign in enumerate(name) if sign == ".")
        name = next((part for part in parts if len(part) <= _NAME), name.rpartition(".")[2])
    count = f"{job.covered}/{len(job.cases)}"
    indent = _NAME + _COUNT + 3
    wrapped = textwrap.wrap(missing, _WIDTH - indent, break_on_hyphens=False) or [""]
    yield f"{name:<{_NAME}} {count:>{_COUNT}}  {wrapped[0]}".rstrip()
    for line in wrapped[1:]:
        yield f"{'':<{indent}}{line}"


def summary(coverage: JobCoverage) -> Iterator[str]:
    """Yield how many cases were seen, and how many jobs do not count."""
    if coverage.outside:
        named = ", ".join(coverage.outside[:_NAMED])
        more = ", ..." if len(coverage.outside) > _NAMED else ""
        yield f"Not counted, since they lie outside of the rootdir of pytest: {named}{more}."
    elif not coverage.jobs:
        yield "0 jobs were found in this project, so nothing was measured."
    if coverage.jobs:
        jobs = counted(len(coverage.jobs), "job")
        seen = f"{coverage.covered} of {coverage.cases} cases of {jobs} were seen"
        calls = counted(len(coverage.handoffs.unresolved), "call")
        more = f" The job of {calls} is not known." if coverage.handoffs.unresolved else ""
        yield f"{seen}: {coverage.percent:.1f} %.{more}"
    if coverage.left_out:
        yield f"Not counted: {counted(len(coverage.left_out), 'job')} of tests and of packages."


def to_dict(coverage: JobCoverage) -> dict[str, Any]:
    """Return coverage as plain values, for JSON."""
    return {
        "version": 1,
        "percent": coverage.percent,
        "cases": coverage.cases,
        "covered": coverage.covered,
        "jobs": [
            {
                "name": job.name,
                "library": job.library,
                "file": job.file,
                "line": job.line,
                "covered": job.covered,
                "cases": [
                    {"kind": one.kind, "text": one.text, "line": one.case.line, "count": one.count}
                    for one in job.cases
                ],
                "histories": job.histories,
                "points": job.points,
            }
            for job in coverage.jobs
        ],
        "not_counted": coverage.left_out,
        "outside": coverage.outside,
        "unseen": [vars(one) for one in coverage.handoffs.unseen],
        "unresolved": [list(one) for one in coverage.handoffs.unresolved],
        "unimported": coverage.handoffs.unimported,
        "unreadable": [list(one) for one in coverage.unreadable],
    }


def as_json(coverage: JobCoverage) -> str:
    """Return coverage as JSON text."""
    return json.dumps(to_dict(coverage), indent=2, ensure_ascii=False) + "\n"


def as_xml(coverage: JobCoverage) -> str:
    """Return coverage in the XML of Cobertura, which CI services read: a job is a class, a case is a method."""
    root = ET.Element(
        "coverage",
        {
            "line-rate": _rate(coverage.covered, coverage.cases),
            "lines-covered": str(coverage.covered),
            "lines-valid": str(coverage.cases),
            "branch-rate": "0",
            "complexity": "0",
            "version": "pytest-jobs",
            "timestamp": "0",
        },
    )
    packages = ET.SubElement(root, "packages")
    for library in dict.fromkeys(job.library for job in coverage.jobs):
        jobs = [job for job in coverage.jobs if job.library == library]
        valid, covered = sum(len(job.cases) for job in jobs), sum(job.covered for job in jobs)
        package = ET.SubElement(packages, "package", _rates(library, covered, valid))
        classes = ET.SubElement(package, "classes")
        for job in jobs:
            attributes = {"filename": job.file, **_rates(job.name, job.covered, len(job.cases))}
            element = ET.SubElement(classes, "class", attributes)
            methods = ET.SubElement(element, "methods")
            lines = ET.SubElement(element, "lines")
            for one in job.cases:
                method = ET.SubElement(
                    methods, "method", {"signature": "", **_rates(one.text, min(one.count, 1), 1)}
                )
                line = {"number": str(one.case.line), "hits": str(one.count)}
                ET.SubElement(ET.SubElement(method, "lines"), "line", line)
                ET.SubElement(lines, "line", line)
    ET.indent(root)
    return f'<?xml version="1.0" ?>\n{ET.tostring(root, "unicode")}\n'


def _rates(name: str, covered: int, valid: int) -> dict[str, str]:
    return {
        "name": name,
        "line-rate": _rate(covered, valid),
        "branch-rate": "0",
        "complexity": "0",
    }


def _rate(covered: int, valid: int) -> str:
    return f"{covered / valid:.4g}" if valid else "1"
