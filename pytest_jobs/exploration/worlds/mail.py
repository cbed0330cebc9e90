"""A fake of all mail servers."""

from __future__ import annotations

import io
import re
import smtplib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

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

    def get_socket(self: Any, host: str, port: int, timeout: Any) -> _FakeSocket:
        return _FakeSocket(made.inbox)

    def starttls(self: Any, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        # Without wrapping the socket in TLS, which a fake cannot be.
        self.ehlo_or_helo_if_needed()
        answer: tuple[int, bytes] = self.docmd("STARTTLS")
        return answer

    with Patches() as patches:
        for kind in (smtplib.SMTP, smtplib.SMTP_SSL):
            patches.set(kind, "_get_socket", get_socket)
        patches.set(smtplib.SMTP, "starttls", starttls)
        yield made


class _FakeSocket:
    """A socket with a server at its end that speaks SMTP."""

    def __init__(self, inbox: list[Mail]) -> None:
        self._inbox = inbox
        self._sender = ""
        self._recipients: list[str] = []
        #: Whether the lines that come now are those of a mail.
        self._in_mail = False
        self._received = b""
        self._answers = _Answers(b"220 fake ready\r\n")

    def makefile(self, mode: str) -> io.BufferedIOBase:
        return self._answers

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
                self._answers.add(b"250 taken\r\n")
            return
        while b"\r\n" in self._received and not self._in_mail:
            line, _, self._received = self._received.partition(b"\r\n")
            self._answers.add(self._answer(line.decode("utf-8", "replace")))

    def close(self) -> None:
        pass

    def _answer(self, line: str) -> bytes:
        command = line.upper().split(" ")[0]
        if command == "EHLO":
            return b"250-fake\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n"
        if command == "MAIL":
            self._sender = _address(line)
        elif command == "RCPT":
            self._recipients.append(_address(line))
        elif command == "RSET":
            self._recipients = []
        elif command == "DATA":
            self._in_mail = True
            return b"354 go on\r\n"
        elif command == "AUTH":
            return b"235 welcome\r\n"
        return b"221 bye\r\n" if command == "QUIT" else b"250 ok\r\n"


class _Answers(io.BytesIO):
    """A file that smtplib reads while answers are added at its end."""

    def add(self, answer: bytes) -> None:
        place = self.tell()
        self.seek(0, io.SEEK_END)
        self.write(answer)
        self.seek(place)


def _address(line: str) -> str:
    found = re.search(r"<(.*?)>", line)
    return found[1] if found else line.partition(":")[2].strip()
