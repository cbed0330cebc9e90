"""The outside world: the bank, and text messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class BankDown(Exception):
    """The bank does not answer."""


class Bank(Protocol):
    def charge(self, patient: str, cents: int) -> None:
        """Take the money."""
        ...


class Texts(Protocol):
    def send(self, patient: str, text: str, key: str) -> None:
        """Send a text message; a second one with the same key is dropped."""
        ...


class HttpBank:
    def charge(self, patient: str, cents: int) -> None:
        raise BankDown(f"there is no network here to charge {patient}")


class HttpTexts:
    def send(self, patient: str, text: str, key: str) -> None:
        raise ConnectionError(f"there is no network here to reach {patient}")


@dataclass
class Outside:
    """Has what is in use."""

    bank: Bank = field(default_factory=HttpBank)
    texts: Texts = field(default_factory=HttpTexts)


outside = Outside()
