"""`--jobs-cov`: which jobs of the project the tests enqueue and perform, and which of their rules ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from ...errors import LintSettingsError
from ...harness.records.texts import counted
from ...insight.coverage.coverage import JobCoverage, job_coverage
from ...insight.coverage.output import as_json, summary, table
from ...insight.lint.baseline import Baseline
from ...insight.lint.settings import read_settings
from ..settings.options import CoverageOptions
from .recording import Recording, importing, unperformed


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
            self._settings = read_settings(config.rootpath)
            self._baseline = None if options.baseline is None else Baseline(options.baseline)
        except LintSettingsError as error:
            raise pytest.UsageError(str(error)) from None
        #: Known when the session has ended.
        self.coverage: JobCoverage | None = None
        self._unwritten: list[str] = []
        self._deselected = 0
        #: What was not seen and is not in the baseline, and what is said of that file.
        self._new: list[str] = []
        self._said = ""

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self._deselected += len(items)

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
        for _, path in self._options.reports:
            if path is not None:
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(as_json(coverage), "utf-8")
                except OSError as error:
                    self._unwritten.append(f"{path} could not be written: {error.strerror}.")
        if self._baseline is not None:
            self._compare(coverage, self._baseline)
        is_bad = self._unwritten or self._new or self._too_low(coverage)
        if is_bad and session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _compare(self, coverage: JobCoverage, baseline: Baseline) -> None:
        """Compare what is missing with the baseline, where all tests have run."""
        config = self._config
        if config.option.keyword or any("::" in one or one.endswith(".py") for one in config.args):
            self._said = (
                f"Not compared with {self._options.baseline}: only some of the tests have run."
            )
            return
        try:
            new, self._said = baseline.compare(gap for job in coverage.jobs for gap in job.gaps())
        except OSError as error:
            path = self._options.baseline
            self._unwritten.append(f"{path} could not be written: {error.strerror}.")
        else:
            self._new = sorted(new.elements())

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        coverage = self.coverage
        if coverage is None:
            return
        too_low = self._too_low(coverage)
        is_bad = bool(too_low or self._new)
        terminalreporter.section("job coverage", red=is_bad, green=not is_bad)
        for line in self._lines(coverage):
            terminalreporter.line(line)
        for line in filter(None, [*(f"New: {one}" for one in self._new), too_low]):
            terminalreporter.line(line, red=True)

    def _lines(self, coverage: JobCoverage) -> Iterator[str]:
        formats = {name for name, _ in self._options.reports}
        if formats & {"term", "term-all"}:
            yield from table(coverage, everything="term-all" in formats)
        yield from summary(coverage)
        yield from coverage.handoffs.lines()
        if self._deselected:
            yield f"{counted(self._deselected, 'test')} did not run: deselected."
        yield from filter(None, [self._unperformed.hint(), self._said])
        for shown, why in coverage.unreadable:
            yield f"{shown} was not read: {why}."
        for name, path in self._options.reports:
            if path is not None and not self._unwritten:
                yield f"{name}: {path}"
        yield from self._unwritten

    def _too_low(self, coverage: JobCoverage) -> str:
        """Return why coverage does not suffice; empty if it does."""
        options, unseen = self._options, coverage.handoffs.unseen
        wanted = f"{options.where}={options.fail_under:g}"
        if coverage.percent < options.fail_under:
            return f"Job coverage is {coverage.percent:.1f} %, below {wanted}."
        if unseen and options.fail_under:
            titles = " and ".join(one.title for one in unseen)
            return f"Job coverage of {titles} is not known, so nobody can say that it reaches {wanted}."
        return ""
