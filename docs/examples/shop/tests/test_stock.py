"""A job may be a coroutine function: what it awaits at the same time takes the longest of the times."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pytest_jobs import Jobs, VirtualClock
from pytest_jobs.types import AssertPerformed
from shop.jobs import count_stock
from shop.web import FakeClient


@pytest.fixture(autouse=True)
def suppliers(client: FakeClient) -> None:
    client.suppliers = {"near": (3, 0.5), "far": (40, 30), "farther": (500, 90)}


def test_all_suppliers_are_asked(jobs: Jobs, assert_performed: AssertPerformed) -> None:
    count_stock.perform_later("teapot-1")

    jobs.drain()

    assert_performed(count_stock, args=["teapot-1"], result=543)


def test_the_result_can_be_looked_up(jobs: Jobs) -> None:
    count_stock.perform_later("teapot-1")
    jobs.drain()

    assert jobs.result_of(jobs.enqueued[0]) == 543


def test_they_are_asked_at_the_same_time(jobs: Jobs, jobs_clock: VirtualClock) -> None:
    start = jobs_clock.advance(timedelta(hours=1))
    count_stock.perform_later("teapot-1")

    jobs.drain()

    assert jobs_clock.now() - start == timedelta(seconds=90)


def test_a_coroutine_job_can_be_performed_now(client: FakeClient) -> None:
    client.suppliers = {"near": (3, 0), "next door": (4, 0)}

    assert count_stock.perform_now("teapot-1") == 7
