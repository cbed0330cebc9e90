"""`--jobs-report`: one HTML page about the jobs of a session."""

from __future__ import annotations

import platform
import shlex
import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

from ...exploration.report.mapped import exploration_map
from ...harness.records.texts import counted
from ...insight.report.data import ReportData
from ...insight.report.filling import schedules, shown_maps, shown_tests
from ...insight.report.making import page
from .recording import reaching

if TYPE_CHECKING:
    from ...exploration.histories.exploration import Exploration
    from ...exploration.report.audience import Audience
    from ...harness.records.targets import Target
    from ...insight.seen.audited import ShownAudit
    from .linting import LintPlugin


class Reporting:
    """Collects what the page shows.

    Raises:
        pytest.UsageError: when a setting of the lint is wrong.
    """

    def __init__(
        self,
        config: pytest.Config,
        audience: Audience,
        audit: Callable[[], ShownAudit | None],
        lint: LintPlugin | None,
    ) -> None:
        self._config = config
        #: Returns what --jobs-audit says; None without that option.
        self._audit = audit
        self._lint = lint
        self._reaching = reaching(config, audience)
        self._reaching.recording.draw(self._map)
        self._began = perf_counter()

    def _map(self, target: Target, explorations: Sequence[Exploration]) -> dict[str, Any] | None:
        return exploration_map(target.name, explorations, root=self._config.rootpath)

    def page(self, session: pytest.Session) -> str:
        """Return the page, when all tests have run."""
        return page(self._data(session))

    def _data(self, session: pytest.Session) -> ReportData:
        seen = self._reaching.recording.seen
        shown = shown_tests(seen.tests)
        return ReportData(
            self._config.rootpath.name,
            shown,
            schedules(seen.tests, shown),
            self._reaching.jobs(),
            shown_maps(seen.tests),
            self._findings(),
            tuple(self._about(session)),
            self._audit(),
        )

    def _about(self, session: pytest.Session) -> Iterator[str]:
        """Yield which session it was."""
        yield f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        yield shlex.join(["pytest", *self._config.invocation_params.args])
        seconds = perf_counter() - self._began
        tests, failed = counted(session.testscollected, "test"), session.testsfailed
        yield f"{tests}, {failed} failed, in {seconds:.0f} s"
        seen = self._reaching.recording.seen
        jobs = sum(one.origin == "enqueue" for test in seen.tests for one in test.records)
        yield f"{jobs:,} {'job' if jobs == 1 else 'jobs'} enqueued"
        command = ["git", "log", "-1", "--format=commit %h of %cs"]
        try:
            found = subprocess.run(  # noqa: S603
                command,
                cwd=self._config.rootpath,
                capture_output=True,
                text=True,
                timeout=10,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            pass  # Without git nobody knows the commit.
        else:
            yield from filter(None, [found.stdout.strip()])
        yield f"pytest-jobs {version('pytest-jobs')}"
        yield f"pytest {pytest.__version__}, Python {platform.python_version()}"

    def _findings(self) -> list[dict[str, Any]] | None:
        found = None if self._lint is None else self._lint.findings
        return None if found is None else [one._asdict() for one in found.found]
