"""What the web application calls."""

from __future__ import annotations

from datetime import UTC, datetime

from .jobs import MONTH, plan
from .scheduler import scheduler
from .store import store


def start() -> None:
    """Start the scheduler, as the process of the application does."""
    scheduler.start()


def join(member: str) -> None:
    """Let a member, who has paid for the first month, come in."""
    until = datetime.now(UTC) + MONTH
    store.paid_until[member] = until
    plan(member, until)


def leave(member: str) -> None:
    """Renew the membership no more."""
    del store.paid_until[member]
    for name in ("remind", "renew"):
        scheduler.remove_job(f"{name}-{member}")
