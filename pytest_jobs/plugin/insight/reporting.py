"""`--jobs-report`: one HTML page about the jobs of a session."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ...errors import LintSettingsError
from ...exploration.report.mapped import exploration_map
from ...insight.coverage.coverage import JobCoverage, job_coverage
from ...insight.lint.basis.settings import read_settings
from ...insight.lint.linter import lint
from ...insight.report.covered import coverage_table
from ...insight.report.data import ReportData
from ...insight.report.filling import shown_tests, simulated_runs
from ...insight.report.making import page
from ..settings.options import session_options
from .covering import CoveragePlugin
from .importing import importing
from .linting import LintPlugin
from .recording import recording

if TYPE_CHECKING:
    from ...exploration.histories.exploration import Exploration
    from ...exploration.report.audience import Audience
    from ...harness.records.targets import Target

#: Where a worker of pytest-xdist puts its maps.
_KEY = "pytest_jobs_maps"


class Reporting:
    """Collects what the page shows, and writes the page when all tests have run.

    Raises:
        pytest.UsageError: when a setting of the lint is wrong.
    """

    def __init__(self, config: pytest.Config, path: Path, audience: Audience) -> None:
        self._config = config
        self._path = path
        self._audience = audience
        self._recording = recording(config, audience)
        self._importing = importing(config)
        self._recording.write_arguments()
        try:
            self._settings, _ = read_settings(config.rootpath)
        except LintSettingsError as error:
            raise pytest.UsageError(str(error)) from None
        self._maps: list[dict[str, Any]] = []
        #: What is said at the end about the page; empty until then.
        self._ending = ""
        audience.when_checked.append(self._checked)

    def _checked(self, target: Target, explorations: Sequence[Exploration]) -> None:
        drawn = exploration_map(target.name, explorations, root=self._config.rootpath)
        if drawn is not None:
            self._maps.append({**drawn, "nodeid": self._audience.nodeid})

    # What the recording and the lint send and count at the end has come by then.
    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the page; a worker of pytest-xdist sends its maps to the controller."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_KEY] = self._maps
        elif not self._config.getoption("collectonly"):
            try:
                self._path.write_text(page(self._data()), "utf-8")
            except OSError as error:
                # It could be written at the start; the disk is full, say.
                self._ending = f"no jobs report: {self._path} cannot be written: {error.strerror}"
                if session.exitstatus == pytest.ExitCode.OK:
                    session.exitstatus = pytest.ExitCode.TESTS_FAILED
            else:
                self._ending = f"jobs report: {self._path}"

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the maps of a worker of pytest-xdist."""
        self._maps += getattr(node, "workeroutput", {}).get(_KEY, ())

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where the page is."""
        if self._ending:
            terminalreporter.write_sep("-", self._ending)

    def _data(self) -> ReportData:
        seen = self._recording.seen
        return ReportData(
            self._config.rootpath.name,
            shown_tests(seen.tests, first_runs=session_options(self._config).attack == "crash"),
            tuple(simulated_runs(seen.tests)),
            coverage_table(self._coverage()),
            self._maps,
            self._findings(),
            (
                f"pytest-jobs {version('pytest-jobs')}",
                f"pytest {pytest.__version__}",
                f"Python {platform.python_version()}",
            ),
        )

    def _coverage(self) -> JobCoverage:
        """Return what --jobs-cov has computed, or else compute it."""
        plugin = self._config.pluginmanager.get_plugin("pytest_jobs_coverage")
        found = plugin.coverage if isinstance(plugin, CoveragePlugin) else None
        return found or job_coverage(
            self._recording.seen,
            self._config.rootpath,
            self._settings,
            self._importing.running,
        )

    def _findings(self) -> list[dict[str, Any]]:
        """Return the findings of --jobs-lint, or else those in the source alone."""
        plugin = self._config.pluginmanager.get_plugin("pytest_jobs_lint")
        found = plugin.findings if isinstance(plugin, LintPlugin) else None
        if found is None:
            root = self._config.rootpath
            running = self._importing.running
            found = lint([root], self._settings, base=root, running=running)
        return [one._asdict() for one in found.found]
