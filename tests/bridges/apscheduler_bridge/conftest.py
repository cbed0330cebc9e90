"""A scheduler, and a harness that is open over it."""

import pytest

from pytest_jobs.harness.jobs import Jobs


@pytest.fixture
def scheduler():
    from apscheduler.schedulers.background import BackgroundScheduler

    return BackgroundScheduler(timezone="UTC")


@pytest.fixture
def open_over():
    """Return a function that opens a harness over schedulers."""
    from pytest_jobs.bridges.apscheduler.bridge import APSchedulerBridge

    def open_over(*schedulers, mode="record"):
        return Jobs([APSchedulerBridge(schedulers)], mode=mode)

    return open_over


@pytest.fixture
def jobs(scheduler, open_over):
    with open_over(scheduler) as jobs:
        yield jobs


@pytest.fixture
def ran():
    """Return a list to which functions append."""
    return []
