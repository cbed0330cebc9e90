"""`--jobs-cov`: which jobs of the project the tests enqueue and perform, and which of their rules ran."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ...errors import LintSettingsError
from ...insight.coverage.coverage import JobCoverage, job_coverage
from ...insight.coverage.output import as_json, as_xml, summary, table
from ...insight.lint.basis.settings import read_settings
from ..settings.options import CoverageOptions
from .importing import importing
from .recording import Recording
from .unperformed import unperformed


class CoveragePlugin:
    """Computes job coverage when all tests have run, and writes it.

    Raises:
        pytest.UsageError: when a setting of the lint is wrong, which says what else is a job.
    """

    def __init__(
        self, config: pytest.Config, options: CoverageOptions, recording: Recording
    ) -> None:
        self._config = config
        self._options = options
        self._recording = recording
        self._importing = importing(config)
        self._unperformed = unperformed(config)
        try:
            self._settings, _ = read_settings(config.rootpath)
        except LintSettingsError as error:
            raise pytest.UsageError(str(error)) from None
        #: Known when the session has ended.
        self.coverage: JobCoverage | None = None
        self._unwritten: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Compute and write coverage, and fail a session that has too little of it."""
        config = self._config
        if hasattr(config, "workeroutput") or config.getoption("collectonly"):
            return
        root = config.rootpath
        self.coverage = coverage = job_coverage(
            self._recording.seen, root, self._settings, self._importing.running
        )
        for name, path in self._options.reports:
            if path is not None:
                text = as_xml(coverage) if name == "xml" else as_json(coverage)
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text, "utf-8")
                except OSError as error:
                    self._unwritten.append(f"{path} could not be written: {error.strerror}.")
        if (self._unwritten or self._is_too_low(coverage)) and session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write what is missing."""
        coverage = self.coverage
        if coverage is None:
            return
        too_low = self._is_too_low(coverage)
        terminalreporter.section("job coverage", red=too_low, green=not too_low)
        for line in self._lines(coverage):
            terminalreporter.line(line)
        if too_low:
            options = self._options
            terminalreporter.line(
                f"Job coverage is {coverage.percent:.1f} %, below {options.where}={options.fail_under:g}.",
                red=True,
            )

    def _lines(self, coverage: JobCoverage) -> Iterator[str]:
        formats = {name for name, _ in self._options.reports}
        if formats & {"term", "term-all"}:
            yield from table(coverage, everything="term-all" in formats)
        yield from summary(coverage)
        yield from coverage.handoffs.lines()
        yield from filter(None, [self._unperformed.hint()])
        for shown, why in coverage.unreadable:
            yield f"{shown} was not read: {why}."
        for name, path in self._options.reports:
            if path is not None and not self._unwritten:
                yield f"{name}: {path}"
        yield from self._unwritten

    def _is_too_low(self, coverage: JobCoverage) -> bool:
        return coverage.percent < self._options.fail_under
