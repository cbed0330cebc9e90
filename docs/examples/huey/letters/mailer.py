"""The provider that delivers mails."""

from __future__ import annotations

from typing import Protocol


class MailerDown(Exception):
    """The provider does not answer."""


class Mailer(Protocol):
    def send(self, address: str, text: str, key: str | None = None) -> None:
        """Send a mail; one with a key that was seen before is dropped."""
        ...


class HttpMailer:
    """Sends over the network."""

    def send(self, address: str, text: str, key: str | None = None) -> None:
        raise MailerDown(f"there is no network here to mail {address}")


class Outbox:
    """Has the mailer that is in use."""

    def __init__(self) -> None:
        self.mailer: Mailer = HttpMailer()


outbox = Outbox()
