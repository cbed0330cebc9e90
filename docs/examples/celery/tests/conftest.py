"""A world of its own for each test."""

from __future__ import annotations

import pytest

from mailing import outside, readers
from mailing.outside import Postman, Web
from mailing.readers import Reader, Readers


@pytest.fixture(autouse=True)
def all_readers(monkeypatch: pytest.MonkeyPatch) -> Readers:
    monkeypatch.setattr(readers, "readers", Readers())
    return readers.readers


@pytest.fixture(autouse=True)
def postman(monkeypatch: pytest.MonkeyPatch) -> Postman:
    monkeypatch.setattr(outside, "postman", Postman())
    return outside.postman


@pytest.fixture(autouse=True)
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    monkeypatch.setattr(outside, "web", Web())
    outside.web.pages["https://example.org/may"] = "May"
    return outside.web


@pytest.fixture
def ann(all_readers: Readers) -> Reader:
    return all_readers.add("ann@example.org")
