"""A fake carrier, and a store of its own for each test. Nothing here is about the broker."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# Whatever asked for a connection would fail at once.
os.environ["PARCELS_REDIS"] = "redis://localhost:1"

from parcels import tasks
from parcels.broker import broker
from parcels.carrier import CarrierDown
from parcels.store import Parcel, store


class FakeCarrier:
    def __init__(self) -> None:
        self.statuses: dict[str, str] = {}
        self.is_down = False

    async def status(self, number: str) -> str:
        if self.is_down:
            raise CarrierDown(number)
        return self.statuses.get(number, "on its way")


@pytest.fixture(autouse=True)
def carrier() -> Iterator[FakeCarrier]:
    fake = FakeCarrier()
    broker.dependency_overrides = {tasks.carrier: lambda: fake}
    yield fake
    broker.dependency_overrides = {}


@pytest.fixture(autouse=True)
def clean_store() -> Iterator[None]:
    yield
    store.parcels.clear()
    store.mails.clear()


@pytest.fixture
def parcel() -> Parcel:
    store.parcels["A1"] = Parcel("A1", "ann@example.com")
    return store.parcels["A1"]
