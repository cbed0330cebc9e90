"""Which job survives a worker that is killed, and which does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bakery.outside import outside
from bakery.store import store
from bakery.workers import Charge, Collect, confirm
from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect


class Bank:
    async def charge(self, customer: str, cents: int) -> str:
        return "12 EUR"


class Mail:
    async def send(self, customer: str, text: str, key: str) -> None:
        """Take a mail."""


def bakery() -> Iterator[Callable[[], dict[str, Any]]]:
    store.orders = {7: "Ann"}
    store.receipts, store.baked, store.shelf = {}, set(), []
    with (
        fake(outside, "bank", Bank()) as bank,
        fake(outside, "mail", Mail(), key="key") as mail,
    ):
        yield lambda: {
            "receipts": store.receipts,
            "charges": bank.calls,
            "mails": mail.calls,
            "baked": store.baked,
            "shelf": store.shelf,
        }


def test_a_customer_is_charged_twice() -> None:
    with pytest.raises(DuplicateEffect):
        check_idempotent(Charge, kwargs={"order": 7}, world=bakery)


def test_a_customer_gets_one_mail() -> None:
    def paid() -> Iterator[Callable[[], dict[str, Any]]]:
        for snapshot in bakery():
            store.receipts[7] = "12 EUR"
            yield snapshot

    check_idempotent(confirm, args=(7,), world=paid)


def test_a_cake_is_put_on_the_shelf_once() -> None:
    check_idempotent(Collect, kwargs={"order": 7}, world=bakery)
