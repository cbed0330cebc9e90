"""Outgoing mail. This outbox keeps it in memory."""

from __future__ import annotations

from typing import NamedTuple

from .current import Current


class Mail(NamedTuple):
    """One mail."""

    to: str
    subject: str
    branch: str = "main"


class Outbox:
    """What was sent, each mail in the name of the branch that it is sent for."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self._keys: set[str] = set()

    def send(self, to: str, subject: str, *, key: str | None = None) -> None:
        """Send a mail, unless one with the same key was sent: a job may be delivered twice."""
        if key is None or key not in self._keys:
            self.sent.append(Mail(to, subject, Current.branch))
        if key is not None:
            self._keys.add(key)


#: The outbox in use.
outbox = Outbox()
