"""Fixtures: texts of failures and refusals, and a clock that stands."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pytest_jobs.errors import CriterionError
from pytest_jobs.harness.records.texts import Reader

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
#: The assertions that look for a job.
POSITIVE = (
    *("assert_enqueued", "assert_performed", "assert_retried", "assert_discarded"),
    *("assert_failed", "assert_delivered"),
)
NEGATIVE = ("assert_not_enqueued", "assert_not_performed")


@pytest.fixture(autouse=True)
def _brief(request):
    """Have texts the same when the tests run with -v."""
    if "jobs" in request.fixturenames:
        request.getfixturevalue("jobs").harness.reader = Reader()


@pytest.fixture
def noon(jobs):
    """Let the clock of the harness stand at noon."""
    return jobs.clock.move_to(NOON)


@pytest.fixture
def failure():
    """Return a function that calls an assertion and returns the text with which it fails."""

    def failure(assertion, *args, **criteria):
        with pytest.raises(AssertionError) as caught:
            assertion(*args, **criteria)
        return str(caught.value)

    return failure


@pytest.fixture
def refusal():
    """Return a function that calls something and returns the text with which it refuses the call."""

    def refusal(function, *args, **criteria):
        with pytest.raises(CriterionError) as caught:
            function(*args, **criteria)
        return str(caught.value)

    return refusal
