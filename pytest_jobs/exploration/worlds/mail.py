"""A fake of all mail servers."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

from ...harness.records.patches import Patches
from ..effects.mail import Mail


class FakeMail:
    """Keeps the mails that it gets."""

    def __init__(self) -> None:
        #: The mails that were sent, in order.
        self.inbox: list[Mail] = []


@contextmanager
def fake_mail() -> Generator[FakeMail, None, None]:
    """Stand in for all mail servers for a block, in smtplib.

    Returns:
        The fake; `.inbox` are the mails that were sent.
    """
    made = FakeMail()

    def starttls(self: Any, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        # Without wrapping the socket in TLS, which a fake cannot be.
        self.ehlo_or_helo_if_needed()
        answer: tuple[int, bytes] = self.docmd("STARTTLS")
        return answer

    with Patches() as patches:
        for kind in (smtplib.SMTP, smtplib.SMTP_SSL):
            patches.set(kind, "_get_socket", lambda *args: _FakeSocket(made.inbox))
        patches.set(smtplib.SMTP, "starttls", starttls)
        yield made


#: What is answered to commands; to all others it is `250 ok`.
_ANSWERS: Final = {
    "EHLO": [b"250-fake", b"250-STARTTLS", b"250-AUTH PLAIN LOGIN", b"250 8BITMIME"],
    "DATA": [b"354 go on"],
    "AUTH": [b"235 welcome"],
    "QUIT": [b"221 bye"],
}


class _FakeSocket:
    """A socket with a server at its end that speaks SMTP, and the file from which the answers are read."""

    def __init__(self, inbox: list[Mail]) -> None:
        self._inbox = inbox
        self._sender = ""
        self._recipients: list[str] = []
        #: Whether the lines that come now are those of a mail.
        self._in_mail = False
        self._received = b""
        self._answers = [b"220 fake ready"]

    def makefile(self, mode: str) -> _FakeSocket:
        return self

    def readline(self, limit: int) -> bytes:
        return self._answers.pop(0) + b"\r\n"

    def sendall(self, data: bytes) -> None:
        self._received += data
        if self._in_mail:
            mail, ended, rest = (b"\r\n" + self._received).partition(b"\r\n.\r\n")
            if ended:
                self._received = rest
                self._in_mail = False
                # A line that begins with a dot is sent with one more.
                written = mail[2:].replace(b"\r\n..", b"\r\n.")
                self._inbox.append(Mail.sent(self._sender, self._recipients, written + b"\r\n"))
                self._recipients = []
                self._answers.append(b"250 taken")
            return
        while b"\r\n" in self._received and not self._in_mail:
            line, _, self._received = self._received.partition(b"\r\n")
            self._take(line.decode("utf-8", "replace"))

    def close(self) -> None:
        pass

    def _take(self, line: str) -> None:
        command = line.upper().split(" ")[0]
        if command == "MAIL":
            self._sender = _address(line)
        elif command == "RCPT":
            self._recipients.append(_address(line))
        elif command == "RSET":
            self._recipients = []
        self._in_mail = command == "DATA"
        self._answers += _ANSWERS.get(command, [b"250 ok"])


def _address(line: str) -> str:
    found = re.search(r"<(.*?)>", line)
    return found[1] if found else line.partition(":")[2].strip()
