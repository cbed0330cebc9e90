"""What is scheduled is due when the scheduler would send it, and the source behind it is never asked."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from conftest import FakeCarrier
from parcels import service
from parcels.store import store
from parcels.tasks import remind
from pytest_jobs import Jobs, VirtualClock
from pytest_jobs.types import AssertEnqueued

MONDAY = datetime(2030, 1, 7, 12, tzinfo=UTC)
FRIDAY = datetime(2030, 1, 11, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def monday(jobs_clock: VirtualClock, carrier: FakeCarrier) -> None:
    jobs_clock.move_to(MONDAY)
    carrier.statuses["A1"] = "at the pick-up point"


async def test_a_reminder_is_sent_a_day_before(jobs: Jobs, assert_enqueued: AssertEnqueued) -> None:
    await service.follow("A1", "ann@example.com", FRIDAY)
    await jobs.aperform_due()

    assert_enqueued(remind, at=FRIDAY.replace(day=10))
    await jobs.adrain()

    assert store.mails[-1] == ("ann@example.com", "A1: pick it up by 11 January")


async def test_nobody_is_reminded_of_a_parcel_that_was_picked_up(jobs: Jobs) -> None:
    await service.follow("A1", "ann@example.com", FRIDAY)
    await jobs.aperform_due()
    await service.picked_up("A1")

    assert await jobs.adrain() == {}
