"""A fake outside world, and a store of its own for each test. Nothing here is about Redis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

# Whatever asked for a connection would fail at once.
os.environ["THUMBS_REDIS"] = "redis://localhost:1"

from arq.connections import ArqRedis

from pytest_jobs import VirtualClock
from thumbs import outside, service
from thumbs.store import store


class FakePictures:
    is_down = False

    async def fetch(self, name: str) -> bytes:
        if self.is_down:
            raise outside.StoreDown(name)
        return b"a picture of "


class FakeBank:
    def __init__(self) -> None:
        self.charged: list[str] = []

    def charge(self, customer: str, cents: int) -> None:
        self.charged.append(customer)


@pytest.fixture(autouse=True)
def pictures(monkeypatch: pytest.MonkeyPatch) -> FakePictures:
    fake = FakePictures()
    monkeypatch.setattr(outside, "Pictures", lambda: fake)
    return fake


@pytest.fixture(autouse=True)
def bank(monkeypatch: pytest.MonkeyPatch) -> FakeBank:
    fake = FakeBank()
    monkeypatch.setattr(outside, "Bank", lambda: fake)
    return fake


@pytest.fixture(autouse=True)
def clean_store() -> Iterator[None]:
    yield
    store.thumbs.clear()
    store.paid.clear()


@pytest_asyncio.fixture
async def pool() -> ArqRedis:
    return await service.start()


@pytest.fixture(autouse=True)
def noon(jobs_clock: VirtualClock) -> None:
    """Begin each test at the same time of day: old pictures are deleted each night."""
    jobs_clock.move_to(datetime(2030, 1, 1, 12, tzinfo=UTC))
