"""What jobs do in `sync_to_async`, through which Django's asynchronous ORM goes."""

from __future__ import annotations

import contextvars
import copy
import functools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from asgiref.sync import AsyncToSync, SyncToAsync

from ...harness.records.patches import Patches
from ...harness.time.waiting import off_the_loop
from ..engine.acts import ActWatcher, watcher
from ..engine.watching import Watch

library: Final = "asgiref.sync"


def install(patches: Patches) -> None:
    """Let each delivery run its synchronous parts in its own thread.

    asgiref has one thread for those of the whole process. Two deliveries would share it, and with it
    the database connections that belong to that thread: no two workers do. And what runs in another
    thread cannot be interrupted. It runs one at a time either way, in the order of the calls.
    """
    patches.set(SyncToAsync, "__call__", _calling(SyncToAsync.__call__))


def _calling(genuine: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(genuine)
    async def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        current = watcher.get()
        if current is None:
            return await genuine(self, *args, **kwargs)
        function = self.func
        context = getattr(self, "context", None)
        if context is not None:
            function = _within(context, function, current)
        # A synchronous caller waits in the thread in which this has to run, so asgiref runs it there.
        has_caller = getattr(AsyncToSync.executors, "current", None) is not None
        if not self._thread_sensitive or has_caller or not isinstance(current, Watch):
            heard = copy.copy(self)
            heard.func, heard.context = function, None
            return await genuine(heard, *args, **kwargs)
        import asyncio

        await asyncio.sleep(0)
        with _off_the_loop():
            return function(*args, **kwargs)

    return call


def _within(
    context: contextvars.Context, function: Callable[..., Any], current: ActWatcher
) -> Callable[..., Any]:
    """Return a function that runs in a context of its own, and is heard there."""

    def heard(*args: Any, **kwargs: Any) -> Any:
        token = watcher.set(current)
        try:
            return function(*args, **kwargs)
        finally:
            watcher.reset(token)

    return functools.partial(context.run, heard)


@contextmanager
def _off_the_loop() -> Generator[None, None, None]:
    """Run a block as a thread that has no event loop does, and knows of none."""
    process = getattr(SyncToAsync.threadlocal, "main_event_loop_pid", None)
    SyncToAsync.threadlocal.main_event_loop_pid = None
    try:
        with off_the_loop():
            yield
    finally:
        SyncToAsync.threadlocal.main_event_loop_pid = process
