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
#: The harness of a test until the report of its teardown is made; it is closed then.
CLOSED: pytest.StashKey[Jobs | None] = pytest.StashKey()
#: Whether the jobs were checked after the body of the test, so that later errors come from its fixtures.
ANSWERED = pytest.StashKey[bool]()

_TRACEBACKS_SHOWN = 3


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail the test for what its jobs raised and nobody saw, and for jobs it left alone."""
    result = yield
    harness = item.stash.get(JOBS, None)
    if harness is not None:
        try:
            harness.check()
        except Exception as error:
            from ..errors import ForgottenCallError, UnusedFaultError

            if not isinstance(error, ForgottenCallError | UnusedFaultError):
                raise
            # Raised after the test, whose lines are not in its traceback: what it shows are frames of pytest.
            name = f"{type(error).__module__}.{type(error).__qualname__}"
            raise pytest.fail.Exception(f"{name}: {error}", pytrace=False) from None
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
    """End the report of a test that failed with its jobs."""
    report = yield
    harness = item.stash.get(JOBS, None)
    if call.when == "teardown":
        harness = item.stash.get(CLOSED, None)
        item.stash[CLOSED] = None
    if harness is not None and report.failed:
        from ..assertions.remaining import jobs_in_this_test

        tracebacks = _tracebacks(harness, None if call.excinfo is None else call.excinfo.value)
        sections = {"Jobs that failed": tracebacks, "jobs in this test": jobs_in_this_test(harness)}
        report.sections += [(title, text) for title, text in sections.items() if text]
    return report


def _tracebacks(harness: Jobs, shown_already: BaseException | None) -> str:
    """Return the tracebacks of the last jobs that failed, without that of the error which failed the test."""
    from ..harness.records.delivery import ENDED_IN_FAILURE, own_traceback

    failed = [d for d in harness.ledger.deliveries if d.status in ENDED_IN_FAILURE]
    errors = [delivery.error for delivery in failed[-_TRACEBACKS_SHOWN:]]
    shown = [
        "".join(traceback.format_exception(type(error), error, own_traceback(error))).rstrip()
        for error in errors
        if error is not None and error is not shown_already and error.__traceback__ is not None
    ]
    return "\n\n".join(shown)
