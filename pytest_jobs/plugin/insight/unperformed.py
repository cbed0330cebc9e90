"""Tests that enqueue jobs which no harness performs: `--jobs-inline` lets such a suite show something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import TYPE_CHECKING, Final

import pytest

from ...bridges.libraries.outside import noticing_enqueues
from ...harness.open_harness import open_harnesses

if TYPE_CHECKING:
    from ...harness.jobs import Jobs

#: Attribute of a report: what became of the jobs of its test.
_SEEN: Final = "jobs_unperformed"
_NAME: Final = "pytest_jobs_unperformed"


class Unperformed:
    """Counts such tests. Reports carry what was seen, also from pytest-xdist."""

    def __init__(self) -> None:
        self._of_test: set[str] = set()
        self._tests: Counter[str] = Counter()

    def pytest_jobs_opened(self, jobs: Jobs) -> None:
        """Look at what a test has left when its harness closes."""

        def look() -> None:
            self._of_test.update(["pending"] if any(jobs.ledger.pending()) else ())

        jobs.when_closing(look)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Notice what a test enqueues that has no harness."""
        if open_harnesses.any_open():
            return (yield)
        with noticing_enqueues(lambda: self._of_test.add("past")):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put what was seen of the test into its last report."""
        report = yield
        if call.when == "teardown":
            vars(report)[_SEEN] = sorted(self._of_test)
            self._of_test.clear()
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._tests.update(vars(report).get(_SEEN, ()))

    def hint(self) -> str:
        """Return the sentence that names the flag; "" if there is no such test."""
        past, pending = self._tests["past"], self._tests["pending"]
        counts = [
            f"{_tests(past)} outside of any harness" if past else "",
            f"{_tests(pending)} whose jobs stayed pending" if pending else "",
        ]
        if not any(counts):
            return ""
        return (
            f"Jobs were enqueued in {' and in '.join(filter(None, counts))}: add --jobs-inline, which performs "
            "each job where it is enqueued."
        )


def _tests(count: int) -> str:
    return f"{count} {'test' if count == 1 else 'tests'}"


def unperformed(config: pytest.Config) -> Unperformed:
    """Return what counts the tests of the session: the first option that asks for it begins it."""
    manager = config.pluginmanager
    found = manager.get_plugin(_NAME)
    if not isinstance(found, Unperformed):
        found = Unperformed()
        manager.register(found, _NAME)
    return found
