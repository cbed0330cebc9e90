"""What is done in the background."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

from taskiq import TaskiqDepends, TaskiqState

from .broker import broker, schedule
from .carrier import Carrier
from .store import store


def carrier(state: Annotated[TaskiqState, TaskiqDepends()]) -> Carrier:
    """Return what the worker opened at its start."""
    opened: Carrier = state.carrier
    return opened


@broker.task("track", retry_on_error=True, max_retries=5)
async def track(number: str, carrier: Annotated[Carrier, TaskiqDepends(carrier)]) -> str:
    """Ask where a parcel is, and tell its owner when that has changed."""
    parcel = store.parcels[number]
    status = await carrier.status(number)
    if status != parcel.status:
        parcel.status = status
        await mail.kiq(parcel.email, f"{number}: {status}")
    if status == "at the pick-up point" and parcel.pick_up_until is not None:
        await remind_later(number, parcel.pick_up_until)
    return status


@broker.task("mail", priority=5)
def mail(address: str, text: str) -> None:
    """Send a mail, unless it was sent: a task may be delivered twice."""
    if (address, text) not in store.mails:
        store.mails.append((address, text))


@broker.task("remind")
async def remind(number: str, until: date) -> None:
    """Remind of a parcel that is still to be picked up."""
    parcel = store.parcels[number]
    await mail.kiq(parcel.email, f"{number}: pick it up by {until:%d %B}")


async def remind_later(number: str, until: datetime) -> None:
    """Remind a day before it is too late, once."""
    if store.parcels[number].reminder is not None:
        return
    created = await remind.schedule_by_time(
        schedule, until - timedelta(days=1), number, until.date()
    )
    store.parcels[number].reminder = created.schedule_id
