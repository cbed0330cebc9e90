"""What each bridge costs, beside the library's own way through the same job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from measure import loop, median
from own_paths import workloads
from rows import Row

from pytest_jobs import open_jobs
from pytest_jobs.bridges.libraries.capture import HeldSeams, bridge_module
from pytest_jobs.bridges.libraries.known import LIBRARIES

_BUDGET = 1.3
_SETUP_BUDGET_US = 1_000.0
_UNUSED_BUDGET_US = 20.0


def bridged(applications: list[Any], enqueue: Callable[[int], object]) -> Callable[[int], float]:
    """Return a run that enqueues and drains through a bridge."""

    def run(calls: int) -> float:
        with open_jobs(apps=applications) as jobs:
            start = time.process_time()
            enqueue(calls)
            tally = jobs.drain()
            seconds = time.process_time() - start
        assert tally.total == calls
        assert len(jobs.performed) == calls
        return seconds

    return run


def set_up(library: str, applications: list[Any]) -> float:
    def once() -> None:
        with open_jobs(apps=applications, ignore=LIBRARIES.keys() - {library}):
            pass

    return median(loop(once), 200)


def unused(library: str) -> float:
    """Return what a test pays for a library that is imported, while the session keeps it patched."""
    module, held = bridge_module(library), HeldSeams()
    nowhere: Any = None

    def once(*, kept: bool = False) -> None:
        bridge = module.bridge(())
        bridge.install(nowhere, float)
        if kept:
            held.hold(bridge)
        bridge.uninstall()

    once(kept=True)
    try:
        return median(loop(once), 2_000, 5)
    finally:
        held.close()


def bridge_rows() -> Iterator[Row]:
    for library, title, applications, enqueue, alone, calls in workloads():
        ours = median(bridged(applications, enqueue), calls, 5)
        theirs = median(alone, calls, 5)
        shown = f"{ours:.1f} us / {theirs:.1f} us"
        yield Row(f"{title}: enqueue + drain / its own path", shown, ours / theirs, _BUDGET)
        opened = set_up(library, applications)
        yield Row(
            f"{title}: set-up and teardown", f"{opened:.1f} us", opened, _SETUP_BUDGET_US, "us"
        )
        idle = unused(library)
        yield Row(
            f"{title}: imported and not used, a test",
            f"{idle:.1f} us",
            idle,
            _UNUSED_BUDGET_US,
            "us",
        )
