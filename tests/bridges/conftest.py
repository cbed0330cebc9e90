"""An open harness."""

import asyncio

import pytest

from pytest_jobs.bridges.opening import open_jobs


@pytest.fixture
def jobs():
    """Override the plugin's fixture: these tests need none of the plugin."""
    with open_jobs() as jobs:
        yield jobs


@pytest.fixture
def run():
    """Return what runs a coroutine as a test without an event loop does."""
    return asyncio.run
