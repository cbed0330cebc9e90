"""What is done in the background."""

from __future__ import annotations

from procrastinate import Blueprint, RetryStrategy
from procrastinate.exceptions import AlreadyEnqueued

from . import outside
from .store import store

CENTS = 95
blueprint = Blueprint()


@blueprint.task(
    name="print", queue="print", retry=RetryStrategy(max_attempts=3, exponential_wait=5)
)
def print_letter(letter: str) -> None:
    """Print a letter, and charge for it."""
    if store.letters[letter] == "accepted":
        outside.printer.print(letter)
        store.letters[letter] = "printed"
    try:
        charge.configure(queueing_lock=f"charge-{letter}").defer(letter=letter)
    except AlreadyEnqueued:
        return  # by a delivery before this one


@blueprint.task(name="charge", queue="bank")
def charge(letter: str) -> None:
    """Charge for a letter. The bank is not told of a key, so a job that dies after the call charges again."""
    if letter not in store.paid:
        outside.bank.charge(letter, CENTS)
        store.paid.add(letter)


@blueprint.periodic(cron="0 6 * * *")
@blueprint.task(name="collect", queue="post")
async def collect(timestamp: int) -> int:
    """Hand the letters of the day to the postman."""
    printed = [letter for letter, state in store.letters.items() if state == "printed"]
    for letter in printed:
        store.letters[letter] = "posted"
    return len(printed)
