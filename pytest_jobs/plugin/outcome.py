"""What fails a test when its body has run, and what its report shows about its jobs."""

from __future__ import annotations

import traceback
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from .settings.options import item_options

if TYPE_CHECKING:
    from ..harness.jobs import Jobs

#: The harness of a test.
JOBS: pytest.StashKey[Jobs] = pytest.StashKey()
#: Whether the jobs were checked after the body of the test, so that later errors come from its fixtures.
ANSWERED = pytest.StashKey[bool]()

_TRACEBACKS_SHOWN = 3


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail the test for what its jobs raised and nobody saw, and for jobs it left alone."""
    result = yield
    harness = item.stash.get(JOBS, None)
    if harness is not None:
        harness.check()
        if item_options(item).strict:
            from ..assertions.strict import check_nothing_left

            try:
                check_nothing_left(harness)
            except AssertionError as failure:
                # No line of the test is to blame, so none is shown.
                raise pytest.fail.Exception(str(failure), pytrace=False) from None
        item.stash[ANSWERED] = True
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the jobs that failed in a test that failed."""
    report = yield
    harness = item.stash.get(JOBS, None)
    if harness is not None and report.failed:
        text = _failed_jobs(harness, None if call.excinfo is None else call.excinfo.value)
        if text:
            report.sections.append(("Jobs that failed", text))
    return report


def _failed_jobs(harness: Jobs, shown_already: BaseException | None) -> str:
    from ..harness.records.delivery import ENDED_IN_FAILURE, own_traceback
    from ..harness.views import titled_table

    failed = [d for d in harness.ledger.deliveries if d.status in ENDED_IN_FAILURE]
    if not failed:
        return ""
    errors = [delivery.error for delivery in failed[-_TRACEBACKS_SHOWN:]]
    shown = [
        "".join(traceback.format_exception(type(error), error, own_traceback(error))).rstrip()
        for error in errors
        if error is not None and error is not shown_already and error.__traceback__ is not None
    ]
    return "\n\n".join((titled_table("failed", failed), *shown))
