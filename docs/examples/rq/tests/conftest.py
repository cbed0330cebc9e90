from datetime import UTC, datetime

import pytest

from invoices import bank, store
from pytest_jobs import VirtualClock


class FakeBank:
    """Charges without a network; of several calls with one key the first charges."""

    def __init__(self) -> None:
        self.is_down = False
        self.charges: list[tuple[str, int, str | None]] = []

    def charge(self, customer: str, amount: int, key: str | None = None) -> str:
        if self.is_down:
            raise bank.BankDown("no answer")
        if key is None or all(key != known for _, _, known in self.charges):
            self.charges.append((customer, amount, key))
        return f"receipt of {customer}"


@pytest.fixture(autouse=True)
def fake_bank(monkeypatch: pytest.MonkeyPatch) -> FakeBank:
    fake = FakeBank()
    monkeypatch.setattr(bank, "charge", fake.charge)
    return fake


@pytest.fixture(autouse=True)
def invoice(monkeypatch: pytest.MonkeyPatch) -> store.Invoice:
    monkeypatch.setattr(store, "invoices", {})
    return store.add(7, "Ann", 100)


@pytest.fixture(autouse=True)
def noon(jobs_clock: VirtualClock) -> None:
    """Begin each test at the same time of day: the report is written each morning."""
    jobs_clock.move_to(datetime(2030, 1, 1, 12, tzinfo=UTC))
