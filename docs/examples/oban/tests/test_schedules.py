"""What comes later: a cake after two hours, and the cron job of each morning."""

from __future__ import annotations

from datetime import timedelta

from bakery.service import order
from bakery.store import store
from bakery.workers import Collect, open_shop
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertPerformed


async def test_a_cake_is_ready_after_two_hours(jobs: Jobs, assert_enqueued: AssertEnqueued) -> None:
    await order(7, "Ann")
    assert_enqueued(Collect, kwargs={"order": 7}, wait=timedelta(hours=2))

    await jobs.arun_for(timedelta(minutes=119))
    assert store.baked == set()
    await jobs.arun_for(timedelta(minutes=2))

    assert store.baked == {7}


def test_what_was_baked_is_sold_each_morning(jobs: Jobs, assert_performed: AssertPerformed) -> None:
    store.baked.add(7)

    jobs.run_for(timedelta(days=2))

    assert_performed(open_shop, count=2)
    assert store.shelf == [7]
