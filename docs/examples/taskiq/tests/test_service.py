"""The application starts, ends and waits for results without a server."""

from __future__ import annotations

import pytest

from parcels import service
from parcels.store import Parcel
from parcels.tasks import track
from pytest_jobs import Jobs
from pytest_jobs.errors import NotPerformedError


async def test_the_application_starts_and_ends(jobs: Jobs) -> None:
    async with service.running():
        await service.follow("A1", "ann@example.com")

    assert len(jobs.pending) == 1


async def test_a_result_is_there_once_the_task_is_performed(jobs: Jobs, parcel: Parcel) -> None:
    task = await track.kiq("A1")
    await jobs.aperform_due()

    assert (await task.wait_result()).return_value == "on its way"


async def test_nothing_waits_for_a_task_that_nobody_performs(parcel: Parcel) -> None:
    with pytest.raises(NotPerformedError, match="drain first"):
        await service.status_now("A1")


async def test_inline_each_task_is_performed_when_it_is_sent(jobs: Jobs, parcel: Parcel) -> None:
    async with jobs.inline():
        await service.follow("B2", "bob@example.com")

    assert [delivery.record.name for delivery in jobs.performed] == ["track", "mail"]
