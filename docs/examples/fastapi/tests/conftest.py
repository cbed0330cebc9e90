"""A database, a client and a fake outside world for each test. Nothing here is about background tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from cinema.app import app
from cinema.database import SCHEMA, connected
from cinema.outside import MailsDown, outside


class FakeMails:
    def __init__(self) -> None:
        self.sent: dict[str, str] = {}
        self.is_down = False

    def send(self, email: str, text: str, key: str) -> None:
        if self.is_down:
            raise MailsDown(email)
        self.sent[key] = f"{email}: {text}"


class FakeScreen:
    def __init__(self) -> None:
        self.lines: list[str] = []

    async def show(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINEMA_DATABASE", str(tmp_path / "cinema.db"))
    with connected() as made:
        made.executescript(SCHEMA)


@pytest.fixture(autouse=True)
def mails(monkeypatch: pytest.MonkeyPatch) -> FakeMails:
    fake = FakeMails()
    monkeypatch.setattr(outside, "mails", fake)
    return fake


@pytest.fixture(autouse=True)
def screen(monkeypatch: pytest.MonkeyPatch) -> FakeScreen:
    fake = FakeScreen()
    monkeypatch.setattr(outside, "screen", fake)
    return fake


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client
