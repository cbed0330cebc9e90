"""A fake outside world, and a store of its own for each test. Nothing here is about Redis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

# Whatever asked for a connection would fail at once.
os.environ["HOTEL_REDIS"] = "redis://localhost:1"

from hotel.outside import BankDown, Outside
from hotel.store import store
from hotel.worker import queue
from pytest_jobs import VirtualClock
from pytest_jobs.bridges.saq.bridge import SaqBridge


class FakeBank:
    def __init__(self) -> None:
        self.charged: list[str] = []
        self.is_down = False

    async def charge(self, guest: str, cents: int) -> str:
        if self.is_down:
            raise BankDown(guest)
        self.charged.append(guest)
        return f"{cents // 100} EUR"


class FakeMail:
    def __init__(self) -> None:
        self.mails: dict[str, str] = {}

    async def send(self, guest: str, text: str, key: str) -> None:
        self.mails[key] = f"{guest}: {text}"


#: In place of what the `startup` of the worker puts into the context.
outside = Outside(FakeBank(), FakeMail())


def pytest_jobs_bridges(config: pytest.Config) -> list[SaqBridge]:
    return [SaqBridge([queue], context={"outside": outside})]


@pytest.fixture(autouse=True)
def bank() -> FakeBank:
    outside.bank = bank = FakeBank()
    return bank


@pytest.fixture(autouse=True)
def mail() -> FakeMail:
    outside.mail = mail = FakeMail()
    return mail


@pytest.fixture(autouse=True)
def clean_store() -> Iterator[None]:
    yield
    for each in (store.booked, store.confirmed, store.receipts, store.cleaned):
        each.clear()


@pytest.fixture(autouse=True)
def noon(jobs_clock: VirtualClock) -> None:
    """Begin each test at the same time of day: rooms are cleaned each morning."""
    jobs_clock.move_to(datetime(2030, 1, 1, 12, tzinfo=UTC))
