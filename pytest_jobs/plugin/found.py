"""What a session has found: failures about jobs, findings of the audit and of the lint.

`--jobs-report` writes it as a page, as JSON and as SARIF, and the runners of GitHub show it beside the lines of a
change.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from ..assertions.options import is_annotating
from ..errors import JobsError, NotIdempotent
from ..insight.lint.output import annotation, as_annotations, as_json, as_sarif, to_dict
from ..insight.lint.rules.rule import Finding

if TYPE_CHECKING:
    from .audit.plugin import AuditPlugin
    from .insight.linting import LintPlugin

#: The attribute of a report that has the title, the file, the line and the text.
_NOTED: Final = "jobs_failure"
_PACKAGE: Final = f"{Path(__file__).parents[1]}{os.sep}"
#: GitHub shows the beginning of a text.
_LINES: Final = 12
_VERSION: Final = 2


class Found:
    """Collects the failures of tests, and writes them with what the audit and the lint have found."""

    def __init__(self, config: pytest.Config, files: Sequence[Path]) -> None:
        """Collect nothing yet.

        Args:
            config: the session.
            files: get what was found, as their endings say.
        """
        self._config = config
        self._files = files
        # GitHub takes names of files from the root of the repository, which is there in its runners.
        self._root = Path(os.environ.get("GITHUB_WORKSPACE") or config.invocation_params.dir)
        self._failures: list[Finding] = []
        #: The plugins of `--jobs-audit` and `--jobs-lint`; None where the session has none.
        self.audit: AuditPlugin | None = None
        self.lint: LintPlugin | None = None
        #: Makes the text of an HTML page at the end of the session; None where no file is one.
        self.page: Callable[[pytest.Session], str] | None = None
        #: The files that could not be written, each with the reason.
        self._unwritten: dict[Path, str] = {}

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
            vars(report)[_NOTED] = [_title(error), *_place(item, report, error), text]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        noted = vars(report).get(_NOTED)
        if noted is not None:
            title, file, line, text = noted
            self._failures.append(Finding(title, self._shown(file), line, 1, text))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the files when everything is known; the controller of pytest-xdist writes for all workers."""
        if not hasattr(self._config, "workerinput") and not self._config.getoption("collectonly"):
            self.write()
            if self.page is not None:
                text = self.page(session)
                for path in self._files:
                    if path.suffix == ".html":
                        self._write(path, text)
            if self._unwritten and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if is_annotating():
            for one in self._failures:
                terminalreporter.line(
                    annotation("error", one.path, one.line, one.rule, one.message)
                )
            for line in as_annotations(self._findings()):
                terminalreporter.line(line)
        for path in () if self._config.getoption("collectonly") else self._files:
            why = self._unwritten.get(path)
            ending = (
                f"jobs report: {path}"
                if why is None
                else f"no jobs report: {path} cannot be written: {why}"
            )
            terminalreporter.write_sep("-", ending)

    def write(self) -> None:
        """Write what was found until now: the audit calls it after each check, since it may be killed."""
        for path in self._files:
            if path.suffix == ".sarif":
                self._write(path, as_sarif([*self._failures, *self._findings()]))
            elif path.suffix == ".json":
                self._write(path, as_json(self._to_dict()))

    def _write(self, path: Path, text: str) -> None:
        try:
            path.write_text(text, "utf-8")
        except OSError as error:
            # It could be written at the start; the disk is full, say.
            self._unwritten[path] = str(error.strerror)

    def _to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON has; without the audit, or the lint, where it did not run."""
        found: dict[str, Any] = {
            "version": _VERSION,
            "failures": [one._asdict() for one in self._failures],
        }
        if self.audit is not None:
            found["audit"] = self.audit.to_dict()
        if self.lint is not None and self.lint.findings is not None:
            found["lint"] = to_dict(self.lint.findings)
        return found

    def _findings(self) -> Iterator[Finding]:
        if self.audit is not None:
            yield from self.audit.faults()
        if self.lint is not None and self.lint.findings is not None:
            yield from self.lint.findings.found

    def _shown(self, file: str) -> str:
        path = Path(file)
        return path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else file


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
