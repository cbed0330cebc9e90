"""A harness for the whole session, for what fixtures of a wider scope than a test enqueue."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

import pytest

from ..assertions.options import APPS
from .settings.options import item_options, session_options

if TYPE_CHECKING:
    from ..harness.jobs import Jobs

_LEFT = "pytest_jobs_left"
_FAILED = "pytest_jobs_failed"


class SessionGuard:
    """Keeps a harness open for the whole session, where every test has one: then no enqueue reaches a broker."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._jobs: Jobs | None = None
        #: Whether a test runs that has no harness.
        self._aside = False
        #: Lines about jobs that nobody performed, and about errors that no test or fixture raised.
        self._found: dict[str, list[str]] = {_LEFT: [], _FAILED: []}

    @property
    def jobs(self) -> Jobs:
        """The harness of the session, opened at first use."""
        if self._jobs is None:
            from .opening import open_harness

            options = session_options(self._config)
            self._jobs = open_harness(self._config, options, "", options[APPS])
        return self._jobs

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """Open the harness before the first fixture, which loads the applications.

        Raises:
            pytest.UsageError: when one of them cannot be loaded.
        """
        # The controller of pytest-xdist, which has this plugin, runs no test itself.
        is_controller = self._config.pluginmanager.has_plugin("dsession")
        if self._config.getoption("collectonly") or is_controller:
            return
        from ..errors import BridgeError

        try:
            self.jobs  # noqa: B018 - opened by being looked at
        except BridgeError as error:
            # A worker of pytest-xdist has nowhere to print it: there each test says so.
            if not hasattr(self._config, "workerinput"):
                raise pytest.UsageError(f"jobs_apps: {error}") from error

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Leave the application alone during a test that has no harness."""
        if item_options(item).opens:
            return (yield)
        self.jobs.harness.stand_aside()
        self._aside = True
        try:
            return (yield)
        finally:
            self._aside = False
            self.jobs.harness.stand_in()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Record what a fixture of a wider scope enqueues in the harness of the session, not of the test."""
        if fixturedef.scope == "function":
            return (yield)
        jobs = self.jobs
        self._keep_errors(jobs)
        diversion = ExitStack()
        # The teardown of the fixture may take place inside another test. Finalizers run in reverse order: the one
        # that is added last diverts again, and this one ends that.
        fixturedef.addfinalizer(diversion.close)
        with diversion:
            self._divert(jobs, diversion)
            value = yield
        fixturedef.addfinalizer(lambda: self._divert(jobs, diversion))
        jobs.check()
        if fixturedef.argname == "jobs_apps":
            from ..bridges.opening import bridges_to

            # The named applications only rank, which matters to nobody but a test: each has a harness of its own.
            captured = {bridge.name for bridge in jobs.harness.bridges}
            named = bridges_to(cast(Any, value))
            jobs.harness.bring_in(bridge for bridge in named if bridge.name not in captured)
        return value

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Close the harness after the last fixture, and keep the lines for the summary."""
        if self._jobs is not None:
            from ..harness.records.record import record_line

            jobs, self._jobs = self._jobs, None
            self._keep_errors(jobs)
            pending = (record for record in jobs.harness.ledger.pending() if not record.seen)
            self._found[_LEFT] += [record_line(record) for record in pending]
            jobs.close()
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output.update(self._found)
        elif self._found[_FAILED] and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over the lines of a worker of pytest-xdist."""
        output = getattr(node, "workeroutput", {})
        for key, lines in self._found.items():
            lines.extend(output.get(key, []))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what became of the jobs that fixtures enqueued outside of tests."""
        if self._found[_LEFT]:
            terminalreporter.section("jobs enqueued outside of tests and never performed")
            for line in self._found[_LEFT]:
                terminalreporter.line(line)
            terminalreporter.line(
                "Perform them in the fixture, through the `session_jobs` fixture."
            )
        if self._found[_FAILED]:
            terminalreporter.section("jobs that failed outside of tests", red=True)
            for line in self._found[_FAILED]:
                terminalreporter.line(line)

    def _divert(self, jobs: Jobs, diversion: ExitStack) -> None:
        """Let the harness of the session record until the diversion is closed."""
        from ..harness.open_harness import open_harnesses

        harness = jobs.harness
        if self._aside:
            harness.stand_in()
            diversion.callback(harness.stand_aside)
            return
        current = open_harnesses.innermost()
        if current is not harness:
            diversion.enter_context(current.bridges.sandboxed(harness.ledger))

    def _keep_errors(self, jobs: Jobs) -> None:
        from ..harness.records.texts import error_text

        try:
            jobs.check()
        except BaseException as error:
            self._found[_FAILED] += [error_text(error), *getattr(error, "__notes__", ())]
