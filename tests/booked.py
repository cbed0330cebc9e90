"""A ledger in which jobs book numbers, and a world that shows what was booked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pytest_jobs import fake


class Ledger:
    def book(self, number: int, key: str | None = None) -> int:
        return number


class Shop:
    """What the jobs use."""

    ledger = Ledger()


def books() -> Iterator[Callable[[], Any]]:
    """Yield what shows the bookings; a second one of a key is none."""
    with fake(Shop, "ledger", Ledger(), key="key") as ledger:
        yield lambda: {"booked": ledger.calls}
