"""What the suite has to be told of a job library."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from ..harness.records.bridge import Bridge

#: What a bridge can say that its library has, and what each word stands for.
CAPABILITIES: Final[Mapping[str, str]] = {
    "eta": "a job can be due later",
    "priority": "a job has a priority",
    "headers": "something travels beside the arguments",
    "retry": "a job that failed is tried again",
    "discard": "a job can be dropped by rule",
    "async": "coroutine functions are jobs",
    "serialise": "arguments that cannot be written down are refused at enqueue",
    "unique": "a job is enqueued once only",
    "cron": "jobs are enqueued by a schedule",
    "chains": "jobs follow upon jobs",
}


@dataclass(frozen=True)
class DeclaredJobs:
    """The functions of `pytest_jobs.conformance.bodies`, declared as jobs of a library."""

    #: `note`, in a queue of the name "notes" where the library has queues.
    note: Any
    #: `fails`, without retries.
    fails: Any
    #: `retries`: 3 attempts in all, 30 seconds apart, without jitter, for `Flaky`.
    retries: Any
    #: A job that enqueues `note` with its argument when it runs.
    parent: Any
    #: `breaks`, which raises what is no Exception.
    breaks: Any
    #: `asserts`, with retries for every error where the library has retries.
    asserts: Any
    #: `coroutine`; None where coroutine functions are no jobs.
    coroutine: Any = None


class Library(Protocol):
    """A job library, as those use it who write its jobs.

    Nothing may reach a broker: point the application at port 1.
    """

    @property
    def jobs(self) -> DeclaredJobs:
        """The jobs of the suite."""
        ...

    @property
    def lacks(self) -> Mapping[str, str]:
        """Why the library has not each of the capabilities that its bridge does not name."""
        ...

    def bridge(self) -> Bridge:
        """Return a new bridge to the application."""
        ...

    def enqueue(
        self,
        job: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        wait: timedelta | None = None,
        queue: str | None = None,
        priority: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Awaitable[object] | object:
        """Enqueue a job as an application does, with what options the library has."""
        ...

    def patched(self) -> Sequence[object]:
        """Return every object whose attributes the bridge replaces while it is installed."""
        ...
