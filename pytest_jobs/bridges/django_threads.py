"""The thread in which a coroutine task runs its synchronous parts."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext
from django.db import connections


class SharedConnections:
    """Lets `sync_to_async`, and so the ORM, use the database connections of another thread.

    A worker runs a coroutine task under `async_to_sync`, and the ORM runs in the worker's own thread.
    Where the harness has the loop run in the thread of the test, a thread beside it must do so, and
    it has to see what the test wrote in its transaction: so it has the same connections, which the
    test does not use meanwhile. Django's `LiveServerTestCase` shares them in the same way.
    """

    def __init__(self) -> None:
        self._connections = {alias: connections[alias] for alias in connections}

    @contextmanager
    def in_force(self) -> Generator[None, None, None]:
        """Use them for a block of a coroutine."""
        for connection in self._connections.values():
            connection.inc_thread_sharing()
        executor = ThreadPoolExecutor(
            1, "pytest-jobs-django", initializer=_adopt, initargs=(self._connections,)
        )
        try:
            with _thread_sensitive_in(executor):
                yield
        finally:
            # Without waiting: what is left over may wait for the loop, which this would block.
            executor.shutdown(wait=False)
            for connection in self._connections.values():
                connection.dec_thread_sharing()


def _adopt(shared: dict[str, Any]) -> None:
    for alias, connection in shared.items():
        connections[alias] = connection


@contextmanager
def _thread_sensitive_in(executor: Executor) -> Generator[None, None, None]:
    """Have asgiref run in an executor what must run in one thread, as its newest versions offer."""
    context = ThreadSensitiveContext()
    token = SyncToAsync.thread_sensitive_context.set(context)
    SyncToAsync.context_to_thread_executor[context] = executor
    outer = getattr(AsyncToSync.executors, "current", None)
    AsyncToSync.executors.current = None
    try:
        yield
    finally:
        AsyncToSync.executors.current = outer
        del SyncToAsync.context_to_thread_executor[context]
        SyncToAsync.thread_sensitive_context.reset(token)
