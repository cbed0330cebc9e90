"""A time of day at which an hour later is the same day, and a process that no check changes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from fingerprint import fingerprint, left_behind

from pytest_jobs.bridges.opening import open_jobs


@pytest.fixture(autouse=True, scope="module")
def _leave_the_process_as_it_was():
    # Once a module: to look at the whole process takes as long as some of these tests.
    before = fingerprint()
    yield
    # pytest collects the warnings of each test by a function of its own.
    left = left_behind(before, fingerprint())
    assert [each for each in left if "_showwarnmsg_impl" not in each] == []


@pytest.fixture(autouse=True)
def _morning():
    with open_jobs() as jobs:
        jobs.clock.move_to(datetime(2030, 1, 1, 9, tzinfo=UTC))
        yield
