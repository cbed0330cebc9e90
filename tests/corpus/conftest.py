"""A time of day at which an hour later is the same day, and a process that no check changes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from fingerprint import fingerprint, left_behind

from pytest_jobs.bridges.opening import open_jobs


@pytest.fixture
def _leaves_the_process_as_it_was():
    before = fingerprint()
    yield
    assert left_behind(before, fingerprint()) == []


@pytest.fixture(autouse=True)
def _morning(_leaves_the_process_as_it_was):
    # The harness is closed before the process is looked at, since it changes the clocks too.
    with open_jobs() as jobs:
        jobs.clock.move_to(datetime(2030, 1, 1, 9, tzinfo=UTC))
        yield


@pytest.fixture(autouse=True, scope="module")
def _checks_collect_little(little_to_collect):
    """Let no check pay for what other tests have left."""
