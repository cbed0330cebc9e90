"""What the web application calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from .store import store
from .worker import queue

HELD = timedelta(minutes=30)


async def hold(room: int, guest: str) -> bool:
    """Hold a room for half an hour; False if it is taken."""
    if room in store.booked:
        return False
    store.booked[room] = guest
    at = datetime.now(UTC) + HELD
    await queue.enqueue("release", room=room, key=f"release-{room}", scheduled=int(at.timestamp()))
    return True


async def book(room: int) -> None:
    """Charge for a room that is held. A second click enqueues no second charge."""
    await queue.enqueue("charge", room=room, key=f"charge-{room}", retries=4, retry_delay=30.0)


async def cancel(room: int) -> None:
    """Give a room up."""
    store.booked.pop(room)
    job = await queue.job(f"release-{room}")
    if job is not None:
        await job.abort("The guest cancelled")
