"""A harness for the whole session, for what fixtures of a wider scope than a test enqueue."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from .options import session_options

if TYPE_CHECKING:
    from ..harness.jobs import Jobs

_LEFT = "pytest_jobs_left"


class SessionGuard:
    """Registered where a harness is open in every test: then no enqueue gets past it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._jobs: Jobs | None = None
        self._left: list[str] = []

    @property
    def jobs(self) -> Jobs:
        """The harness of the session, opened at first use."""
        if self._jobs is None:
            from .opening import open_harness

            self._jobs = open_harness(self._config, session_options(self._config), "")
        return self._jobs

    def pytest_runtestloop(self) -> None:
        """Open the harness before the first fixture."""
        self.jobs  # noqa: B018 - opened by being looked at

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Let a fixture of a wider scope enqueue into the session, although a test asked for it."""
        if fixturedef.scope == "function":
            return (yield)
        from ..harness.active import current_jobs

        with ExitStack() as stack:
            current = current_jobs()
            if current is not self.jobs:
                stack.enter_context(current.reporting_to(self.jobs))
            return (yield)

    def pytest_sessionfinish(self) -> None:
        """Close the harness, and keep what nobody performed for the summary."""
        if self._jobs is None:
            return
        from ..harness.describe import record_line

        self._left = [
            record_line(record) for record in self._jobs.ledger.pending() if not record._seen
        ]
        jobs, self._jobs = self._jobs, None
        jobs.close()
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_LEFT] = self._left

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist found."""
        self._left += getattr(node, "workeroutput", {}).get(_LEFT, [])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what fixtures enqueued outside of tests and nobody performed."""
        if self._left:
            terminalreporter.section("jobs enqueued outside of tests and never performed")
            for line in self._left:
                terminalreporter.line(line)
            terminalreporter.line(
                "Perform them in the fixture, through the `session_jobs` fixture."
            )
