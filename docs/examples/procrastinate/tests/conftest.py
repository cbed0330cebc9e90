"""A fake outside world, and a store of its own for each test. Nothing here is about the database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

# Whatever asked for a connection would fail at once.
os.environ["LETTERS_DATABASE"] = "host=127.0.0.1 port=1"

from letters import outside
from letters.store import store
from pytest_jobs import VirtualClock


class FakePrinter:
    is_jammed = False

    def print(self, letter: str) -> None:
        if self.is_jammed:
            raise outside.PrinterJam(letter)


class FakeBank:
    def __init__(self) -> None:
        self.charged: list[str] = []

    def charge(self, letter: str, cents: int) -> None:
        self.charged.append(letter)


@pytest.fixture(autouse=True)
def printer(monkeypatch: pytest.MonkeyPatch) -> FakePrinter:
    fake = FakePrinter()
    monkeypatch.setattr(outside, "printer", fake)
    return fake


@pytest.fixture(autouse=True)
def bank(monkeypatch: pytest.MonkeyPatch) -> FakeBank:
    fake = FakeBank()
    monkeypatch.setattr(outside, "bank", fake)
    return fake


@pytest.fixture(autouse=True)
def clean_store() -> Iterator[None]:
    yield
    store.letters.clear()
    store.paid.clear()


@pytest.fixture(autouse=True)
def noon(jobs_clock: VirtualClock) -> None:
    """Begin each test at the same time of day: letters are collected each morning."""
    jobs_clock.move_to(datetime(2030, 1, 1, 12, tzinfo=UTC))
