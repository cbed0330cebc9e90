"""What a job leaves to a loop of asyncio: tasks that nobody awaits, and callbacks that wait for their time."""

from __future__ import annotations

import asyncio.base_events
import asyncio.runners
import sys
from collections.abc import Callable
from typing import Any, Final

from ....harness.records.patches import Patches
from ....harness.records.record import current_record
from ...engine.acts import Watch, watcher
from ..wrapping import after_calls, before_calls, in_delivery

library: Final = "asyncio.runners"


def install(patches: Patches) -> None:
    """Let the watch note the tasks that have not ended when their loop does, and all callbacks that wait.

    `asyncio.run` cancels tasks when its coroutine has ended. A loop that is closed just leaves them. What runs on
    an `asyncio.Runner` that a job keeps belongs to the delivery that runs it.
    """
    base = asyncio.base_events.BaseEventLoop
    for owner, name in ((base, "close"), (asyncio.runners, "_cancel_all_tasks")):
        before_calls(patches, owner, name, lambda current, loop: current.leave_tasks(loop))
    after_calls(patches, base, "__init__", _close_in_the_end)
    in_delivery(patches, asyncio.runners.Runner, "run", _run_watched)
    for name in ("call_later", "call_at"):
        after_calls(patches, base, name, _noting_callback)


def _close_in_the_end(returned: None, loop: Any, *args: Any, **kwargs: Any) -> None:
    """Close a loop that a delivery leaves open, when its process and its world are gone."""

    def close() -> None:
        if not (loop.is_closed() or loop.is_running()):
            loop.close()

    current = watcher.get()
    if current is not None:
        current.of_history.undo_by(close)


def _run_watched(
    current: Watch, run: Callable[..., Any], runner: Any, coro: Any, *, context: Any = None
) -> Any:
    """Let the delivery that uses a runner be watched: a runner keeps the context in which it was used first."""
    if context is not None or runner.get_loop().is_running():
        return run(runner, coro, context=context)
    kept = vars(runner)["_context"]
    before = kept.get(watcher), kept.get(current_record)
    kept.run(_put, current, current_record.get())
    try:
        return run(runner, coro)
    finally:
        kept.run(_put, *before)


def _put(current: Any, record: Any) -> None:
    watcher.set(current)
    current_record.set(record)


def _noting_callback(handle: Any, *args: Any, **kwargs: Any) -> None:
    current = watcher.get()
    if current is not None:
        # `asyncio.timeout` and the like call this from their own code.
        current.called_later(handle, sys._getframe(2))
