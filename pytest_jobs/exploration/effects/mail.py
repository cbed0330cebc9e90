"""Mails: what jobs send by smtplib, and by those mail backends of Django that send nothing.

There are two sources here: this module itself is the one for smtplib, `django` the one for Django's backends.
"""

from __future__ import annotations

import email
import functools
import smtplib
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from typing import Any, ClassVar, Final

from ...harness.records.patches import Patches
from ..engine.acts import Act, acting, looking, note_connection
from ..engine.sources import guarded_host
from .wrapping import source_of, surround

library: Final = "smtplib"


def install(patches: Patches) -> None:
    """Watch the mails that every connection sends: `send_message` calls `sendmail` as well."""
    for kind in (smtplib.SMTP, smtplib.LMTP):
        surround(patches, kind, "connect", _connecting)
    surround(patches, smtplib.SMTP, "sendmail", _sending)


@contextmanager
def _connecting(
    connection: smtplib.SMTP, host: str = "localhost", *args: Any, **kwargs: Any
) -> Generator[None, None, None]:
    with looking(), guarded_host(host, "mail"):
        yield
    note_connection(connection.close)


def _sending(
    connection: smtplib.SMTP, from_addr: str, to_addrs: Any, msg: Any, *args: Any, **kwargs: Any
) -> AbstractContextManager[None]:
    mail = Mail.sent(from_addr, to_addrs, msg)
    act = Act(
        "mail",
        str(mail),
        value=mail.said,
        refused=lambda: smtplib.SMTPSenderRefused(
            451, b"4.3.0 Temporary failure, try again", mail.sender
        ),
        answer_lost=lambda: smtplib.SMTPServerDisconnected(
            "Connection unexpectedly closed: timed out"
        ),
    )
    return acting(act)


@source_of("django.core.mail")
def django(patches: Patches, module: Any) -> None:
    """Watch the backends that keep the mail in the process, print it or drop it.

    The backend that sends by SMTP is not replaced: it sends by smtplib, which is watched above.
    """
    from django.core.mail.backends import console, dummy, locmem

    for backends in (locmem, console, dummy):
        genuine = backends.EmailBackend.send_messages
        patches.set(backends.EmailBackend, "send_messages", _one_by_one(genuine))


def _one_by_one(genuine: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that sends messages as effects of their own, as a server gets them."""

    @functools.wraps(genuine)
    def send_messages(backend: Any, email_messages: Iterable[Any]) -> int:
        # Newer versions warn when the attribute is read by its name.
        own = vars(backend)
        silently = own.get("fail_silently", own.get("_fail_silently", False))
        sent = 0
        for message in email_messages or ():
            try:
                with acting(_act(message)):
                    sent += genuine(backend, [message]) or 0
            except (OSError, smtplib.SMTPException):
                if not silently:
                    raise
        return sent

    return send_messages


def _act(message: Any) -> Act:
    content = (
        str(message.subject),
        str(message.body),
        message.from_email,
        *(tuple(getattr(message, name)) for name in ("to", "cc", "bcc", "reply_to")),
        tuple(sorted((str(k), str(v)) for k, v in message.extra_headers.items())),
        tuple(tuple(part) for part in getattr(message, "alternatives", ())),
        tuple(
            tuple(part) if isinstance(part, tuple) else part.as_bytes()
            for part in message.attachments
        ),
    )
    return Act(
        "mail",
        f"{message.subject!r} to {', '.join(message.recipients())}",
        value=content,
        refused=lambda: ConnectionRefusedError(111, "Connection refused"),
        answer_lost=lambda: smtplib.SMTPServerDisconnected("Connection unexpectedly closed"),
    )


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
        """Make a mail from what is handed to a server: the addresses of the envelope, and headers and body."""
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
