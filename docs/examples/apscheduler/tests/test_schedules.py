"""A job that recurs comes while a test lets time pass."""

from __future__ import annotations

from datetime import timedelta

from gym import service
from gym.jobs import count_members
from gym.store import store
from pytest_jobs import Jobs
from pytest_jobs.types import AssertPerformed


def test_members_are_counted_each_night(jobs: Jobs, assert_performed: AssertPerformed) -> None:
    service.start()
    service.join("Ann")

    jobs.run_for(timedelta(days=3))

    assert_performed(count_members, count=3)
    assert store.count == 1
