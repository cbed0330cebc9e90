"""A world of its own for each test, and Celery in eager mode for those that want it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailing import outside, readers
from mailing.celery import app
from mailing.outside import Postman
from mailing.readers import Reader, Readers


@pytest.fixture(autouse=True)
def all_readers(monkeypatch: pytest.MonkeyPatch) -> Readers:
    monkeypatch.setattr(readers, "readers", Readers())
    return readers.readers


@pytest.fixture(autouse=True)
def postman(monkeypatch: pytest.MonkeyPatch) -> Postman:
    monkeypatch.setattr(outside, "postman", Postman())
    return outside.postman


@pytest.fixture
def ann(all_readers: Readers) -> Reader:
    return all_readers.add("ann@example.org")


@pytest.fixture
def eager() -> Iterator[None]:
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False
