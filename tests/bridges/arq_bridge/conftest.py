"""Clients whose server nobody can reach, worker settings of each test, and a harness that is open over them."""

import pytest
from servers import redis_url  # noqa: F401 - a fixture

from pytest_jobs.harness.jobs import Jobs


@pytest.fixture
def client():
    from arq.connections import ArqRedis

    return ArqRedis(port=1)


@pytest.fixture
def settings():
    """Return a function that makes worker settings. They are no variable of a module, so one test has them."""

    def settings(*functions, **options):
        return type("Settings", (), {"functions": functions, **options})

    return settings


@pytest.fixture
def open_over():
    """Return a function that opens a harness over worker settings."""
    from pytest_jobs.bridges.arq.bridge import ArqBridge

    def open_over(*settings, **options):
        return Jobs([ArqBridge(settings)], **options)

    return open_over
