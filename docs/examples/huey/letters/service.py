"""What the web application calls."""

from __future__ import annotations

from datetime import datetime

from .app import huey
from .store import store
from .tasks import archive, render, send_issue, welcome


def subscribe(address: str) -> None:
    """Add a subscriber."""
    store.subscribers.add(address)
    welcome(address)


def publish(number: int, text: str, at: datetime) -> list[str]:
    """Mail an issue to all subscribers at a time; return the ids of the tasks, to call it off."""
    store.issues[number] = text
    addresses = sorted(store.subscribers)
    return [send_issue.schedule((address, number), eta=at).id for address in addresses]


def call_off(tasks: list[str]) -> None:
    """Send nothing that has not been sent."""
    for task in tasks:
        huey.revoke_by_id(task)


def keep(number: int) -> None:
    """Put an issue into the archive."""
    huey.enqueue(render.s(number).then(archive.s(number)))
