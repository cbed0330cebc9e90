"""The world outside: a mail server and the web. These are fakes that keep everything in memory."""

from __future__ import annotations

from typing import NamedTuple


class ServerBusy(Exception):
    """The mail server takes nothing at the moment."""


class NotReady(Exception):
    """A page asks for some patience."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"retry after {retry_after} s")
        self.retry_after = retry_after


class Mail(NamedTuple):
    """One mail."""

    to: str
    subject: str


class Postman:
    """Sends mail."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        #: How many times the server is busy before it takes a mail.
        self.busy = 0
        self._keys: set[str] = set()

    def send(self, to: str, subject: str, *, key: str | None = None) -> None:
        """Send a mail, unless one with the same key was sent: a task may be delivered twice."""
        if self.busy:
            self.busy -= 1
            raise ServerBusy
        if key is None or key not in self._keys:
            self.sent.append(Mail(to, subject))
        if key is not None:
            self._keys.add(key)


class Web:
    """Has pages."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        #: For how many seconds a page asks us to wait, each time that it does.
        self.waits: list[int] = []

    def get(self, url: str) -> str:
        """Return the title of a page."""
        if self.waits:
            raise NotReady(self.waits.pop(0))
        return self.pages[url]


#: What is in use.
postman = Postman()
web = Web()
