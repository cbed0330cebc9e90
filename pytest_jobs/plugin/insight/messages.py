"""`--jobs-messages`: what every registered job accepts, in a file that is committed like a lock file."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from ...assertions.options import APPS, QUEUES, Settings
from ...bridges.opening import asking_bridges
from ...errors import MessagesFileError
from ...harness.records.bridge import TakesFunctions
from ...harness.records.texts import counted
from ...insight.messages.accepted import Messages

if TYPE_CHECKING:
    from ...harness.jobs import Jobs

#: Where a worker of pytest-xdist puts what it has.
_KEY: Final = "pytest_jobs_messages"
_ENDED: Final = (
    pytest.ExitCode.OK,
    pytest.ExitCode.TESTS_FAILED,
    pytest.ExitCode.NO_TESTS_COLLECTED,
)


class MessagesPlugin:
    """Takes the jobs from the libraries when the session ends: by then all is imported.

    Raises:
        pytest.UsageError: when there is another file of the name.
    """

    def __init__(self, config: pytest.Config, path: Path, options: Settings) -> None:
        self._config = config
        self._path = path
        self._options = options
        try:
            before = path.read_text("utf-8") if path.is_file() else None
            self._known = Messages() if before is None else Messages.from_text(before)
        except (MessagesFileError, OSError, UnicodeDecodeError) as error:
            raise pytest.UsageError(
                f"--jobs-messages: {path} is there, and it is not overwritten: {error}. Name another file."
            ) from None
        self._messages = Messages(served=queues.names if (queues := options[QUEUES]) else None)
        #: The functions that tests enqueued, by library, where a library takes any function.
        self._enqueued: dict[str, set[str]] = defaultdict(set)
        #: What is said at the end: jobs that are left out, and why nothing was written.
        self._said: set[str] = set()
        self._is_short = False
        self._is_uncollected = False
        self._written = False

    def pytest_jobs_opened(self, jobs: Jobs) -> None:
        """Note which functions a test enqueues: no registry has those of RQ, say."""

        def note() -> None:
            for record in jobs.harness.ledger.records:
                if isinstance(record.source, TakesFunctions):
                    self._enqueued[record.bridge].add(record.name)

        jobs.harness.when_closing.append(note)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._is_uncollected |= report.failed

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Take the jobs and write them; a worker of pytest-xdist sends them to the controller."""
        config = self._config
        # A test that does not run today may be the only one that imports a module.
        self._said.update(self._known.import_modules())
        with asking_bridges(self._options[APPS]) as (bridges, refused):
            for bridge in bridges:
                enqueued = self._enqueued[bridge.name]
                self._said.update(
                    self._messages.take(bridge, self._known, enqueued, config.rootpath)
                )
        self._is_short |= bool(self._said)
        # A library that is merely imported may have no messages.
        self._said.update(refused)
        output = getattr(config, "workeroutput", None)
        if output is not None:
            output[_KEY] = (
                self._messages.to_text(),
                sorted(self._said),
                self._is_short,
                self._is_uncollected,
            )
            return
        self._is_short |= not self._is_written(session)
        if self._is_short and session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _is_written(self, session: pytest.Session) -> bool:
        """Write the file, if all jobs may be in it."""
        if self._is_uncollected or session.exitstatus not in _ENDED:
            self._said = {f"{self._path} is not written: not all tests were collected."}
        elif not len(self._messages):
            self._said.add(
                f"{self._path} is not written: no library has a job in what the tests import. Import the modules "
                "of the jobs, in conftest.py say, or name the application by jobs_apps."
            )
        else:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._path.write_text(self._messages.to_text(), "utf-8")
            except OSError as error:
                self._said.add(f"{self._path} is not written: {error.strerror}.")
            else:
                self._written = True
        return self._written

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add what a worker of pytest-xdist has."""
        found = getattr(node, "workeroutput", {}).get(_KEY)
        if found is not None:
            text, said, is_short, is_uncollected = found
            self._messages.add(Messages.from_text(text))
            self._said.update(said)
            self._is_short |= is_short
            self._is_uncollected |= is_uncollected

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was written, and what is missing."""
        terminalreporter.section("--jobs-messages", red=self._is_short, green=not self._is_short)
        for line in sorted(self._said):
            terminalreporter.line(line)
        if self._written:
            terminalreporter.line(f"{counted(len(self._messages), 'job')} in {self._path}")
