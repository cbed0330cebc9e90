"""A fake mailer, and a store of its own for each test. Nothing here is about Huey."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# Whatever asked for a connection would fail at once.
os.environ["LETTERS_REDIS"] = "redis://localhost:1"

from letters.mailer import MailerDown, outbox
from letters.store import store


class FakeMailer:
    def __init__(self) -> None:
        self.mails: list[tuple[str, str]] = []
        self.is_down = False
        self._keys: set[str] = set()

    def send(self, address: str, text: str, key: str | None = None) -> None:
        if self.is_down:
            raise MailerDown(address)
        if key is None or key not in self._keys:
            self.mails.append((address, text))
        if key is not None:
            self._keys.add(key)


@pytest.fixture(autouse=True)
def mailer() -> Iterator[FakeMailer]:
    before, outbox.mailer = outbox.mailer, FakeMailer()
    yield outbox.mailer
    outbox.mailer = before


@pytest.fixture(autouse=True)
def clean_store() -> Iterator[None]:
    yield
    for each in (store.subscribers, store.issues, store.sent, store.archive, store.counted):
        each.clear()
