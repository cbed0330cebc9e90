"""A stand-in for the servers to which mails are handed."""

from __future__ import annotations

import io
import re
import smtplib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from ...harness.records.patches import Patches
from ..messages.mail import Mail


class FakeMail:
    """Takes in mails."""

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
    patches = Patches()

    def get_socket(self: Any, host: str, port: int, timeout: Any) -> _FakeSocket:
        return _FakeSocket(made.inbox)

    def starttls(self: Any, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        self.ehlo_or_helo_if_needed()
        answer: tuple[int, bytes] = self.docmd("STARTTLS")
        return answer

    for kind in (smtplib.SMTP, smtplib.SMTP_SSL):
        patches.set(kind, "_get_socket", get_socket)
    patches.set(smtplib.SMTP, "starttls", starttls)
    try:
        yield made
    finally:
        patches.restore()


class _FakeSocket:
    """Speaks SMTP as a server does, with what takes it for a socket."""

    def __init__(self, inbox: list[Mail]) -> None:
        self._inbox = inbox
        self._sender = ""
        self._recipients: list[str] = []
        self._in_message = False
        self._received = b""
        self._answers = _Answers(b"220 fake ready\r\n")

    def makefile(self, mode: str) -> io.BufferedIOBase:
        """Return what reads the answers."""
        return self._answers

    def sendall(self, data: bytes) -> None:
        """Take in what is sent."""
        self._received += data
        if self._in_message:
            self._take_message()
            return
        while b"\r\n" in self._received and not self._in_message:
            line, _, self._received = self._received.partition(b"\r\n")
            self._answers.add(self._answer(line.decode("utf-8", "replace")))

    def close(self) -> None:
        """Close nothing."""

    def _take_message(self) -> None:
        message, ended, rest = (b"\r\n" + self._received).partition(b"\r\n.\r\n")
        if not ended:
            return
        self._received = rest
        self._in_message = False
        written = message[2:].replace(b"\r\n..", b"\r\n.")
        self._inbox.append(Mail.sent(self._sender, self._recipients, written + b"\r\n"))
        self._recipients = []
        self._answers.add(b"250 taken\r\n")

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
            self._in_message = True
            return b"354 go on\r\n"
        elif command == "AUTH":
            return b"235 welcome\r\n"
        return b"221 bye\r\n" if command == "QUIT" else b"250 ok\r\n"


class _Answers(io.BytesIO):
    """What is read and added to in turn."""

    def add(self, answer: bytes) -> None:
        """Add an answer behind the others."""
        place = self.tell()
        self.seek(0, io.SEEK_END)
        self.write(answer)
        self.seek(place)


def _address(line: str) -> str:
    found = re.search(r"<(.*?)>", line)
    return found[1] if found else line.partition(":")[2].strip()
