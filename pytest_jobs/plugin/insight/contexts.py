"""Gives each delivery a context of its own in the data of coverage, when that measures lines in the session.

The context is `job:NAME|attempt:N|HISTORY`: the reports of coverage show which lines only a retry reached, or only
a delivery that came again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final
from warnings import catch_warnings, simplefilter

import pytest

from ...exploration.engine.acts import within_compared
from ...harness.open_harness import open_harnesses

if TYPE_CHECKING:
    from ...harness.records.record import JobRecord

#: Where a worker of pytest-xdist puts what it has to say.
_KEY = "pytest_jobs_contexts"
#: Since then `switch_context` returns the context before: the one of the test.
_OLDEST: Final = (7, 16)
_TOO_OLD: Final = (
    "Lines of coverage have no context of their job: that takes coverage 7.16 or newer, and this is "
    "coverage {}."
)
_TAKEN: Final = (
    "Lines of coverage have no context of their job: the setting dynamic_context of coverage decides on "
    "contexts. Take it out, and use --cov-context=test of pytest-cov for those of tests."
)


class LineContexts:
    """Switches the context of coverage at the beginning and at the end of each delivery."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        #: The contexts of the deliveries that are being made, and the context before the first of them.
        self._active: list[str] = []
        self._before: str | None = None
        #: The coverage that measures, and whether it can switch.
        self._measuring: Any = None
        self._can_switch = False
        self._why_not: dict[str, None] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        before, open_harnesses.bracket = open_harnesses.bracket, self.begin
        try:
            return (yield)
        finally:
            open_harnesses.bracket = before

    def begin(self, record: JobRecord, history: str) -> Callable[[], object]:
        """Switch to the context of a delivery; return what ends it."""
        if not self._is_ready():
            return lambda: None
        came = history or "test"
        again = ", again" if record.origin == "redelivery" else ""
        name = f"job:{record.name}|attempt:{record.attempt}|{came}{again}"
        before = self._switch(name)
        if not self._active:
            self._before = self._without_static(before)
        self._active.append(name)

        def end() -> None:
            # Deliveries that overlap need not end in the order in which they began.
            self._active.remove(name)
            self._switch(self._active[-1] if self._active else self._before)

        return end

    def _is_ready(self) -> bool:
        """Say whether coverage measures, and can switch contexts."""
        coverage: Any = sys.modules.get("coverage")
        measuring = None if coverage is None else coverage.Coverage.current()
        if measuring is not self._measuring:
            self._measuring = measuring
            why_not = ""
            if coverage is not None and measuring is not None:
                if coverage.version_info < _OLDEST:
                    why_not = _TOO_OLD.format(coverage.__version__)
                elif measuring.get_option("run:dynamic_context"):
                    why_not = _TAKEN
            self._can_switch = measuring is not None and not why_not
            if why_not:
                self._why_not[why_not] = None
            elif measuring is not None:
                # Coverage warns once that its core on sys.monitoring reports a line only once: see `_switch`.
                with catch_warnings():
                    simplefilter("ignore")
                    before = self._switch("")
                self._switch(self._without_static(before))
        return self._can_switch

    def _switch(self, name: str | None) -> str | None:
        """Switch to a context, and return the one before."""
        before: str | None = Context().run(self._switch_unseen, name or "")
        monitoring: Any = getattr(sys, "monitoring", None)
        if monitoring is not None and monitoring.get_tool(monitoring.COVERAGE_ID) is not None:
            # Its core on sys.monitoring has switched off the lines that it has seen.
            monitoring.restart_events()
        return before

    def _switch_unseen(self, name: str) -> Any:
        # Coverage writes into its database, which an exploration would take for the work of the job.
        within_compared.set(True)
        return self._measuring.switch_context(name)

    def _without_static(self, context: str | None) -> str | None:
        """Return a context without the static one, which coverage puts before each."""
        static = self._measuring.get_option("run:context")
        if static and context is not None:
            return context.removeprefix(static).removeprefix("|")
        return context

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Send to the controller why nothing was switched."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_KEY] = [*self._why_not]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist has to say."""
        self._why_not |= dict.fromkeys(getattr(node, "workeroutput", {}).get(_KEY, ()))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for why_not in self._why_not:
            terminalreporter.line(f"jobs: {why_not}")
