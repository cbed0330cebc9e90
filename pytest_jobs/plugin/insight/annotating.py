"""`--jobs-annotations=github`: failures of checks and assertions about jobs, beside the lines of a change."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

from ...errors import JobsError, NotIdempotent
from ...insight.lint.output import annotation

#: The attribute of a report that has the file, the line, the title and the text.
_NOTED: Final = "jobs_annotation"
_PACKAGE: Final = f"{Path(__file__).parents[2]}{os.sep}"
#: GitHub shows the beginning of a text.
_LINES: Final = 12


class Annotations:
    """Collects the failures, and writes them when all tests have run."""

    def __init__(self, config: pytest.Config) -> None:
        # GitHub takes names of files from the root of the repository, which is there in its runners.
        self._root = Path(os.environ.get("GITHUB_WORKSPACE") or config.invocation_params.dir)
        self._lines: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        excinfo = call.excinfo
        # Before other hooks cut our frames out of the traceback.
        is_ours = excinfo is not None and _is_ours(excinfo)
        report = yield
        if excinfo is not None and is_ours and report.failed:
            error = excinfo.value
            text = "\n".join(f"{item.nodeid}: {error}".splitlines()[:_LINES])
            vars(report)[_NOTED] = [*_place(item, report, error), _title(error), text]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        noted = vars(report).get(_NOTED)
        if noted is not None:
            file, line, title, text = noted
            path = Path(file)
            shown = (
                path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else file
            )
            self._lines.append(annotation("error", shown, line, title, text))

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self._lines:
            terminalreporter.line(line)


def _is_ours(excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
    """Say whether a check or an assertion of ours has failed, and not the code that a verb has run."""
    if isinstance(excinfo.value, JobsError):
        return True
    # Assertions in jobs and in functions of the test raise there.
    return bool(excinfo.traceback) and str(excinfo.traceback[-1].path).startswith(_PACKAGE)


def _title(error: BaseException) -> str:
    report: Any = error.report if isinstance(error, NotIdempotent) else None
    return type(error).__name__ if report is None else f"{report.verdict} {report.effect}"


def _place(item: pytest.Item, report: pytest.TestReport, error: BaseException) -> tuple[str, int]:
    """Return the line of the job at which a history broke; else that of the test."""
    found: Any = error.report if isinstance(error, NotIdempotent) else None
    if found is not None:
        index = found.failure.plan.index
        points = found.exploration.points
        until = points[: (len(points) if index is None else index + 1)]
        # A history without an interruption belongs to the job as a whole; an effect, to the line before it.
        lines = [point for point in until if point.kind == "line"]
        if lines:
            point = lines[0] if index is None else lines[-1]
            return point.filename, point.line
    crash = getattr(report.longrepr, "reprcrash", None)
    has_lines = getattr(error, "pytrace", True)
    if crash is not None and has_lines:
        return crash.path, crash.lineno
    return str(item.path), (item.location[1] or 0) + 1
