"""Which effects are heard of in a test whose jobs are killed, and what becomes of its transactions."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from sqlite3 import dbapi2
from typing import Any
from weakref import WeakSet

from ..harness.records.patches import Patches
from .effects.audit import audit_hook
from .sources import Sources


class LiveEffects:
    """Hears of effects while a test runs, and knows the database connections that were opened in it."""

    def __init__(self) -> None:
        self._connections: WeakSet[Any] = WeakSet()

    @contextmanager
    def heard(self) -> Generator[None, None, None]:
        """Hear of effects for a block."""
        patches = Patches()
        Sources(patches).catch_up()
        connect = functools.partial(self._connect, sqlite3.connect)
        patches.set(sqlite3, "connect", connect)
        patches.set(dbapi2, "connect", connect)
        audit_hook.install()
        try:
            yield
        finally:
            patches.restore()

    def roll_back(self) -> Callable[[], None]:
        """Return what ends, as a database does for a worker that died, the transactions begun from now on."""
        before = {id(connection) for connection in self._in_transaction()}

        def roll_back() -> None:
            for connection in self._in_transaction():
                # It may belong to another thread.
                with contextlib.suppress(sqlite3.Error):
                    if id(connection) not in before:
                        connection.rollback()

        return roll_back

    def _in_transaction(self) -> Iterator[Any]:
        for connection in list(self._connections):
            # What is closed tells nothing.
            with contextlib.suppress(sqlite3.ProgrammingError):
                if connection.in_transaction:
                    yield connection

    def _connect(self, heard: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        connection = heard(*args, **kwargs)
        self._connections.add(connection)
        # An exploration lets nobody wait for a lock; here deliveries come one after the other, and wait as ever.
        seconds = args[1] if len(args) > 1 else kwargs.get("timeout", 5.0)
        sqlite3.Cursor(connection).execute(f"pragma busy_timeout = {int(seconds * 1000)}").close()
        return connection
