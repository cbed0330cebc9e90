"""What a job leaves to a loop of asyncio: tasks that nobody awaits, and callbacks that wait for their time."""

from __future__ import annotations

import asyncio.base_events
import asyncio.runners
import functools
import sys
from collections.abc import Callable
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import watcher

library: Final = "asyncio.runners"


def install(patches: Patches) -> None:
    """Let the watch note the tasks that have not ended when their loop does, and all callbacks that wait.

    `asyncio.run` cancels tasks when its coroutine has ended. A loop that is closed just leaves them.
    """
    ends: list[tuple[Any, str]] = [
        (asyncio.base_events.BaseEventLoop, "close"),
        (asyncio.runners, "_cancel_all_tasks"),
    ]
    for owner, name in ends:
        if hasattr(owner, name):
            patches.set(owner, name, _noting(getattr(owner, name)))

    for name in ("call_later", "call_at"):
        owner = asyncio.base_events.BaseEventLoop
        patches.set(owner, name, _noting_callbacks(getattr(owner, name)))


def _noting_callbacks(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def noted(loop: Any, *args: Any, **kwargs: Any) -> Any:
        handle, current = call(loop, *args, **kwargs), watcher.get()
        if current is not None:
            # `asyncio.timeout` and the like call this from their own code.
            current.called_later(handle, sys._getframe(1))
        return handle

    return noted


def _noting(end: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(end)
    def noted(loop: Any) -> Any:
        current = watcher.get()
        if current is not None:
            current.leave_tasks(loop)
        return end(loop)

    return noted
