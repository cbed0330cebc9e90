"""Other people's servers. This client keeps its requests in memory and answers as it is told to."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple


class ServerUnavailable(Exception):
    """The server has a problem that will pass."""


class Request(NamedTuple):
    """What was posted."""

    url: str
    body: str


class FakeClient:
    """Posts webhooks, and asks suppliers for their stock."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        #: How long a server takes to answer a webhook.
        self.seconds_to_answer = 0.0
        #: The status codes of the next answers; 200 when there are none left.
        self.answers: list[int] = []
        #: What each supplier has of anything, and how many seconds it takes to say so.
        self.suppliers: dict[str, tuple[int, float]] = {}
        self._keys: set[str] = set()

    def post(self, url: str, body: str, *, key: str) -> None:
        """Post a body, with a key by which its server knows what it has had: a job may be delivered twice.

        Raises:
            ServerUnavailable: when the answer is a 5xx.
        """
        time.sleep(self.seconds_to_answer)
        if key in self._keys:
            return
        self.requests.append(Request(url, body))
        status = self.answers.pop(0) if self.answers else 200
        if status >= 500:
            raise ServerUnavailable(status)
        self._keys.add(key)

    async def ask(self, supplier: str, sku: str) -> int:
        """Ask a supplier how many pieces of a product there are."""
        self.requests.append(Request(supplier, sku))
        pieces, seconds = self.suppliers[supplier]
        await asyncio.sleep(seconds)
        return pieces


#: The client in use.
client = FakeClient()
