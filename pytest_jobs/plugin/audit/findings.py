"""The findings of an audit by kind. The kinds that were right most often on public projects come first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from ...exploration.histories.exploration import Failure
from ...exploration.histories.replay import token_of
from ...exploration.report.hints import Habits, hint
from ...exploration.report.report import quoted
from ...exploration.stores.account import UNSHOWN
from ...harness.records.texts import short_name, shortened
from ...insight.lint.rules.rule import Finding as Fault

#: A word with a number, such as the id in an address.
_DATA: Final = re.compile(r"\w*\d\w*")
#: How wide the call of a job is shown.
_WIDTH = 100


class Kind(Enum):
    """What is wrong, the first rank first."""

    KILLED = "Lost, stuck or half done when the worker is killed"
    EFFECT_FAILS = "Lost, stuck or half done when an effect fails"
    STATE = "Another state when it is done twice"
    LATE_GUARD = (
        "Repeated when the worker is killed or an effect fails, and not by a plain second delivery"
    )
    OUTSIDE = "Repeated outside: without a key that the receiver knows, this may be by design"
    OWN_DOUBLE = "Seen only through a double of your own code, which may hide what prevents it"


@dataclass(frozen=True)
class Finding:
    """One history of one job that does not end as it should."""

    kind: Kind
    job: str
    call: str
    #: The verdict, such as `LOST mail`.
    verdict: str
    history: str
    #: The point of a kill, or else the effect that fails or is repeated; empty if there is none.
    at: str
    #: Its file and line; empty and 0 likewise.
    file: str
    line: int
    hint: str
    #: The function of the project in whose place a double lies; empty if there is none.
    stands_for: str
    replay: str
    #: What the library does with a job whose worker is killed.
    semantics: str

    @property
    def place(self) -> str:
        """The line as it is shown; empty if there is none."""
        return f"{Path(self.file).name}:{self.line}" if self.line else ""

    @property
    def key(self) -> tuple[str, ...]:
        """What stays the same when lines move, and when a test makes other data."""
        word, _, what = self.verdict.partition(" ")
        kind, _, label = what.partition(" ")
        if kind == "mail":
            # Its label is a subject, which people read.
            label = ""
        elif kind != "enqueue":
            label = _DATA.sub("#", label)
        return self.kind.name.lower(), self.job, " ".join(filter(None, (word, kind, label)))

    @property
    def token(self) -> str:
        """What names its history in the replay line."""
        return self.replay.rpartition("--jobs-replay=")[2]

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        values = {name: value for name, value in vars(self).items() if name != "kind"}
        return {"kind": self.kind.name.lower(), **values}

    @property
    def cause(self) -> tuple[Kind, str, str]:
        """What is the same in all jobs that have this finding: a host in a verdict may be drawn by chance."""
        if not self.line:
            return self.kind, self.verdict, self.job
        return self.kind, self.verdict.partition(" ")[0], self.place


def findings_of(report: Any, job: str) -> Iterator[Finding]:
    """Yield the findings of a check that has failed: at most one of each history.

    Args:
        report: the report of the check.
        job: the name of the job.
    """
    exploration, audience = report.exploration, report.audience
    failures: Sequence[Failure] = (
        [report.failure] if exploration.rest is None else exploration.rest.failures
    )
    by_twice = {str(failure.verdict) for failure in failures if failure.plan.name == "twice"}
    by_crash = tuple(
        name.removesuffix(UNSHOWN)
        for failure in failures
        if failure.plan.name == "crash"
        for name, _, _ in failure.verdict.differences
    )
    known: set[tuple[Kind, bool, str]] = set()
    for failure in failures:
        plan, verdict = failure.plan, failure.verdict
        # What a second delivery does wrong anyway goes wrong after a kill as well.
        if plan.name != "twice" and str(verdict) in by_twice:
            continue
        # Nor is it told twice what a later delivery meets wrongly, and nobody takes up without one.
        if plan.name == "abandoned" and verdict.what.startswith(by_crash):
            continue
        does = Habits.of(failure, exploration.reference)
        kind = _kind_of(failure, does.stands_for)
        # What happens too often and what does not happen have two causes.
        key = kind, verdict.word == "DUPLICATE", verdict.what
        if key in known:
            continue
        known.add(key)
        point = plan.point
        if point is None:
            point = next(
                (
                    point
                    for point, act in zip(
                        exploration.reference.points, exploration.reference.point_acts, strict=True
                    )
                    if act is not None
                    and (verdict.what == act.kind or verdict.what.startswith(f"{act.kind}."))
                ),
                None,
            )
        yield Finding(
            kind,
            job,
            shortened(f"{short_name(job)}{exploration.call}", _WIDTH),
            # The folder has another name in each run, and a baseline knows a finding by its verdict.
            str(verdict).replace(f"{audience.folder}{os.sep}", ""),
            plan.name,
            ""
            if point is None
            else str(point)
            if plan.name in ("crash", "abandoned")
            else point.text,
            "" if point is None else point.filename,
            0 if point is None else point.line,
            hint(verdict.word, plan.name, does),
            does.stands_for,
            f"pytest {quoted(audience.nodeid)} {audience.audit}--jobs-replay={token_of(plan, report.job)}",
            report.semantics,
        )


def _kind_of(failure: Failure, stands_for: str) -> Kind:
    name, verdict = failure.plan.name, failure.verdict
    is_failing = name == "effect_fails" and verdict.word != "DUPLICATE"
    if stands_for and (name == "twice" or is_failing):
        # Nobody knows what the original does with a second call, or with an error of what it calls itself.
        return Kind.OWN_DOUBLE
    is_effect = any(each.endswith(" calls") for each, _, _ in verdict.differences)
    if verdict.word != "DUPLICATE" or not is_effect:
        # A row too many after a kill is work that was left half done.
        by_history = {
            "crash": Kind.KILLED,
            "abandoned": Kind.KILLED,
            "effect_fails": Kind.EFFECT_FAILS,
        }
        return by_history.get(name, Kind.STATE)
    return Kind.OUTSIDE if name == "twice" else Kind.LATE_GUARD


def in_files(findings: Iterable[Finding], root: Path) -> Iterator[Fault]:
    """Yield findings as those of the lint, which SARIF and annotations show.

    Args:
        findings: the findings.
        root: names of files are relative to it.
    """
    for one in findings:
        path = Path(one.file)
        shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else one.file
        text = f"{one.verdict} in {one.call}, {one.history}{f' at {one.at}' if one.at else ''}: {one.hint}"
        yield Fault(f"audit-{one.kind.name.lower()}", shown, one.line or 1, 1, text)
