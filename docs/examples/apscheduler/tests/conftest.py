"""A fake outside world, and a store of its own for each test. Nothing here is about APScheduler."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

# Whatever opened the database would fail at once.
os.environ["GYM_JOBS"] = "sqlite:////nowhere/gym.db"

from gym.outside import outside
from gym.store import store
from pytest_jobs import VirtualClock


class FakeBank:
    def __init__(self) -> None:
        self.charged: list[str] = []

    def charge(self, member: str, cents: int) -> None:
        self.charged.append(member)


class FakeMail:
    def __init__(self) -> None:
        self.mails: dict[str, str] = {}

    def send(self, member: str, text: str, key: str) -> None:
        self.mails[key] = text


@pytest.fixture(autouse=True)
def bank(monkeypatch: pytest.MonkeyPatch) -> FakeBank:
    fake = FakeBank()
    monkeypatch.setattr(outside, "bank", fake)
    return fake


@pytest.fixture(autouse=True)
def mail(monkeypatch: pytest.MonkeyPatch) -> FakeMail:
    fake = FakeMail()
    monkeypatch.setattr(outside, "mail", fake)
    return fake


@pytest.fixture(autouse=True)
def clean_store() -> Iterator[None]:
    yield
    store.paid_until.clear()
    store.count = 0


@pytest.fixture(autouse=True)
def noon(jobs_clock: VirtualClock) -> None:
    """Begin each test at the same time of day: members are counted each night."""
    jobs_clock.move_to(datetime(2030, 1, 1, 12, tzinfo=UTC))
