"""`--jobs-lint`: the lint of the source, and what the deliveries of the tests show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ...errors import BaselineError
from ...insight.lint.baseline import Baseline
from ...insight.lint.linter import Findings, lint, with_baseline
from ...insight.lint.output import lines_of, summary
from ...insight.lint.watching import Watch
from .recording import importing, lint_settings

if TYPE_CHECKING:
    from ...harness.records.delivery import Delivery

#: Where a worker of pytest-xdist puts what it saw.
_KEY = "pytest_jobs_linted"


class LintPlugin:
    """Looks at deliveries while tests run, and at the source when they have run.

    Raises:
        pytest.UsageError: when a setting of the lint is wrong.
    """

    def __init__(self, config: pytest.Config, baseline: Baseline | None) -> None:
        self._config = config
        self._importing = importing(config)
        self._settings = lint_settings(config)
        self._section = None if baseline is None else baseline["lint"]
        self._watch = Watch(self._settings)
        self._findings: Findings | None = None

    @property
    def findings(self) -> Findings | None:
        """What was found; None until the session has finished."""
        return self._findings

    def pytest_jobs_delivered(self, delivery: Delivery) -> None:
        self._watch.delivered(delivery.record)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send what was seen to the controller; there, lint the source, and fail a session with findings."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_KEY] = self._watch.to_dict()
            return
        root = self._config.rootpath
        running = self._importing.running
        found = lint([root], self._settings, base=root, running=running)
        found = found._replace(found=[*found.found, *self._watch.findings(root)])
        try:
            self._findings = with_baseline(found, self._section, self._settings, running, root)
        except BaselineError as error:
            self._findings = found._replace(said=str(error))
        if self._is_bad(self._findings) and session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add what a worker of pytest-xdist saw."""
        found = getattr(node, "workeroutput", {}).get(_KEY)
        if found is not None:
            self._watch.add(found)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._findings is None:
            return
        bad = self._is_bad(self._findings)
        terminalreporter.section("--jobs-lint", red=bad, green=not bad)
        handoffs = self._findings.handoffs.lines()
        for line in (*lines_of(self._findings), *handoffs, summary(self._findings)):
            terminalreporter.line(line)

    @staticmethod
    def _is_bad(findings: Findings) -> bool:
        return bool(findings.found or findings.handoffs.unseen)
