"""What is done in the background."""

from __future__ import annotations

from datetime import datetime, timedelta

from .outside import outside
from .scheduler import scheduler
from .store import store

CENTS = 30_00
MONTH = timedelta(days=30)


def remind(member: str, until: datetime) -> None:
    """Mail a member whose month ends, with a key."""
    text = f"Your month ends on {until:%d %B}."
    outside.mail.send(member, text, key=f"remind-{member}-{until:%Y%m%d}")


def renew(member: str, until: datetime) -> None:
    """Charge for another month. The bank gets no key, so a second run after a crash may charge again."""
    if store.paid_until[member] == until:
        outside.bank.charge(member, CENTS)
        plan(member, until + MONTH)
        store.paid_until[member] = until + MONTH


def plan(member: str, until: datetime) -> None:
    """Add what is to be done when the month of a member ends; a second call changes nothing."""
    scheduler.add_job(
        remind,
        "date",
        run_date=until - timedelta(days=3),
        args=(member, until),
        id=f"remind-{member}",
        replace_existing=True,
    )
    scheduler.add_job(
        renew,
        "date",
        run_date=until,
        args=(member, until),
        id=f"renew-{member}",
        replace_existing=True,
    )


@scheduler.scheduled_job("cron", hour=3, id="count-members")
def count_members() -> None:
    """Count each night how many members there are."""
    store.count = len(store.paid_until)
