"""What fails a test when its body has run, and what its report shows about its jobs."""

from __future__ import annotations

import traceback
from typing import Final

import pytest

from ..harness.jobs import Jobs
from ..harness.records.delivery import ENDED_IN_FAILURE, own_traceback

_TRACEBACKS_SHOWN: Final = 3


def check_jobs(jobs: Jobs, *, strict: bool) -> None:
    """Fail the test for errors of its jobs that nobody saw, and for jobs that it left alone.

    Args:
        jobs: the harness of the test.
        strict: whether a job that was neither looked at nor performed fails the test.
    """
    try:
        jobs.check()
    except Exception as error:
        from ..errors import CriterionError, ForgottenCallError, UnusedFaultError

        if not isinstance(error, CriterionError | ForgottenCallError | UnusedFaultError):
            raise
        # Raised after the test, whose lines are not in its traceback: the traceback has frames of pytest alone.
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        raise pytest.fail.Exception(f"{name}: {error}", pytrace=False) from None
    if strict:
        from ..assertions.remaining import check_nothing_left

        try:
            check_nothing_left(jobs)
        except AssertionError as failure:
            # No line of the test is to blame, so none is shown.
            raise pytest.fail.Exception(str(failure), pytrace=False) from None


def sections(jobs: Jobs, shown: BaseException | None) -> list[tuple[str, str]]:
    """Return the sections about its jobs with which the report of a failed test ends.

    Args:
        jobs: the harness of the test.
        shown: the error that failed the test, which the report shows already.
    """
    from ..assertions.remaining import jobs_in_this_test

    found = {
        "Jobs that failed": _tracebacks(jobs, shown),
        "jobs in this test": jobs_in_this_test(jobs),
    }
    return [(title, text) for title, text in found.items() if text]


def _tracebacks(jobs: Jobs, shown_already: BaseException | None) -> str:
    """Return the tracebacks of the last jobs that failed, without that of the error which failed the test."""
    failed = [d for d in jobs.harness.ledger.deliveries if d.status in ENDED_IN_FAILURE]
    errors = [delivery.error for delivery in failed[-_TRACEBACKS_SHOWN:]]
    shown = [
        "".join(traceback.format_exception(type(error), error, own_traceback(error))).rstrip()
        for error in errors
        if error is not None and error is not shown_already and error.__traceback__ is not None
    ]
    return "\n\n".join(shown)
