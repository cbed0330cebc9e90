"""Where jobs go: the contract between the core and whatever keeps or runs them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ..arguments.payload import Payload


class Adapter(Protocol):
    """Keeps payloads, or runs them. Two methods are all that the core asks for.

    An adapter may be one that `Withdraws`, one that `Unblocks` and one that `HearsOfKeptOut`, too.
    """

    def now_ns(self) -> int:
        """Return the time that new jobs count from, in nanoseconds since the epoch."""
        ...

    def enqueue(self, payload: Payload) -> None:
        """Take a payload, for a retry too.

        Raises:
            EnqueueError: when the queue does not accept it; `perform_later` keeps the error.
        """
        ...


@runtime_checkable
class Withdraws(Protocol):
    """An adapter that can take a payload back, which `unique(on_conflict="replace")` asks for."""

    def withdraw(self, job_id: str) -> Payload | None:
        """Take back and return what waits to be performed of a job; None when nothing does."""
        ...


@runtime_checkable
class Unblocks(Protocol):
    """An adapter that keeps jobs that wait for a place of their limit, and hears when they have one.

    To any other, such a job is one that is due when the place expires.
    """

    def block(self, payload: Payload, until_ns: int | None) -> None:
        """Take a payload that is due when it is unblocked.

        Args:
            payload: what waits.
            until_ns: when its place expires that is the first to, in nanoseconds since the epoch; the
                payload is due then at the latest.
        """
        ...

    def unblock(self, job_id: str) -> None:
        """Let a job that was blocked be due."""
        ...


@runtime_checkable
class HearsOfKeptOut(Protocol):
    """An adapter that wants to know of the jobs that it does not get, since another has their lock or place."""

    def kept_out(self, payload: Payload, dropped_for: str) -> None:
        """Hear of one.

        Args:
            payload: what it would have got.
            dropped_for: the id of the job that keeps it out.
        """
        ...
