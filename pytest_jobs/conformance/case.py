"""What a library says of itself to the suite, and the fixtures that all its tests share."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

import pytest

from ..bridges.core.bridge import ReferenceBridge
from ..harness.jobs import Jobs
from ..harness.records.bridge import Bridge
from ..harness.records.record import JobRecord
from .bodies import noted as noted_here

#: The capabilities that a bridge can name, and what each one means.
CAPABILITIES: Final[Mapping[str, str]] = {
    "eta": "a job can be due later",
    "priority": "a job has a priority",
    "headers": "whoever enqueues can send something beside the arguments",
    "retry": "a job that failed is tried again",
    "discard": "a job can be dropped by rule",
    "async": "coroutine functions are jobs",
    "serialise": "arguments that cannot be written down are refused at enqueue",
    "unique": "a job is enqueued once only",
    "cron": "what the library schedules to recur is enqueued again and again",
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
    #: `breaks`, whose error does not derive from Exception.
    breaks: Any
    #: `asserts`, with retries for every error where the library has retries.
    asserts: Any
    #: `coroutine`; None where coroutine functions cannot be jobs.
    coroutine: Any = None
    #: Another job with the function `note`, and the argument "hourly", which the library's own schedule enqueues
    #: each hour; None without `cron`.
    hourly: Any = None


class Library(Protocol):
    """A job library, as an application uses it.

    Nothing may reach a broker: point the application at port 1. If the library retries for a class of errors of
    its own alone, the attribute `flaky` is an error class that derives from that class and from `bodies.Flaky`.
    The attribute `survives_exit` is True if a worker reports a job that calls `sys.exit()` as failed.
    """

    @property
    def jobs(self) -> DeclaredJobs:
        """The jobs of the suite."""
        ...

    @property
    def lacks(self) -> Mapping[str, str]:
        """For each capability that the bridge does not name, why the library lacks it."""
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
        """Enqueue a job as an application does, with those options that the library has."""
        ...

    def patched(self) -> Sequence[object]:
        """Return every class, module and object whose attributes the bridge replaces while it is installed."""
        ...


class Case:
    """Opens a harness with one bridge, and enqueues through the library."""

    @pytest.fixture
    def library(self) -> Library:
        """Return the library under test: to be overridden."""
        raise NotImplementedError(
            f"{type(self).__name__} has no fixture `library` that returns a pytest_jobs.conformance.Library."
        )

    @pytest.fixture
    def bridge(self, library: Library) -> Bridge:
        """Return the bridge under test."""
        return library.bridge()

    @pytest.fixture
    def noted(self) -> Iterator[list[Any]]:
        """Return the list of what jobs note."""
        notes: list[Any] = []
        token = noted_here.set(notes)
        yield notes
        noted_here.reset(token)

    @pytest.fixture
    def jobs(self, bridge: Bridge, noted: list[Any]) -> Iterator[Jobs]:
        """Return an open harness; the plugin need not be loaded."""
        core = [] if bridge.name == ReferenceBridge.name else [ReferenceBridge()]
        harness = Jobs([*core, bridge], mode="record", outcomes=(AssertionError,))
        with harness:
            yield harness


def need(library: Library, bridge: Bridge, capability: str) -> None:
    """Skip the test when the bridge does not name a capability."""
    if capability not in CAPABILITIES:
        raise LookupError(f"No capability is named {capability!r}.")
    if capability not in bridge.capabilities:
        pytest.skip(f"{bridge.name}: {library.lacks[capability]}")


def send(library: Library, job: Any, *args: Any, **options: Any) -> bool:
    """Enqueue a job, on an event loop if the library awaits; return whether it does."""
    kwargs: Mapping[str, Any] = options.pop("kwargs", {})
    sent = library.enqueue(job, args, kwargs, **options)
    if inspect.isawaitable(sent):
        import asyncio

        async def wait() -> None:
            await sent

        asyncio.run(wait())
        return True
    return False


def sent_record(jobs: Jobs, library: Library, job: Any, *args: Any, **options: Any) -> JobRecord:
    """Enqueue a job and return its record."""
    send(library, job, *args, **options)
    return jobs.pending[-1]


def capability_row(library: Library) -> str:
    """Return the line of a library in a Markdown table with a column for each of `CAPABILITIES`."""
    bridge = library.bridge()
    cells = ("yes" if each in bridge.capabilities else "no" for each in CAPABILITIES)
    return f"| {bridge.name} | {' | '.join(cells)} |"
