"""What a job leaves to a loop of asyncio: tasks that nobody awaits, and callbacks that wait for their time."""

from __future__ import annotations

import asyncio.base_events
import asyncio.runners
import functools
import sys
from collections.abc import Callable
from typing import Any, Final

from ....harness.records.patches import Patches
from ....harness.records.record import current_record
from ...engine.acts import watcher

library: Final = "asyncio.runners"


def install(patches: Patches) -> None:
    """Let the watch note the tasks that have not ended when their loop does, and all callbacks that wait.

    `asyncio.run` cancels tasks when its coroutine has ended. A loop that is closed just leaves them. What runs on
    an `asyncio.Runner` that a job keeps belongs to the delivery that runs it.
    """
    ends: list[tuple[Any, str]] = [
        (asyncio.base_events.BaseEventLoop, "close"),
        (asyncio.runners, "_cancel_all_tasks"),
    ]
    for owner, name in ends:
        if hasattr(owner, name):
            patches.set(owner, name, _noting(getattr(owner, name)))

    base = asyncio.base_events.BaseEventLoop
    patches.set(base, "__init__", _closing_at_the_end(base.__init__))
    patches.set(asyncio.runners.Runner, "run", _watching(asyncio.runners.Runner.run))
    for name in ("call_later", "call_at"):
        patches.set(base, name, _noting_callbacks(getattr(base, name)))


def _closing_at_the_end(make: Callable[..., None]) -> Callable[..., None]:
    """Close the loops that deliveries have left open when their processes and their world are gone."""

    @functools.wraps(make)
    def made(loop: Any, *args: Any, **kwargs: Any) -> None:
        make(loop, *args, **kwargs)
        current = watcher.get()
        if current is not None and current.isolated:
            current.of_history.undo_by(functools.partial(_close, loop))

    return made


def _close(loop: Any) -> None:
    if not (loop.is_closed() or loop.is_running()):
        loop.close()


def _watching(run: Callable[..., Any]) -> Callable[..., Any]:
    """Let the delivery that uses a runner be watched: a runner keeps the context in which it was used first."""

    @functools.wraps(run)
    def watched(runner: Any, coro: Any, *, context: Any = None) -> Any:
        current = watcher.get()
        if current is None or context is not None or runner.get_loop().is_running():
            return run(runner, coro, context=context)
        kept = vars(runner)["_context"]
        before = kept.get(watcher), kept.get(current_record)
        kept.run(_put, current, current_record.get())
        try:
            return run(runner, coro)
        finally:
            kept.run(_put, *before)

    return watched


def _put(current: Any, record: Any) -> None:
    watcher.set(current)
    current_record.set(record)


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
