"""What jobs do in `sync_to_async`, through which Django's asynchronous ORM goes."""

from __future__ import annotations

import asyncio
import copy
import functools
from typing import Any, Final

from asgiref.sync import AsyncToSync, SyncToAsync

from ...harness.records.patches import Patches
from ...harness.time.waiting import off_the_loop
from ..engine.acts import Watch, watcher
from .wrapping import in_delivery

library: Final = "asgiref.sync"


def install(patches: Patches) -> None:
    """Let each explored delivery run its synchronous parts in its own thread.

    asgiref runs the synchronous parts of the whole process in one thread. Two deliveries would share that
    thread, and with it the database connections that belong to it, as no two workers do. And what runs in
    another thread cannot be interrupted. The parts run one at a time either way, in the order of the calls.
    """

    async def call(current: Watch, genuine: Any, self: Any, /, *args: Any, **kwargs: Any) -> Any:
        function = self.func
        context = getattr(self, "context", None)
        if context is not None:
            # The function runs in a context that the job chose, where nobody watches yet.
            unwatched = function

            def watched(*args: Any, **kwargs: Any) -> Any:
                token = watcher.set(current)
                try:
                    return unwatched(*args, **kwargs)
                finally:
                    watcher.reset(token)

            function = functools.partial(context.run, watched)
        # A synchronous caller waits in another thread, and there asgiref has to run the function.
        has_caller = getattr(AsyncToSync.executors, "current", None) is not None
        if not self._thread_sensitive or has_caller:
            own = copy.copy(self)
            own.func, own.context = function, None
            return await genuine(own, *args, **kwargs)
        await asyncio.sleep(0)
        # asgiref must take this thread for one without an event loop.
        local: Any = SyncToAsync.threadlocal
        process = getattr(local, "main_event_loop_pid", None)
        local.main_event_loop_pid = None
        try:
            with off_the_loop():
                return function(*args, **kwargs)
        finally:
            local.main_event_loop_pid = process

    in_delivery(patches, SyncToAsync, "__call__", call)
