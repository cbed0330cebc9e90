"""Findings as text, as SARIF, as JSON, and as the annotations of GitHub."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final

from ...assertions.options import is_annotating
from ...harness.records.texts import counted
from .linter import RULES, Findings
from .pages import page_of
from .rules.rule import Finding

#: What GitHub reads in another way, in the text of an annotation and in its values.
_GITHUB: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_GITHUB_VALUE: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def as_text(findings: Findings) -> str:
    shown = as_annotations(findings.found) if is_annotating() else []
    return "\n".join([*lines_of(findings), summary(findings), *shown]) + "\n"


def lines_of(findings: Findings) -> list[str]:
    """Return a line for each finding."""
    return [
        f"{one.path}:{one.line}:{one.column}: {one.rule} {one.message}" for one in findings.found
    ]


def summary(findings: Findings) -> str:
    """Return the last line: how much was found, and how much was looked at."""
    count, unresolved = len(findings.found), len(findings.handoffs.unresolved)
    what = "no findings" if not count else counted(count, "finding")
    jobs, files = counted(findings.jobs, "job"), counted(findings.files, "file")
    where = f"in {jobs} of {files}"
    if findings.handoffs.unseen and not findings.jobs and not count:
        what, where = "nothing was judged", f"with 0 jobs in {files}"
    open_ones = f"; the job of {counted(unresolved, 'call')} is not known" if unresolved else ""
    hint = f" `python -m pytest_jobs explain {findings.found[0].rule}` says more." if count else ""
    baseline = f" {findings.said}" if findings.said else ""
    return f"{what} {where}{open_ones}.{hint}{baseline}"


def as_annotations(found: Iterable[Finding]) -> list[str]:
    return [
        annotation("warning", one.path, one.line, one.rule, one.message, column=one.column)
        for one in found
    ]


def annotation(
    level: str, path: str, line: int, title: str, message: str, *, column: int = 0
) -> str:
    """Return one annotation of GitHub in one line."""
    place = f"file={path.translate(_GITHUB_VALUE)},line={line}" + (
        f",col={column}" if column else ""
    )
    return f"::{level} {place},title={title.translate(_GITHUB_VALUE)}::{message.translate(_GITHUB)}"


def to_dict(findings: Findings) -> dict[str, Any]:
    """Return findings as values that JSON has."""
    return {
        "files": findings.files,
        "jobs": findings.jobs,
        "unseen": [vars(one) for one in findings.handoffs.unseen],
        "unresolved": [list(one) for one in findings.handoffs.unresolved],
        "findings": [one._asdict() for one in findings.found],
    }


def as_json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def as_sarif(found: Iterable[Finding]) -> str:
    """Return SARIF 2.1.0, which GitHub and many editors read."""
    rules = [
        {
            "id": page.id,
            "name": page.name,
            "shortDescription": {"text": page.title},
            "fullDescription": {"text": page.why},
            "help": {"text": f"python -m pytest_jobs explain {page.id}"},
        }
        for page in (page_of(rule.id) for rule in RULES)
    ]
    results = [
        {
            # The verdict of a check, without its effect.
            "ruleId": one.rule.partition(" ")[0],
            "level": "warning",
            "message": {"text": one.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": one.path},
                        "region": {"startLine": one.line, "startColumn": one.column},
                    }
                }
            ],
        }
        for one in found
    ]
    driver = {"name": "pytest-jobs", "version": version("pytest-jobs"), "rules": rules}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return as_json(log)


FORMATS: Final[Mapping[str, Callable[[Findings], str]]] = {
    "text": as_text,
    "sarif": lambda findings: as_sarif(findings.found),
    "json": lambda findings: as_json(to_dict(findings)),
}
