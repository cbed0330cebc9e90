"""What an audit has come to so far: the jobs, their checks, and what no test reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .arrivals import Way
from .checking import Checked
from .findings import Finding


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
        """What its checks have found: each once, although two tests, or two processes, may show it."""
        found: dict[tuple[str, ...], Finding] = {}
        for check in self.checks:
            for one in check.findings:
                found.setdefault((*one.key, one.place), one)
        return list(found.values())

    @property
    def why_not(self) -> str:
        """Why it was not checked: the last reason came furthest."""
        if not self.is_done:
            return "The audit was interrupted before it."
        return next(reversed(self.reasons), "The replayed history is of another job.")

    def add(self, other: Audited) -> None:
        """Take over what another process has of the same job."""
        self.tests += other.tests
        self.ways = list(dict.fromkeys((*self.ways, *other.ways)))
        self.checks += other.checks
        self.reasons |= other.reasons
        self.is_done &= other.is_done

    def note(self, checked: Checked) -> None:
        """Note a check, or why there is none."""
        if checked.refused:
            self.refusals += 1
            self.reasons[checked.refused] = None
        elif not checked.is_other:
            self.checks.append(checked)


@dataclass
class Result:
    """Everything that an audit says at its end, or after each check."""

    #: The jobs that tests reach, by name.
    audited: dict[str, Audited] = field(default_factory=dict)
    #: The names in the registries of the libraries.
    registered: set[str] = field(default_factory=set)
    #: The names of the jobs that the tests check by themselves.
    own_checks: set[str] = field(default_factory=set)
    #: The names of jobs that the application itself performs, at most once.
    passed: set[str] = field(default_factory=set)
    #: The ids of the tests that enqueue jobs outside of any harness, and reach none.
    past: set[str] = field(default_factory=set)
    #: The files and lines to which checks of handoffs came.
    handed_off: set[tuple[str, int]] = field(default_factory=set)
    #: Whether the tests came to their end, so that the second pass began.
    is_begun: bool = False

    def add(self, other: Result) -> None:
        """Take over what another process has found."""
        for job, audited in other.audited.items():
            if job in self.audited:
                self.audited[job].add(audited)
            else:
                self.audited[job] = audited
        self.registered |= other.registered
        self.own_checks |= other.own_checks
        self.passed |= other.passed
        self.past |= other.past
        self.handed_off |= other.handed_off
        self.is_begun &= other.is_begun

    @property
    def is_complete(self) -> bool:
        """Whether the audit came to its end with each job."""
        return self.is_begun and all(each.is_done for each in self.audited.values())

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
    def only_own_checks(self) -> set[str]:
        """The names of the jobs that only checks of the tests themselves deliver."""
        # APScheduler writes the path of a function with a colon.
        return self.own_checks.difference(
            self.audited, (name.replace(":", ".") for name in self.audited)
        )

    @property
    def unreached(self) -> list[str]:
        return sorted(self.registered.difference(self.audited, self.own_checks))

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        return {
            "version": 1,
            "complete": self.is_complete,
            "findings": [finding.to_dict() for finding in self.findings],
            "no_finding": [each.job for each in self.checked if not each.findings],
            "not_checked": [{"job": each.job, "reason": each.why_not} for each in self.not_checked],
            "unreached": self.unreached,
        }
