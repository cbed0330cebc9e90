"""What the parts of the suite share."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ..bridges.core.bridge import ReferenceBridge
from ..harness.jobs import Jobs
from ..harness.records.bridge import Bridge
from ..harness.records.record import JobRecord
from .bodies import noted as noted_here
from .library import CAPABILITIES, Library


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
