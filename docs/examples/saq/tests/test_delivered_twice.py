"""Which job survives a worker that is killed, and which does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conftest import outside
from hotel.jobs import charge, confirm
from hotel.store import store
from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect


class Bank:
    async def charge(self, guest: str, cents: int) -> str:
        return "90 EUR"


class Mail:
    async def send(self, guest: str, text: str, key: str) -> None:
        """Send a mail."""


def world() -> Iterator[Callable[[], dict[str, Any]]]:
    for each in (store.booked, store.confirmed, store.receipts):
        each.clear()
    store.booked[7] = "Ann"
    store.receipts[8] = "90 EUR"
    store.booked[8] = "Bob"
    with fake(outside, "bank", Bank()) as bank, fake(outside, "mail", Mail(), key="key") as mail:
        yield lambda: {
            "receipts": store.receipts,
            "confirmed": store.confirmed,
            "charged": bank.calls,
            "mailed": mail.calls,
        }


def test_a_guest_is_charged_twice() -> None:
    with pytest.raises(DuplicateEffect, match=r"charge"):
        check_idempotent(charge, kwargs={"room": 7}, world=world)


def test_a_receipt_can_be_mailed_twice() -> None:
    check_idempotent(confirm, kwargs={"room": 8}, world=world)
