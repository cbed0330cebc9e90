"""Periodic tasks come while a test lets time pass, and locks are in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from letters.app import huey
from letters.store import store
from letters.tasks import count_subscribers
from pytest_jobs import Jobs, VirtualClock
from pytest_jobs.types import AssertPerformed


def test_subscribers_are_counted_each_monday(
    jobs: Jobs, jobs_clock: VirtualClock, assert_performed: AssertPerformed
) -> None:
    jobs_clock.move_to(datetime(2030, 1, 4, tzinfo=UTC))
    store.subscribers.add("ann@example.com")

    jobs.run_for(timedelta(days=14))

    assert_performed(count_subscribers, count=2)
    assert set(store.counted) == {1}


def test_two_counts_at_once_are_not_made(jobs: Jobs) -> None:
    count_subscribers()

    with huey.lock_task("count"):
        assert jobs.drain() == {"discarded": 1}
