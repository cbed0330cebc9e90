"""Tasks of asyncio that a job starts in a loop of its own, and that nobody awaits."""

from __future__ import annotations

import asyncio.base_events
import asyncio.runners
import functools
from collections.abc import Callable
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import watcher

library: Final = "asyncio.runners"


def install(patches: Patches) -> None:
    """Let the watch note the tasks that have not ended when their loop does.

    `asyncio.run` cancels them when its coroutine has ended. A loop that is closed just leaves them.
    """
    ends: list[tuple[Any, str]] = [
        (asyncio.base_events.BaseEventLoop, "close"),
        (asyncio.runners, "_cancel_all_tasks"),
    ]
    for owner, name in ends:
        if hasattr(owner, name):
            patches.set(owner, name, _noting(getattr(owner, name)))


def _noting(end: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(end)
    def noted(loop: Any) -> Any:
        current = watcher.get()
        if current is not None:
            current.leave_tasks(loop)
        return end(loop)

    return noted
