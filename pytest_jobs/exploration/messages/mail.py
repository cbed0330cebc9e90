"""Mails as jobs send them."""

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

    # Not a field: its date, its id and the marks between its parts are new each time that it is written.
    _message: ClassVar[EmailMessage] = EmailMessage()

    @classmethod
    def sent(cls, sender: str, recipients: str | Sequence[str], written: str | bytes) -> Mail:
        """Make a mail from what is handed to a server.

        Args:
            sender: the address of the envelope.
            recipients: the addresses of the envelope.
            written: headers and body.
        """
        # smtplib encodes text in the same way.
        raw = written.encode("ascii", "replace") if isinstance(written, str) else written
        message: Any = email.message_from_bytes(raw, policy=default)

        def body(kind: str) -> str:
            part = message.get_body((kind,))
            # On the wire lines end by CR and LF.
            return "" if part is None else str(part.get_content()).replace("\r\n", "\n")

        mail = cls(
            sender,
            (recipients,) if isinstance(recipients, str) else tuple(recipients),
            str(message["Subject"] or ""),
            body("plain"),
            body("html"),
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
        """What is compared of it, its headline first."""
        return str(self), self.sender, self.text, self.html, self.attachments

    def __str__(self) -> str:
        return f"to {', '.join(self.recipients)}: {self.subject}"
