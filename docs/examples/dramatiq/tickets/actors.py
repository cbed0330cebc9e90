"""The actors."""

from __future__ import annotations

import dramatiq

import tickets.broker  # noqa: F401 - before the first actor
from tickets.office import office, print_ticket

HOUR = 3_600_000


@dramatiq.actor(max_retries=3, min_backoff=60_000)
def charge(order: str) -> None:
    if order in office.paid:
        return
    office.gateway.charge(order, office.prices[order])
    office.paid.add(order)
    print_ticket(order)


@dramatiq.actor(store_results=True)
def draw(order: str) -> str:
    return f"ticket {order}"


@dramatiq.actor(queue_name="mails")
def mail(order: str, ticket: str) -> None:
    office.mails[order] = ticket


@dramatiq.actor(max_age=8 * 24 * HOUR)
def remind(order: str) -> None:
    office.reminded.add(order)
