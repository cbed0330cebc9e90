"""However often a page is looked at, one job asks the suppliers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pytest_jobs import Jobs
from pytest_jobs.types import AssertEnqueued
from shop import db
from shop.jobs import RefreshStock
from shop.web import FakeClient


@pytest.fixture(autouse=True)
def suppliers(client: FakeClient) -> None:
    client.suppliers = {"near": (3, 0.5), "far": (40, 30)}


def test_a_second_refresh_is_dropped_for_the_first(
    jobs: Jobs, assert_enqueued: AssertEnqueued
) -> None:
    first = RefreshStock.perform_later("teapot-1")
    second = RefreshStock.perform_later("teapot-1")
    other = RefreshStock.perform_later("teapot-2")

    assert second.dropped_for == first.job_id
    assert other.enqueued
    assert_enqueued(RefreshStock, count=2)


def test_a_refresh_can_follow_when_the_first_has_ended(jobs: Jobs, client: FakeClient) -> None:
    RefreshStock.perform_later("teapot-1")
    jobs.drain()

    client.suppliers["far"] = (50, 30)
    RefreshStock.perform_later("teapot-1")
    jobs.drain()

    assert db.rows("SELECT * FROM stock") == [{"sku": "teapot-1", "pieces": 53}]


def test_a_refresh_that_was_lost_with_its_worker_blocks_others_for_an_hour(jobs: Jobs) -> None:
    frozen = jobs.clock.freeze()
    lost = RefreshStock.perform_later("teapot-1")

    lock = jobs.locks[0]

    assert lock.job_id == lost.job_id
    assert lock.expires_at == frozen + timedelta(hours=1)
