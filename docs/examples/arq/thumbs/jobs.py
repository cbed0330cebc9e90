"""What is done in the background."""

from __future__ import annotations

from typing import Any

from arq import Retry

from .outside import StoreDown
from .store import store

CENTS = 5


async def shrink(ctx: dict[str, Any], name: str, customer: str) -> int:
    """Shrink a picture, and charge for it."""
    try:
        picture = await ctx["pictures"].fetch(name)
    except StoreDown as error:
        raise Retry(defer=30 * ctx["job_try"]) from error
    store.thumbs[name] = len(picture) // 2
    # A second delivery enqueues no second charge.
    await ctx["redis"].enqueue_job("charge", name, customer, _job_id=f"charge-{name}")
    return store.thumbs[name]


async def charge(ctx: dict[str, Any], name: str, customer: str) -> None:
    """Charge for a picture. The bank is not told of a key, so a job that dies after the call charges again."""
    if name not in store.paid:
        ctx["bank"].charge(customer, CENTS)
        store.paid[name] = customer


async def forget(ctx: dict[str, Any]) -> int:
    """Forget the pictures of the day."""
    count = len(store.thumbs)
    store.thumbs.clear()
    return count
