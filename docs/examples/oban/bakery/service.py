"""What the web application calls."""

from __future__ import annotations

from datetime import timedelta

from .app import oban
from .store import store
from .workers import Charge, Collect

PREPARED = timedelta(hours=2)


async def order(number: int, customer: str) -> None:
    """Take an order: charge for it now, and look for the cake in two hours."""
    store.orders[number] = customer
    await oban.enqueue_many(
        Charge.new({"order": number}, tags=["web"]),
        Collect.new({"order": number}, schedule_in=PREPARED),
    )


async def withdraw(number: int) -> None:
    """Take an order back."""
    store.orders.pop(number)
