"""A fake outside world for each test. Nothing here is about Django-Q2."""

from __future__ import annotations

import pytest

from visits.outside import BankDown, outside


class FakeBank:
    def __init__(self) -> None:
        self.charged: list[str] = []
        self.is_down = False

    def charge(self, patient: str, cents: int) -> None:
        if self.is_down:
            raise BankDown(patient)
        self.charged.append(patient)


class FakeTexts:
    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def send(self, patient: str, text: str, key: str) -> None:
        self.texts[key] = f"{patient}: {text}"


@pytest.fixture(autouse=True)
def bank(monkeypatch: pytest.MonkeyPatch) -> FakeBank:
    fake = FakeBank()
    monkeypatch.setattr(outside, "bank", fake)
    return fake


@pytest.fixture(autouse=True)
def texts(monkeypatch: pytest.MonkeyPatch) -> FakeTexts:
    fake = FakeTexts()
    monkeypatch.setattr(outside, "texts", fake)
    return fake
