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
    # pytest collects the warnings of each test by a function of its own, and pytest-timeout has one for the alarm.
    of_each_test = ("_showwarnmsg_impl", "('signal', 14)")
    left = left_behind(before, fingerprint())
    assert [each for each in left if not any(map(each.__contains__, of_each_test))] == []


@pytest.fixture(autouse=True)
def _morning():
    with open_jobs() as jobs:
        jobs.clock.move_to(datetime(2030, 1, 1, 9, tzinfo=UTC))
        yield
