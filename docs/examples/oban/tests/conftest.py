"""A fake outside world, and a store of its own for each test. Nothing here is about PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

# Whatever asked for a connection would fail at once.
os.environ["BAKERY_DATABASE"] = "postgresql://localhost:1/bakery"

from bakery.outside import BankDown, outside
from bakery.store import store
from pytest_jobs import VirtualClock


class FakeBank:
    def __init__(self) -> None:
        self.charged: list[str] = []
        self.is_down = False

    async def charge(self, customer: str, cents: int) -> str:
        if self.is_down:
            raise BankDown(customer)
        self.charged.append(customer)
        return f"{cents // 100} EUR"


class FakeMail:
    def __init__(self) -> None:
        self.mails: dict[str, str] = {}

    async def send(self, customer: str, text: str, key: str) -> None:
        self.mails[key] = f"{customer}: {text}"


@pytest.fixture(autouse=True)
def bank(monkeypatch: pytest.MonkeyPatch) -> FakeBank:
    bank = FakeBank()
    monkeypatch.setattr(outside, "bank", bank)
    return bank


@pytest.fixture(autouse=True)
def mail(monkeypatch: pytest.MonkeyPatch) -> FakeMail:
    mail = FakeMail()
    monkeypatch.setattr(outside, "mail", mail)
    return mail


@pytest.fixture(autouse=True)
def clean_store() -> Iterator[None]:
    yield
    for each in (store.orders, store.receipts, store.baking, store.baked, store.shelf):
        each.clear()


@pytest.fixture(autouse=True)
def noon(jobs_clock: VirtualClock) -> None:
    """Begin each test at the same time of day: the shop opens each morning."""
    jobs_clock.move_to(datetime(2030, 1, 1, 12, tzinfo=UTC))
