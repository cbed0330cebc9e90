"""What the web application calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime

from .broker import broker, schedule
from .store import Parcel, store
from .tasks import track


@asynccontextmanager
async def running() -> AsyncGenerator[None]:
    """Start the application, and stop it."""
    await broker.startup()
    try:
        yield
    finally:
        await broker.shutdown()


async def follow(number: str, email: str, pick_up_until: datetime | None = None) -> None:
    """Follow a parcel from now on."""
    store.parcels[number] = Parcel(number, email, pick_up_until=pick_up_until)
    await track.kiq(number)


async def picked_up(number: str) -> None:
    """Note that a parcel has reached its owner."""
    parcel = store.parcels[number]
    parcel.status = "picked up"
    if parcel.reminder is not None:
        await schedule.delete_schedule(parcel.reminder)


async def status_now(number: str) -> str:
    """Ask the carrier and wait for the answer."""
    task = await track.kiq(number)
    result = await task.wait_result(timeout=5)
    return result.return_value
