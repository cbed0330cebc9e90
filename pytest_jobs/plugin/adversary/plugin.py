"""Attacking the jobs of a whole suite."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import pytest

from ..options import Attack, JobOptions, item_options
from .runs import Runs

Names = dict[str, list[str]]


class Tally:
    """Counts, and lists of names; each is known by a key."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._names: dict[str, Names] = {}

    def count(self, key: str, number: int = 1) -> None:
        """Count up."""
        self._counts[key] = self._counts.get(key, 0) + number

    def name(self, key: str, name: str, detail: str = "") -> None:
        """Note a name, and a detail of it unless it is empty."""
        details = self._names.setdefault(key, {}).setdefault(name, [])
        if detail and detail not in details:
            details.append(detail)

    def number(self, key: str) -> int:
        """Return how many were counted, or how many names were noted."""
        return self._counts.get(key, 0) + len(self._names.get(key, {}))

    def names(self, key: str) -> Iterable[tuple[str, list[str]]]:
        """Return the names in order, each with its details."""
        return (
            (name, sorted(details)) for name, details in sorted(self._names.get(key, {}).items())
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all of it in a form that travels."""
        return {"counts": self._counts, "names": self._names}

    def add(self, found: dict[str, Any]) -> None:
        """Take over what another process counted."""
        for key, number in found["counts"].items():
            self.count(key, number)
        for key, names in found["names"].items():
            for name, details in names.items():
                self.name(key, name)
                for detail in details:
                    self.name(key, name, detail)


def several(number: int, noun: str) -> str:
    """Return a number and its noun, such as `1 test` or `2 tests`."""
    plural = {"delivery": "deliveries"}.get(noun, f"{noun}s")
    return f"{number} {noun if number == 1 else plural}"


_KEY = "pytest_jobs_attacked"
_SWITCHES = ("idempotent", "crash")


def adversary_plugin(config: pytest.Config, options: JobOptions) -> AdversaryPlugin:
    """Return what attacks the jobs of every test as the options say."""
    if options.attack == "crash":
        from .crash import CrashPlugin

        return CrashPlugin(config, options)
    from .twice import TwicePlugin

    return TwicePlugin(config, options)


class AdversaryPlugin(ABC):
    """Runs each test in its own way, tells what it found, and fails a run in which it found nothing to do."""

    attack: ClassVar[Attack]

    def __init__(self, config: pytest.Config, options: JobOptions) -> None:
        self._config = config
        self._options = options
        self.tally = Tally()

    @abstractmethod
    def attacked(self, runs: Runs, nodeid: str) -> None:
        """Run a test as often as it takes, and report one of its runs."""

    @abstractmethod
    def told(self) -> list[str]:
        """Return the lines that say what was found."""

    @abstractmethod
    def nothing_done(self) -> str | None:
        """Return what to say when no job was attacked; None when some was."""

    @property
    def broke(self) -> bool:
        """Whether a test broke."""
        return bool(self.tally.number("broken"))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        """Run a test that may be attacked, in the place of pytest."""
        if not isinstance(item, pytest.Function) or self._runs_nothing():
            return None
        opted_out = self._opted_out(item)
        if opted_out is not None:
            self.tally.name(f"opted out by {opted_out}", item.nodeid)
            return None
        self.tally.count("tests")
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        self.attacked(Runs(item, nextitem), item.nodeid)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand over what was found, or fail a run that the flag asked for and in which nothing was."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_KEY] = self.tally.to_dict()
        elif (
            session.exitstatus == pytest.ExitCode.OK
            and self._options.attack_by_flag
            and self.nothing_done()
            and not self._runs_nothing()
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist found."""
        found = getattr(node, "workeroutput", {}).get(_KEY)
        if found is not None:
            self.tally.add(found)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell what was found."""
        if self._runs_nothing():
            return
        nothing = self.nothing_done()
        bad = self.broke or nothing is not None
        terminalreporter.section(f"--jobs-{self.attack}", red=bad, green=not bad)
        if nothing is not None:
            terminalreporter.line(nothing, red=True)
        for line in self.told():
            terminalreporter.line(line)

    def told_opted_out(self) -> list[str]:
        """Return the lines that name the tests that were left alone."""
        lines = []
        for switch in _SWITCHES:
            names = [name for name, _ in self.tally.names(f"opted out by {switch}")]
            if names:
                lines.append(f"{several(len(names), 'test')} left alone ({switch}=False):")
                lines += [f"  {name}" for name in names]
        return lines

    def told_broken(self) -> list[str]:
        """Return the lines that name the jobs that broke tests, and the tests."""
        lines = []
        for job, tests in self.tally.names("broken"):
            lines.append(f"{job} broke {several(len(tests), 'test')}:")
            lines += [f"  {test}" for test in tests]
        return lines

    def _opted_out(self, item: pytest.Item) -> str | None:
        """Return the switch of the marker that keeps this attack away from a test."""
        options = item_options(item)
        if not options.idempotent:
            return "idempotent"
        return "crash" if self.attack == "crash" and not options.crash else None

    def _runs_nothing(self) -> bool:
        option = self._config.option
        names = ("collectonly", "setuponly", "setupplan")
        return any(getattr(option, name, False) for name in names)


def blame(report: pytest.TestReport, headline: str, title: str, text: str) -> None:
    """Let the report of a test that failed say which job broke it."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        crash.message = f"{headline}: {crash.message}"
    report.sections.append((title, text))
