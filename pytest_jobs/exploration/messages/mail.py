"""Mails, without what differs each time that the same mail is written."""

from __future__ import annotations

import email
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from typing import Any, ClassVar


@dataclass(frozen=True)
class Mail:
    """A mail that a job sent."""

    #: The address of the envelope.
    sender: str
    #: The addresses of the envelope, in order.
    recipients: tuple[str, ...]
    subject: str
    #: The plain text; empty for none.
    text: str = ""
    #: The text in HTML; empty for none.
    html: str = ""
    #: The name and the content of each attachment.
    attachments: tuple[tuple[str, bytes], ...] = ()

    # No field: its date, its id and the marks between its parts are new each time that it is written.
    _message: ClassVar[EmailMessage] = EmailMessage()

    @classmethod
    def sent(cls, sender: str, recipients: str | Sequence[str], written: str | bytes) -> Mail:
        """Make one of what is handed to a server.

        Args:
            sender: the address of the envelope.
            recipients: the addresses of the envelope.
            written: headers and body.
        """
        # As smtplib does with text.
        raw = written.encode("ascii", "replace") if isinstance(written, str) else written
        message: Any = email.message_from_bytes(raw, policy=default)
        mail = cls(
            sender,
            (recipients,) if isinstance(recipients, str) else tuple(recipients),
            str(message["Subject"] or ""),
            _body(message, "plain"),
            _body(message, "html"),
            tuple(
                (part.get_filename() or "", part.get_payload(decode=True) or b"")
                for part in message.iter_attachments()
            ),
        )
        mail.__dict__["_message"] = message
        return mail

    @property
    def message(self) -> EmailMessage:
        """The whole message, with all its headers."""
        return self._message

    @property
    def said(self) -> tuple[Any, ...]:
        """What it says, with the headline first."""
        return str(self), self.sender, self.text, self.html, self.attachments

    def __str__(self) -> str:
        return f"to {', '.join(self.recipients)}: {self.subject}"


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    # Lines end as they do on the wire.
    return str(part.get_content()).replace("\r\n", "\n")
