"""What the parts of the suite share."""

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
        """Return what the jobs note."""
        notes: list[Any] = []
        token = noted_here.set(notes)
        yield notes
        noted_here.reset(token)

    @pytest.fixture
    def jobs(self, bridge: Bridge, noted: list[Any]) -> Iterator[Jobs]:
        """Return a harness: not that of the plugin, which need not be loaded."""
        core = [] if bridge.name == ReferenceBridge.name else [ReferenceBridge()]
        harness = Jobs([*core, bridge], outcomes=(AssertionError,))
        with harness:
            yield harness


def need(library: Library, bridge: Bridge, capability: str) -> None:
    """Skip the test where the library has not what it is about."""
    if capability not in CAPABILITIES:
        raise LookupError(f"No capability is named {capability!r}.")
    if capability not in bridge.capabilities:
        pytest.skip(f"{bridge.name}: {library.lacks[capability]}")


def send(library: Library, job: Any, *args: Any, **options: Any) -> None:
    """Enqueue a job, on a loop of its own where the library awaits."""
    kwargs: Mapping[str, Any] = options.pop("kwargs", {})
    sent = library.enqueue(job, args, kwargs, **options)
    if inspect.isawaitable(sent):
        import asyncio

        async def wait() -> None:
            await sent

        asyncio.run(wait())


def sent_record(jobs: Jobs, library: Library, job: Any, *args: Any, **options: Any) -> JobRecord:
    """Enqueue a job and return its record."""
    send(library, job, *args, **options)
    return jobs.pending[-1]
