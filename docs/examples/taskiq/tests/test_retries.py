"""An hour of retries takes no time. A plain test may perform tasks just as an async one does."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from conftest import FakeCarrier
from parcels.carrier import CarrierDown
from parcels.store import Parcel
from parcels.tasks import track
from pytest_jobs import Jobs


async def test_a_carrier_that_comes_back_is_asked_again(jobs: Jobs, parcel: Parcel) -> None:
    jobs.fail(track, raising=CarrierDown, times=2)
    await track.kiq("A1")

    tally = await jobs.adrain(only=track)

    assert tally == {"retried": 2, "performed": 1}
    assert [delivery.wait for delivery in jobs.retried] == [
        timedelta(minutes=1),
        timedelta(minutes=2),
    ]
    assert parcel.status == "on its way"


def test_a_carrier_that_stays_away_is_given_up(
    jobs: Jobs, parcel: Parcel, carrier: FakeCarrier
) -> None:
    carrier.is_down = True
    asyncio.run(track.kiq("A1"))

    with pytest.raises(CarrierDown):
        jobs.drain()

    assert jobs.dead[0].status == "exhausted"
    assert jobs.dead[0].record.attempt == 5


def test_the_schedule_can_be_read(jobs: Jobs) -> None:
    timeline = jobs.simulate_retries(track, raising=CarrierDown("no answer"))

    assert timeline.wait_seconds == [60, 120, 180, 240]
    assert timeline.status == "exhausted"
