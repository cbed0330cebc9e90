"""The outside world: the bank, and the mail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Bank(Protocol):
    def charge(self, member: str, cents: int) -> None:
        """Take the money."""
        ...


class Mail(Protocol):
    def send(self, member: str, text: str, key: str) -> None:
        """Send a mail; a second one with the same key is dropped."""
        ...


class HttpBank:
    def charge(self, member: str, cents: int) -> None:
        raise ConnectionError(f"there is no network here to charge {member}")


class HttpMail:
    def send(self, member: str, text: str, key: str) -> None:
        raise ConnectionError(f"there is no network here to mail {member}")


@dataclass
class Outside:
    """Has what is in use."""

    bank: Bank = field(default_factory=HttpBank)
    mail: Mail = field(default_factory=HttpMail)


outside = Outside()
