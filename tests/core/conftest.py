"""A recording adapter, on a clock that moves only when it is told to, with chance at its lowest."""

from __future__ import annotations

import pytest

from pytest_jobs.adapters import TestAdapter
from pytest_jobs.core.foundation.settings import settings

SECOND = 1_000_000_000


class Clock:
    """Begins at 2026-01-01T00:00:00Z."""

    def __init__(self):
        self.now_ns = 1_767_225_600 * SECOND

    def __call__(self):
        return self.now_ns

    def advance(self, seconds):
        self.now_ns += round(seconds * SECOND)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def adapter(clock):
    adapter = TestAdapter(clock)
    with settings.replace(adapter=adapter, draw=lambda: 0.0):
        yield adapter


@pytest.fixture
def drain(adapter, clock):
    """Return a function that performs what is pending, retries too, and returns the executions."""

    def drain(limit=100):
        executions = []
        while adapter.pending and len(executions) < limit:
            payload = adapter.pending[0]
            clock.now_ns = max(clock.now_ns, payload.due_ns or 0)
            executions.append(adapter.perform(payload))
        return executions

    return drain
