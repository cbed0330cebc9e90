"""An empty box office and a fake gateway for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tickets.office import office


class FakeGateway:
    def __init__(self) -> None:
        self.charges: list[tuple[str, int]] = []

    def charge(self, order: str, price: int) -> None:
        self.charges.append((order, price))


@pytest.fixture(autouse=True)
def gateway(monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    gateway = FakeGateway()
    monkeypatch.setattr(office, "gateway", gateway)
    return gateway


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    yield
    for each in (office.prices, office.paid, office.mails, office.reminded):
        each.clear()
