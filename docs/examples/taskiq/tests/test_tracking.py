"""Tasks are recorded where they are sent, and performed when the test says so."""

from __future__ import annotations

from datetime import date

from parcels import service
from parcels.store import Parcel, store
from parcels.tasks import mail, remind, track
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued, AssertPerformed


async def test_a_parcel_is_followed(assert_enqueued: AssertEnqueued) -> None:
    await service.follow("A1", "ann@example.com")

    assert_enqueued(track, args=["A1"])
    assert store.parcels["A1"].status == "announced"


async def test_the_owner_hears_of_a_new_status(
    jobs: Jobs, parcel: Parcel, assert_enqueued: AssertEnqueued
) -> None:
    await track.kiq(number="A1")

    await jobs.aperform_due()

    record = assert_enqueued(mail, params={"address": "ann@example.com"}, priority=5)
    assert record.parent == jobs.enqueued[0].sequence
    assert store.mails == [("ann@example.com", "A1: on its way")]


async def test_nobody_hears_of_the_same_status(jobs: Jobs, parcel: Parcel) -> None:
    parcel.status = "on its way"
    await track.kiq("A1")

    assert await jobs.adrain() == {"performed": 1}


async def test_arguments_are_what_the_annotations_say(
    jobs: Jobs, parcel: Parcel, assert_performed: AssertPerformed
) -> None:
    await remind.kiq("A1", date(2030, 1, 5))
    await jobs.adrain()

    assert_performed(remind, params={"until": date(2030, 1, 5)})
    assert store.mails == [("ann@example.com", "A1: pick it up by 05 January")]
