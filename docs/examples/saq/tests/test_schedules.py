"""What comes later: a room that is released, and the cron job of each morning."""

from __future__ import annotations

from datetime import timedelta

from hotel.jobs import clean, release
from hotel.service import cancel, hold
from hotel.store import store
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertPerformed


async def test_a_room_is_held_for_half_an_hour(jobs: Jobs, assert_enqueued: AssertEnqueued) -> None:
    await hold(7, "Ann")
    assert_enqueued(release, kwargs={"room": 7})

    await jobs.arun_for(timedelta(minutes=29))
    assert not await hold(7, "Bob")
    await jobs.arun_for(timedelta(minutes=2))

    assert await hold(7, "Bob")


async def test_a_guest_who_cancels_leaves_no_job(jobs: Jobs) -> None:
    await hold(7, "Ann")

    await cancel(7)

    assert jobs.pending == []


def test_rooms_are_cleaned_each_morning(jobs: Jobs, assert_performed: AssertPerformed) -> None:
    store.booked[7] = "Ann"

    jobs.run_for(timedelta(days=2))

    assert_performed(clean, count=2)
    assert store.cleaned == [7]
