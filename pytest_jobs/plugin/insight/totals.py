"""The line at the end of `pytest -v`: how many jobs the tests enqueued, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import TYPE_CHECKING, Final

import pytest

from ...harness.records.delivery import STATUSES

if TYPE_CHECKING:
    from ...harness.jobs import Jobs

#: Attribute of a report: the counts of its test.
_COUNTS: Final = "jobs_totals"


class Totals:
    """Counts the jobs of each test when its harness closes. Reports carry the counts, also from pytest-xdist."""

    def __init__(self) -> None:
        self._of_test: Counter[str] = Counter()
        self._in_all: Counter[str] = Counter()

    def pytest_jobs_opened(self, jobs: Jobs, nodeid: str) -> None:
        def count() -> None:
            ledger = jobs.harness.ledger
            if ledger.records:
                self._of_test["enqueued"] += len(ledger.first_enqueues())
                self._of_test["left pending"] += sum(1 for _ in ledger.pending())
                self._of_test.update(delivery.status for delivery in ledger.deliveries)

        jobs.harness.when_closing.append(count)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the counts of the test into its last report."""
        report = yield
        if call.when == "teardown" and self._of_test:
            vars(report)[_COUNTS] = dict(self._of_test)
            self._of_test.clear()
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        counts = vars(report).get(_COUNTS)
        if counts is not None:
            self._in_all.update(counts, tests=1)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the line, if any test used jobs."""
        tests = self._in_all["tests"]
        if tests:
            ended = [*STATUSES, "left pending"]
            shown = [f"{self._in_all[name]:,} {name}" for name in ended if self._in_all[name]]
            enqueued = f"{self._in_all['enqueued']:,} enqueued"
            of = "1 test" if tests == 1 else f"{tests:,} tests"
            # A rule, since it follows upon the last failure.
            terminalreporter.write_sep("=", f"jobs of {of}: {', '.join([enqueued, *shown])}")
