"""A shop of its own for each test: a new sqlite file, and an outside world that is a fake."""

from __future__ import annotations

from pathlib import Path

import pytest

from shop import db, gateway as gateways, mail, web
from shop.boot import boot
from shop.gateway import FakeGateway
from shop.mail import Outbox
from shop.models import Customer
from shop.web import FakeClient

boot()


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(db, "path", tmp_path / "shop.db")
    monkeypatch.setattr(db, "durable", False)
    db.create_tables()
    return db.path


@pytest.fixture(autouse=True)
def gateway(monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    monkeypatch.setattr(gateways, "provider", FakeGateway())
    return gateways.provider


@pytest.fixture(autouse=True)
def outbox(monkeypatch: pytest.MonkeyPatch) -> Outbox:
    monkeypatch.setattr(mail, "outbox", Outbox())
    return mail.outbox


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    monkeypatch.setattr(web, "client", FakeClient())
    return web.client


@pytest.fixture
def customer() -> Customer:
    return Customer.create("ann@example.org")
