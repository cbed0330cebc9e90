"""Where jobs go: the contract between the core and whatever keeps or runs them."""

from __future__ import annotations

from typing import Protocol

from .payload import Payload


class Adapter(Protocol):
    """Keeps payloads, or runs them. Two methods are all that the core asks for."""

    def now_ns(self) -> int:
        """Return the time that new jobs count from, in nanoseconds since the epoch."""
        ...

    def enqueue(self, payload: Payload) -> None:
        """Take a payload, for a retry too.

        Raises:
            EnqueueError: when the queue does not accept it; `perform_later` keeps the error.
        """
        ...
