"""What jobs send by Django's mail backends that keep the mail in the process."""

from __future__ import annotations

import functools
import smtplib
from collections.abc import Callable, Iterable
from typing import Any, Final

from django.core.mail.backends import console, dummy, locmem

from ...harness.records.patches import Patches
from ..engine.acts import Act, perform_act

library: Final = "django.core.mail"


def install(patches: Patches) -> None:
    """Hear of each message.

    The backend that sends by SMTP is not among them: nothing may leave a test by being heard of.
    """
    for module in (locmem, console, dummy):
        backend = module.EmailBackend
        patches.set(backend, "send_messages", _sending(backend.send_messages))


def _sending(genuine: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(genuine)
    def send_messages(backend: Any, email_messages: Iterable[Any]) -> int:
        # Not by name, which newer versions warn of.
        own = vars(backend)
        silently = own.get("fail_silently", own.get("_fail_silently", False))
        sent = 0
        for message in email_messages or ():
            try:
                sent += perform_act(_act(message), lambda one=message: genuine(backend, [one]) or 0)  # type: ignore[misc]
            except (OSError, smtplib.SMTPException):
                if not silently:
                    raise
        return sent

    return send_messages


def _act(message: Any) -> Act:
    text = f"{message.subject!r} to {', '.join(message.recipients())}"
    return Act("mail", text, value=_content(message), refused=_refused, answer_lost=_answer_lost)


def _content(message: Any) -> tuple[Any, ...]:
    """Return what tells a message from others, as plain values."""
    return (
        str(message.subject),
        str(message.body),
        message.from_email,
        *(tuple(getattr(message, name)) for name in ("to", "cc", "bcc", "reply_to")),
        tuple(sorted((str(k), str(v)) for k, v in message.extra_headers.items())),
        tuple(tuple(part) for part in getattr(message, "alternatives", ())),
        tuple(_plain(attachment) for attachment in message.attachments),
    )


def _plain(attachment: Any) -> Any:
    return tuple(attachment) if isinstance(attachment, tuple) else attachment.as_bytes()


def _refused() -> Exception:
    return ConnectionRefusedError(111, "Connection refused")


def _answer_lost() -> Exception:
    return smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
