"""What both attacks have in common: which tests they run, what they count, and what they say at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from ...harness.records.patches import Patches
from ...harness.records.texts import counted
from ..insight.recording import unperformed
from ..settings.declared import is_verbose
from ..settings.options import Attack, JobOptions, item_options
from .runs import Runs, runs_nothing

if TYPE_CHECKING:
    from ...bridges.calls import DirectCallCapture

Names = dict[str, list[str]]


class Tally:
    """Counts, and names with details, each under a key. It travels from the workers of pytest-xdist."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._names: dict[str, Names] = {}
        self._highest: dict[str, int] = {}

    def count(self, key: str, number: int = 1) -> None:
        self._counts[key] = self._counts.get(key, 0) + number

    def most(self, key: str, number: int) -> None:
        """Keep the highest of the numbers under a key."""
        self._highest[key] = max(number, self.highest(key))

    def name(self, key: str, name: str, detail: str = "") -> None:
        """Note a name, and a detail of it unless it is empty."""
        details = self._names.setdefault(key, {}).setdefault(name, [])
        if detail and detail not in details:
            details.append(detail)

    def number(self, key: str) -> int:
        """Return how many were counted, or how many names were noted under a key."""
        return self._counts.get(key, 0) + len(self._names.get(key, {}))

    def highest(self, key: str) -> int:
        """Return the highest number under a key; 0 if there is none."""
        return self._highest.get(key, 0)

    def names(self, key: str) -> Iterable[tuple[str, list[str]]]:
        """Return the names in order, each with its details."""
        return (
            (name, sorted(details)) for name, details in sorted(self._names.get(key, {}).items())
        )

    def to_dict(self) -> dict[str, Any]:
        return {"counts": self._counts, "names": self._names, "highest": self._highest}

    def add(self, found: dict[str, Any]) -> None:
        """Take over what another process counted."""
        for key, number in found["counts"].items():
            self.count(key, number)
        for key, number in found["highest"].items():
            self.most(key, number)
        for key, names in found["names"].items():
            for name, details in names.items():
                self.name(key, name)
                for detail in details:
                    self.name(key, name, detail)


#: So many names does a summary without -v have of one kind.
_NAMED: Final = 5
#: Where a worker of pytest-xdist puts its tally.
_KEY = "pytest_jobs_attacked"


class AdversaryPlugin(ABC):
    """Runs each test in its own way, and fails a session in which it attacked no job."""

    attack: ClassVar[Attack]

    def __init__(self, config: pytest.Config, options: JobOptions) -> None:
        self._config = config
        self._options = options
        self.tally = Tally()
        #: Whether the summary names everything.
        self.verbose = is_verbose(config)
        self.findings = Findings(self.tally)
        self._patches = Patches()
        self._unperformed = unperformed(config)
        self._calls: DirectCallCapture | None = None
        if options.attack_calls:
            from ...bridges.calls import DirectCallCapture

            self._calls = DirectCallCapture(self._patches)

    @abstractmethod
    def attacked(self, runs: Runs, nodeid: str) -> None:
        """Run a test as often as the attack needs, and report one of the runs."""

    @abstractmethod
    def summary(self) -> list[str]:
        """Return the lines of the summary."""

    @abstractmethod
    def nothing_done(self) -> str | None:
        """Return what to say when no job was attacked; None when one was."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Capture no direct calls after the last test."""
        try:
            return (yield)
        finally:
            self._patches.restore()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        """Run a test that may be attacked, instead of pytest."""
        if not isinstance(item, pytest.Function) or runs_nothing(self._config):
            return None
        options = item_options(item)
        if not options.idempotent or (self.attack == "crash" and not options.crash):
            switch = "crash" if options.idempotent else "idempotent"
            self.tally.name(f"opted out by {switch}", item.nodeid)
            return None
        self.tally.count("tests")
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        self.attacked(Runs(item, nextitem, self._calls), item.nodeid)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send the tally to the controller, or fail a session in which nothing was attacked, by the flag."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_KEY] = self.tally.to_dict()
        elif (
            session.exitstatus == pytest.ExitCode.OK
            and self._options.attack_by_flag
            and self.nothing_done()
            and not runs_nothing(self._config)
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the tally of a worker of pytest-xdist."""
        found = getattr(node, "workeroutput", {}).get(_KEY)
        if found is not None:
            self.tally.add(found)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if runs_nothing(self._config):
            return
        nothing = self.nothing_done()
        bad = nothing is not None or self.tally.number("broken") > 0
        terminalreporter.section(f"--jobs-{self.attack}", red=bad, green=not bad)
        if nothing is not None:
            terminalreporter.line(nothing, red=True)
        for line in self.summary():
            terminalreporter.line(line)

    def hint(self) -> str:
        """Return the sentence about the flag that helps where nothing was attacked."""
        unperformed = self._unperformed.hint()
        if unperformed or self._options.attack_calls:
            return f" {unperformed}".rstrip()
        return " For tests that call tasks directly, such as task(1), add --jobs-attack-calls."

    def note_passed(self, names: Iterable[str]) -> None:
        """Note the jobs that the application performed itself in a test."""
        for name in names:
            self.tally.name("passed", name)

    def opted_out(self) -> list[str]:
        """Return the lines about jobs and tests that were left alone."""
        lines = []
        passed = [name for name, _ in self.tally.names("passed")]
        if passed:
            lines.append("Left alone where the application performs them itself, at most once:")
            lines += self._indented(passed)
        for switch in ("idempotent", "crash"):
            names = [name for name, _ in self.tally.names(f"opted out by {switch}")]
            if names:
                lines.append(f"{counted(len(names), 'test')} left alone ({switch}=False):")
                lines += self._indented(names)
        return lines

    def broken(self) -> list[str]:
        """Return the lines about jobs that broke tests."""
        lines = []
        for job, tests in self.tally.names("broken"):
            lines.append(f"{job} broke {counted(len(tests), 'test')}:")
            lines += self._indented(tests)
        for cause, tests in self.tally.names("findings"):
            if len(tests) > 1:
                lines.append(f"One finding in {len(tests)} tests: {cause}.")
        return lines

    def _indented(self, names: Sequence[str]) -> list[str]:
        """Return a line for each name; without -v for the first, and how many more there are."""
        most = len(names) if self.verbose else _NAMED
        more = [f"  and {len(names) - most} more"] if len(names) > most else []
        return [*(f"  {name}" for name in names[:most]), *more]


class Findings:
    """What was found in this process: one finding for each job and cause, however many tests it breaks."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        #: For each cause the test in which it was found.
        self._first: dict[object, str] = {}

    def known(self, cause: object) -> bool:
        """Return whether a test has been broken by this cause before."""
        return cause in self._first

    def found(self, cause: object, shown: str, nodeid: str) -> str | None:
        """Note that a cause breaks a test; return the test in which it was found before, if there is one.

        Args:
            cause: what is the same in all tests that it breaks.
            shown: the cause in a few words.
            nodeid: the test.
        """
        self._tally.name("findings", shown, nodeid)
        first = self._first.setdefault(cause, nodeid)
        return None if first == nodeid else first


def blame(report: pytest.TestReport, headline: str, title: str, text: str) -> None:
    """Name the job that broke a test in the report of the test."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        crash.message = f"{headline}: {crash.message}"
    report.sections.append((title, text))


def refer(report: pytest.TestReport, headline: str, first: str, title: str, text: str) -> None:
    """Shorten the report of a test that is broken as an earlier one is, whose report has the story.

    Its error stays, since the same defect may break another assertion.
    """
    shown = f"{headline}, as it breaks {first}, whose report has the whole story."
    failure: Any = report.longrepr
    crash = getattr(failure, "reprcrash", None)
    if crash is not None:
        error = crash.message.partition("\n")[0]
        crash.message = shown
        failure.reprtraceback.reprentries = []
        failure.reprtraceback.extraline = (
            f"E   {error} ({Path(crash.path).name}:{crash.lineno})\n{shown}"
        )
        if hasattr(failure, "chain"):
            failure.chain = failure.chain[-1:]
    else:
        error = str(failure).strip().rpartition("\n")[2]
        report.longrepr = f"E   {error}\n{shown}"
    report.sections[:] = [(title, text)]
