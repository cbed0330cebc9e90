"""A coroutine task, its result, and what the application shows of it meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from loans.catalogue import CatalogueDown
from loans.models import Book
from loans.tasks import fetch_cover
from pytest_jobs import Jobs
from pytest_jobs.types import AssertFailed

NOON = datetime(2050, 1, 1, 12, tzinfo=UTC)
COVER = "https://covers.example.org/9780141439587.jpg"


@pytest.fixture
def result_id(client: Client, book: Book) -> str:
    return client.post("/covers/", {"isbn": book.isbn}).json()["id"]


def test_a_cover_is_fetched(client: Client, book: Book, result_id: str, jobs: Jobs) -> None:
    assert client.get(f"/covers/{result_id}/").json() == {"status": "READY", "found": None}

    jobs.drain()

    shown = client.get(f"/covers/{result_id}/").json()
    assert shown == {"status": "SUCCESSFUL", "found": {"cover": COVER, "attempt": 1}}
    book.refresh_from_db()
    assert book.cover == COVER


def test_it_takes_no_real_time(result_id: str, jobs: Jobs) -> None:
    jobs.clock.move_to(NOON)
    jobs.drain()

    assert jobs.clock.now() == NOON + timedelta(seconds=2)


def test_a_catalogue_that_is_down_fails_the_task(
    client: Client, result_id: str, jobs: Jobs, assert_failed: AssertFailed
) -> None:
    jobs.fail(fetch_cover, raising=CatalogueDown, times=1)
    jobs.drain(raise_errors=False)

    assert_failed(fetch_cover, error=CatalogueDown)
    assert client.get(f"/covers/{result_id}/").json()["status"] == "FAILED"


def test_a_slow_catalogue_raises_where_the_test_drains(result_id: str, jobs: Jobs) -> None:
    jobs.fail(fetch_cover, raising=TimeoutError("catalogue"), times=1)

    with pytest.raises(TimeoutError, match="catalogue"):
        jobs.drain()
