"""Tasks of asyncio that a job starts in a loop of its own, and that nobody awaits."""

from __future__ import annotations

import asyncio.runners
import functools
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import watcher

library: Final = "asyncio.runners"


def install(patches: Patches) -> None:
    """Let the watch note the tasks that `asyncio.run` cancels when the coroutine has ended."""
    runners: Any = asyncio.runners
    cancel = getattr(runners, "_cancel_all_tasks", None)
    if cancel is None:
        return

    @functools.wraps(cancel)
    def cancel_noted(loop: Any) -> None:
        current = watcher.get()
        if current is not None and not current.dead:
            current.leave_tasks(loop)
        cancel(loop)

    patches.set(runners, "_cancel_all_tasks", cancel_noted)
