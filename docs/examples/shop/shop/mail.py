"""Outgoing mail. This outbox keeps it in memory."""

from __future__ import annotations

from typing import NamedTuple


class Mail(NamedTuple):
    """One mail."""

    to: str
    subject: str


class Outbox:
    """What was sent."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []

    def send(self, to: str, subject: str) -> None:
        """Send a mail."""
        self.sent.append(Mail(to, subject))


#: The outbox in use.
outbox = Outbox()
