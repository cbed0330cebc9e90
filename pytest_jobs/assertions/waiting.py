"""Waiting, in real time, for what another thread or task enqueues."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import CriterionError, RunningLoopError
from ..harness.running.performer import in_running_loop

if TYPE_CHECKING:
    from ..harness.ledger.ledger import Ledger
    from .search import Search

T = TypeVar("T")


def parse_timeout(criteria: Mapping[str, Any]) -> float | None:
    """Return how many seconds an assertion waits at most; None when it does not wait.

    Raises:
        CriterionError: when it is no duration above 0.
    """
    timeout = criteria.get("timeout")
    if isinstance(timeout, timedelta):
        timeout = timeout.total_seconds()
    if timeout is None or (type(timeout) in (int, float) and 0 < timeout <= threading.TIMEOUT_MAX):
        return timeout
    raise CriterionError(
        f"timeout={criteria['timeout']!r} is no time to wait: write seconds above 0, or a timedelta."
    )


def check_waits(search: Search[T]) -> None:
    """Raise when what is asked holds already before anything is enqueued.

    Raises:
        CriterionError: says to wait for something first.
    """
    if search.counts.least == 0:
        raise CriterionError(
            "timeout= waits for jobs, and none are enough here: ask for at least one, or wait for another job and "
            "assert this afterwards."
        )


def wait_for(look: Callable[[], Search[T]], ledger: Ledger, seconds: float) -> Search[T]:
    """Look again whenever a job is enqueued, until it is settled or the time is up.

    Raises:
        RunningLoopError: inside a running event loop, whose tasks would not go on meanwhile.
    """
    if in_running_loop():
        raise RunningLoopError(
            "assert_enqueued(timeout=...) was called inside a running event loop, which it would block, and with "
            "it the task that enqueues: write `await assert_enqueued.awaited(..., timeout=...)`."
        )
    deadline = time.monotonic() + seconds
    news = threading.Event()
    with ledger.waking(news.set):
        search = look()
        check_waits(search)
        while not search.settled and news.wait(max(0, deadline - time.monotonic())):
            news.clear()
            search = look()
    return search


async def await_for(look: Callable[[], Search[T]], ledger: Ledger, seconds: float) -> Search[T]:
    """Do the same on the running event loop, whose other tasks go on."""
    import asyncio

    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    deadline = loop.time() + seconds
    with ledger.waking(lambda: loop.call_soon_threadsafe(news.set)):
        search = look()
        check_waits(search)
        while not search.settled:
            try:
                async with asyncio.timeout_at(deadline):
                    await news.wait()
            except TimeoutError:
                break
            news.clear()
            search = look()
    return search
