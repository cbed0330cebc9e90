"""The outside world: mails, and the screen of the box office."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class MailsDown(Exception):
    """The mail server does not answer."""


class Mails(Protocol):
    def send(self, email: str, text: str, key: str) -> None:
        """Send a mail; a second one with the same key is dropped."""
        ...


class Screen(Protocol):
    async def show(self, text: str) -> None:
        """Show a line."""
        ...


class SmtpMails:
    def send(self, email: str, text: str, key: str) -> None:
        raise MailsDown(f"there is no network here to reach {email}")


class LedScreen:
    async def show(self, text: str) -> None:
        raise ConnectionError(f"there is no screen here to show {text!r}")


@dataclass
class Outside:
    """Has what is in use."""

    mails: Mails = field(default_factory=SmtpMails)
    screen: Screen = field(default_factory=LedScreen)


outside = Outside()
