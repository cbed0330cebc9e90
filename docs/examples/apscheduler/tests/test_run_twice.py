"""Which job survives a scheduler that is killed, and which does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gym.jobs import remind, renew
from gym.outside import outside
from gym.store import store
from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect

UNTIL = datetime(2030, 2, 1, tzinfo=UTC)


class Bank:
    def charge(self, member: str, cents: int) -> None:
        """Take the money."""


class Mail:
    def send(self, member: str, text: str, key: str) -> None:
        """Send a mail."""


def world() -> Iterator[Callable[[], dict[str, Any]]]:
    store.paid_until.clear()
    store.paid_until["Ann"] = UNTIL
    with fake(outside, "bank", Bank()) as bank, fake(outside, "mail", Mail(), key="key") as mail:
        yield lambda: {"paid": store.paid_until, "charged": bank.calls, "mailed": mail.calls}


def test_a_member_can_be_reminded_twice() -> None:
    check_idempotent(remind, args=("Ann", UNTIL), world=world)


def test_a_member_may_be_charged_twice() -> None:
    with pytest.raises(DuplicateEffect, match=r"charge"):
        check_idempotent(renew, args=("Ann", UNTIL), world=world)
