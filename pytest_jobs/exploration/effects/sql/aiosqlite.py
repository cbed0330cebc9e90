"""What jobs do to sqlite databases by aiosqlite."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import acting, looking, note_connection, watcher
from ..wrapping import surround
from .basis.driver import check_own
from .basis.statements import changes, is_busy, shown
from .sqlite3 import Sqlite, sqlite_act, without_patience

_STATEMENTS: Final = frozenset(
    ("execute", "executemany", "executescript", "_execute_insert", "_execute_fetchall")
)
_ADVICE: Final = "Open the connection within the job, with `async with aiosqlite.connect(...)`."
#: In seconds of real time: how long the thread of a connection may take to end.
_THREAD_END: Final = 60.0


class _Aiosqlite(Sqlite):
    library = "aiosqlite"

    def install(self, patches: Patches) -> None:
        """Watch the statements of every connection that a delivery opens.

        A connection runs sqlite3 in a thread of its own, and `_execute` sends every call there: it is the one
        place through which all statements and commits go. Every use of the connection of sqlite3 goes through
        the property `_conn`.
        """
        from aiosqlite import Connection

        connect, execute = Connection._connect, Connection._execute
        raw: Any = Connection._conn.fget

        @functools.wraps(connect)
        async def connect_watched(connection: Any) -> Any:
            if watcher.get() is None or connection._connection is not None:
                return await connect(connection)
            open_in_thread = connection._connector

            def open_unwatched() -> Any:
                # The thread inherited the watcher, but its calls of sqlite3 are parts of the effects below.
                watcher.set(None)
                return open_in_thread()

            connection._connector = open_unwatched
            note_connection(functools.partial(self.die, connection), shared=connection)
            with looking(is_busy):
                return await connect(connection)

        @functools.wraps(execute)
        async def execute_watched(connection: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
            if watcher.get() is None:
                return await execute(connection, function, *args, **kwargs)
            name = getattr(function, "__name__", "")
            text = "commit" if name == "commit" and connection.in_transaction else None
            if name in _STATEMENTS:
                args = (without_patience(args[0]), *args[1:])
                parts = args[0].split(";") if name == "executescript" else [args[0]]
                text = shown(args[0]) if any(map(changes, parts)) else None
            with looking(is_busy) if text is None else acting(sqlite_act(text)):
                return await execute(connection, function, *args, **kwargs)

        def own_connection(connection: Any) -> Any:
            check_own(connection, "of aiosqlite", _ADVICE)
            return raw(connection)

        patches.set(Connection, "_connect", connect_watched)
        patches.set(Connection, "_execute", execute_watched)
        patches.set(Connection, "_conn", property(own_connection))
        surround(patches, Connection, "close", lambda connection: looking())

    def die(self, connection: Any) -> None:
        """Let the thread of a connection roll back, close it and end, as with the process."""
        if not connection._running:
            # It was closed, and its thread takes no more calls.
            return
        from aiosqlite import core

        raw, connection._connection = connection._connection, None
        connection._running = False

        def die() -> Any:
            if raw is not None:
                with suppress(Exception):
                    raw.die() if hasattr(raw, "die") else raw.close()
            return core._STOP_RUNNING_SENTINEL

        _in_thread_of(connection, die)


source: Final = _Aiosqlite()


def content_by(connection: Any) -> bytes:
    """Return the content of the database of a connection, with what it has not committed."""
    found: list[bytes] = []

    def serialize() -> None:
        found.append(connection._connection.serialize())

    _in_thread_of(connection, serialize)
    return found[0] if found else b""


def _in_thread_of(connection: Any, call: Callable[[], Any]) -> None:
    """Call a function in the thread of a connection, if it has not ended, and wait for that without a loop."""
    ended = threading.Event()

    def called() -> Any:
        try:
            return call()
        finally:
            ended.set()

    # Before aiosqlite 0.22 the connection itself is the thread.
    if getattr(connection, "_thread", connection).is_alive():
        connection._tx.put_nowait((_ForNobody(), called))
        ended.wait(_THREAD_END)


class _ForNobody:
    """Stands in for the future of a call: the loop of a dead delivery does not run any more."""

    def get_loop(self) -> _ForNobody:
        return self

    def call_soon_threadsafe(self, *args: object) -> None:
        pass
