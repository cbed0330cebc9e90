"""A queue whose server nobody can reach, and a harness that is open over it."""

import pytest
from servers import redis_url  # noqa: F401 - a fixture

from pytest_jobs.harness.jobs import Jobs

pytest.importorskip("saq")


@pytest.fixture
def queue():
    """Return a queue that fails at once when it connects."""
    from saq import Queue

    return Queue.from_url("redis://localhost:1", name="mail")


@pytest.fixture
def settings(queue):
    """Return the settings of the worker of the queue; a test adds its functions."""
    return {"queue": queue, "functions": []}


@pytest.fixture
def open_over(settings):
    """Return a function that opens a harness over a worker."""
    from pytest_jobs.bridges.saq.bridge import SaqBridge

    def open_over(*functions, context=None, mode="record", jitter="zero", **others):
        settings.update({"functions": [*functions], **others})
        return Jobs([SaqBridge(settings=[settings], context=context)], mode=mode, jitter=jitter)

    return open_over
