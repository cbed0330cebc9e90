"""Leaving the running event loop for a while."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

_LOOKS: Final = 8


def comes_about(
    wait: Callable[[float], bool], seconds: float, signs: Callable[[], object] = lambda: None
) -> bool:
    """Wait for something; return False when it has not come after so many seconds without a sign of life.

    It is looked for several times. A machine that stands still for a while takes no more than one look,
    so that what was about to come still has the others.

    Args:
        wait: waits for so many seconds at most, and says whether it has come.
        seconds: of real time.
        signs: returns what changes as long as something goes on. Default, there are none.
    """
    last, still = signs(), 0
    while still < _LOOKS:
        if wait(seconds / _LOOKS):
            return True
        now = signs()
        still = still + 1 if now == last else 0
        last = now
    return False


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
