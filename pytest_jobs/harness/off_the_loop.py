"""Leaving the running event loop for a while."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def off_the_loop() -> Generator[None, None, None]:
    """Run a block as a thread that has no event loop does, so that it may run one of its own.

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
