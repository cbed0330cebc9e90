"""A clock that stands, and the texts with which assertions fail or refuse."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pytest_jobs.errors import CriterionError


@pytest.fixture
def noon(jobs):
    """Let the clock of the harness stand at noon."""
    return jobs.clock.move_to(datetime(2030, 1, 1, 12, tzinfo=UTC))


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
