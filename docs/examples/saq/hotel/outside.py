"""The outside world: the bank, and the mail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class BankDown(Exception):
    """The bank does not answer."""


class Bank(Protocol):
    async def charge(self, guest: str, cents: int) -> str:
        """Take the money; return a receipt."""
        ...


class Mail(Protocol):
    async def send(self, guest: str, text: str, key: str) -> None:
        """Send a mail; a second one with the same key is dropped."""
        ...


class HttpBank:
    async def charge(self, guest: str, cents: int) -> str:
        raise BankDown(f"there is no network here to charge {guest}")


class HttpMail:
    async def send(self, guest: str, text: str, key: str) -> None:
        raise ConnectionError(f"there is no network here to mail {guest}")


@dataclass
class Outside:
    """What a worker opens when it starts."""

    bank: Bank = field(default_factory=HttpBank)
    mail: Mail = field(default_factory=HttpMail)
