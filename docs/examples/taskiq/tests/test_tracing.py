"""Middlewares are called as in production: where a task is sent, and where it is performed."""

from __future__ import annotations

from parcels.store import Parcel
from parcels.tasks import mail, track
from parcels.tracing import request_id
from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued


async def test_a_child_knows_the_request(
    jobs: Jobs, parcel: Parcel, assert_enqueued: AssertEnqueued
) -> None:
    request_id.set("r-17")
    await track.kiq("A1")
    request_id.set("another")
    await jobs.adrain()

    assert assert_enqueued(mail).headers["request_id"] == "r-17"
