"""What is done in the background."""

from __future__ import annotations

from typing import Any

from .store import store

CENTS = 90_00


async def charge(ctx: dict[str, Any], *, room: int) -> str:
    """Charge a guest. The bank gets no key, so a job whose worker dies after the call charges again."""
    if room not in store.receipts:
        receipt = await ctx["outside"].bank.charge(store.booked[room], CENTS)
        store.receipts[room] = receipt
    # While the first mail waits, a second delivery enqueues no second one.
    await ctx["job"].queue.enqueue("confirm", room=room, key=f"confirm-{room}")
    return store.receipts[room]


async def confirm(ctx: dict[str, Any], *, room: int) -> None:
    """Mail the receipt to the guest, with a key."""
    text = f"Room {room} is yours. {store.receipts[room]}"
    await ctx["outside"].mail.send(store.booked[room], text, key=f"confirm-{room}")
    store.confirmed.add(room)


async def release(ctx: dict[str, Any], *, room: int) -> bool:
    """Give a room to others whose guest has not confirmed in time."""
    if room in store.confirmed:
        return False
    return store.booked.pop(room, None) is not None


async def clean(ctx: dict[str, Any]) -> None:
    """Clean the rooms each morning."""
    store.cleaned[:] = sorted(store.booked)
