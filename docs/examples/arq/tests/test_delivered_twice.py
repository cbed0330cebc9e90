"""Which job survives a worker that is killed, and which does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect
from thumbs import outside
from thumbs.jobs import charge, shrink
from thumbs.store import store


class Bank:
    def charge(self, customer: str, cents: int) -> None:
        """Take the money."""


class Pictures:
    async def fetch(self, name: str) -> bytes:
        return b"a picture of "


class Open:
    """What a worker opens at its start."""

    bank = Bank()


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "Bank", lambda: Open.bank)
    monkeypatch.setattr(outside, "Pictures", Pictures)


def world() -> Iterator[Callable[[], dict[str, Any]]]:
    store.thumbs.clear()
    store.paid.clear()
    with fake(Open, "bank", Bank()) as bank:
        yield lambda: {"thumbs": store.thumbs, "paid": store.paid, "charged": bank.calls}


def test_a_picture_can_be_shrunk_twice() -> None:
    check_idempotent(shrink, args=("a.png", "ann"), world=world, atomic=(Pictures.fetch,))


def test_a_customer_is_charged_twice() -> None:
    with pytest.raises(DuplicateEffect, match="charge"):
        check_idempotent(charge, args=("a.png", "ann"), world=world)
