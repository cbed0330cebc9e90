"""Waiting in real time, and the running event loop of a thread, without importing asyncio early."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_LOOKS: Final = 8

#: Returns whether another thread works on what this thread waits for; None if nobody knows.
others_work: Final[ContextVar[Callable[[], bool] | None]] = ContextVar(
    "pytest_jobs_others_work", default=None
)


def comes_about(
    wait: Callable[[float], bool], seconds: float, signs: Callable[[], object] = lambda: None
) -> bool:
    """Wait for an event; return False when it has not come after so many seconds without a sign of life.

    The seconds are cut into several waits. A machine that stands still for a while uses up one of them
    at most, and an event that was about to come still has the others.

    Args:
        wait: waits for so many seconds at most, and returns whether the event has come.
        seconds: of real time.
        signs: returns a value that changes as long as something goes on. Default: no signs.
    """
    last, still = signs(), 0
    while still < _LOOKS:
        if wait(seconds / _LOOKS):
            return True
        now = signs()
        still = still + 1 if now == last else 0
        last = now
    return False


def in_running_loop() -> bool:
    """Return whether this thread is inside a running event loop, without importing asyncio to find out."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


@contextmanager
def off_the_loop() -> Generator[None, None, None]:
    """Run a block as if this thread had no event loop, so that it may run one of its own.

    Python 3.14 knows one running task a thread, and one a loop before: the task is left with its loop.
    """
    import asyncio
    from asyncio.tasks import _enter_task, _leave_task

    loop = asyncio._get_running_loop()
    task = None if loop is None else asyncio.current_task(loop)
    if loop is not None and task is not None:
        _leave_task(loop, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
        if loop is not None and task is not None:
            _enter_task(loop, task)
