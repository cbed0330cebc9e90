"""What an audit has come to so far: the jobs, their checks, and what a project accepts.

Workers of pytest-xdist share the second pass. A worker knows only its own tests, and two may reach one job. Each
writes its result into a folder of the controller after each check. There the others see which jobs are checked,
and the controller reads the whole, also when a worker was killed.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from ...harness.records.texts import counted, shortened
from ...insight.lint.baseline import Section
from ...insight.reached.reached import Way
from .arrivals import Reason
from .checking import Checked
from .findings import Finding

_SUFFIX: Final = ".result"
#: How long a reason is at most, so that it takes three lines.
_LENGTH: Final = 290


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
    reasons: dict[Reason, None] = field(default_factory=dict)
    #: How many tests leave the job nothing to do, by the line at which it ends there.
    idle: Counter[str] = field(default_factory=Counter)
    #: Whether the audit has come to its end with it.
    is_done: bool = False

    @property
    def findings(self) -> list[Finding]:
        """What its checks have found: each once, although two tests, or two processes, may show it."""
        found: dict[tuple[str, ...], Finding] = {}
        for check in self.checks:
            for one in check.findings:
                found.setdefault((*one.key, one.place), one)
        return list(found.values())

    @property
    def why_not(self) -> Reason:
        """Why it was not checked, in three lines at most: the last reason came furthest."""
        if not self.is_done:
            return Reason("The audit was interrupted before it.")
        if self.refusals or not self.idle:
            another = Reason("The replayed history is of another job.")
            why, advice = next(reversed(self.reasons), another)
            return Reason(shortened(why, _LENGTH), advice)
        places = [
            f"{place} in {counted(tests, 'test')}" for place, tests in self.idle.most_common()
        ]
        of_all = f" of {self.tests}" if self.idle.total() < self.tests else ""
        ends = (
            f"It ends at {', at '.join(places)}{of_all}, and changes nothing there that a check "
            "compares."
        )
        return Reason(
            shortened(ends, _LENGTH),
            "Write a test in which it has something to do.",
        )

    @property
    def left_out(self) -> list[str]:
        """What its checks left out."""
        return list(dict.fromkeys(check.left_out for check in self.checks if check.left_out))

    def tried(self) -> dict[str, Any]:
        """Return what its checks tried, and what they left out, as values that JSON has."""
        tried = sum(check.tried for check in self.checks)
        return {
            "job": self.job,
            "tried": tried,
            "planned": sum(check.planned for check in self.checks),
            "left_out": self.left_out,
        }

    def add(self, other: Audited) -> None:
        """Take over what another process has of the same job."""
        self.tests += other.tests
        self.ways = list(dict.fromkeys((*self.ways, *other.ways)))
        self.checks += other.checks
        self.reasons |= other.reasons
        self.idle += other.idle
        self.refusals += other.refusals
        self.is_done &= other.is_done

    def note(self, checked: Checked) -> None:
        """Note a check, or why there is none."""
        if checked.idle_at:
            self.idle[checked.idle_at] += 1
        elif checked.refused:
            self.refusals += 1
            self.reasons[checked.refused] = None
        elif not checked.is_other:
            self.checks.append(checked)


@dataclass
class Result:
    """Everything that an audit says at its end, or after each check."""

    #: The jobs that tests reach, by name.
    audited: dict[str, Audited] = field(default_factory=dict)
    #: The ids of the tests that enqueue jobs outside of any harness, and reach none.
    past: set[str] = field(default_factory=set)
    #: What is said of libraries whose jobs are not seen.
    left_out: set[str] = field(default_factory=set)
    #: The files and lines to which checks of handoffs came.
    handed_off: set[tuple[str, int]] = field(default_factory=set)
    #: Whether the tests came to their end, so that the second pass began.
    is_begun: bool = False
    #: Whether the second pass has come to its end with each job, its second looks and replays included.
    is_complete: bool = False

    def add(self, other: Result) -> None:
        """Take over what another process has found."""
        for job, audited in other.audited.items():
            if job in self.audited:
                self.audited[job].add(audited)
            else:
                self.audited[job] = audited
        self.past |= other.past
        self.left_out |= other.left_out
        self.handed_off |= other.handed_off
        self.is_begun &= other.is_begun
        self.is_complete &= other.is_complete

    @property
    def checked(self) -> list[Audited]:
        return [each for each in self.audited.values() if each.checks]

    @property
    def not_checked(self) -> list[Audited]:
        return [each for each in self.audited.values() if not each.checks]

    @property
    def findings(self) -> list[Finding]:
        return [finding for each in self.audited.values() for finding in each.findings]

    @property
    def ways(self) -> Mapping[str, Sequence[Way]] | None:
        """How the tests reach each job by its name; None if they did not come to their end."""
        if not self.is_begun:
            return None
        return {job: each.ways for job, each in self.audited.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        return {
            "complete": self.is_complete,
            "findings": [finding.to_dict() for finding in self.findings],
            "no_finding": [each.tried() for each in self.checked if not each.findings],
            "not_checked": [
                {"job": each.job, "reason": str(each.why_not)} for each in self.not_checked
            ],
        }


@dataclass(frozen=True)
class Share:
    """The share of one worker."""

    #: The folder of the controller.
    folder: Path
    #: The id of the worker, such as `gw1`.
    worker: str
    #: How many workers there are.
    workers: int

    def write(self, result: Result) -> None:
        """Write what this worker has found until now."""
        path = self.folder / self.worker
        path.write_bytes(pickle.dumps(result))
        # At once, since others may read it at any time.
        path.replace(path.with_suffix(_SUFFIX))

    def in_turn(self, jobs: Iterable[str]) -> list[str]:
        """Return the names of jobs in the order in which this worker checks them: each worker has its own."""
        # Whoever starts it with `--tx` may give it another name.
        first = int("".join(filter(str.isdigit, self.worker)) or 0)
        return sorted(jobs, key=lambda job: (crc32(job.encode()) - first) % self.workers)

    def is_checked(self, job: str) -> bool:
        audited = together(self.folder).audited.get(job)
        return audited is not None and audited.is_done and bool(audited.checks)


def together(folder: Path) -> Result:
    """Return what all workers have found until now."""
    results = [pickle.loads(file.read_bytes()) for file in sorted(folder.glob(f"*{_SUFFIX}"))]  # noqa: S301  our own
    whole = Result(is_begun=bool(results), is_complete=bool(results))
    for result in results:
        whole.add(result)
    return whole


class Accepted:
    """The findings that the baseline accepts, by kind, job and verdict: lines move, and these stay."""

    def __init__(self, section: Section) -> None:
        self._section = section

    @property
    def file(self) -> str:
        return self._section.file

    @property
    def updates(self) -> bool:
        """Whether the session writes the file."""
        return self._section.updates

    def reason(self, finding: Finding) -> str | None:
        """Return why a finding is accepted: empty if nobody has said it yet, None for one that is not listed."""
        return self._section.reason(finding.key)

    def new(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return those that fail the session."""
        return [finding for finding in findings if not self.reason(finding)]

    def gone(self, result: Result) -> list[tuple[str, ...]]:
        """Return the keys of what is listed, and was not found again although its job was checked."""
        return self._section.gone(*_looked_at(result))

    def update(self, result: Result) -> None:
        """Write the file: without what is gone, and with what is new, for which somebody is to write a reason."""
        self._section.update(*_looked_at(result))


def _looked_at(result: Result) -> tuple[set[tuple[str, ...]], Callable[[tuple[str, ...]], bool]]:
    """Return the keys of the findings, and what says of a key whether its job was checked to the end."""
    checked = {each.job for each in result.checked if each.is_done}
    return {finding.key for finding in result.findings}, lambda key: key[1] in checked
