"""The outside world: the bank, the mail, and the oven."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class BankDown(Exception):
    """The bank does not answer."""


class Bank(Protocol):
    async def charge(self, customer: str, cents: int) -> str:
        """Take the money; return a receipt."""
        ...


class Mail(Protocol):
    async def send(self, customer: str, text: str, key: str) -> None:
        """Send a mail; a second one with the same key is dropped."""
        ...


class HttpBank:
    async def charge(self, customer: str, cents: int) -> str:
        raise BankDown(f"there is no network here to charge {customer}")


class HttpMail:
    async def send(self, customer: str, text: str, key: str) -> None:
        raise ConnectionError(f"there is no network here to mail {customer}")


@dataclass
class Outside:
    bank: Bank = field(default_factory=HttpBank)
    mail: Mail = field(default_factory=HttpMail)


outside = Outside()
