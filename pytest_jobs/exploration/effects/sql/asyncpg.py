"""What jobs do to PostgreSQL by asyncpg: by its connections, its prepared statements and its pools."""

from __future__ import annotations

import contextvars
import functools
import os
import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, suppress
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

from ....harness.records.patches import Patches
from ...engine.acts import (
    Act,
    acting,
    holds_connection,
    is_explored,
    looking,
    note_connection,
    refuse_delivery,
    watcher,
)
from ...stores.account import accounts
from ..wrapping import surround
from .basis.postgresql import note_tables, refuse_far_server
from .basis.statements import changes, is_busy, lock_timeout, shown

library: Final = "asyncpg"

_FOREIGN: Final = (
    "The job used a connection of asyncpg that was opened before it was delivered, or by an earlier delivery: "
    "each delivery is a process of its own, which cannot have it. Open the connection or the pool within the "
    "job, with `async with asyncpg.create_pool(...)`."
)
#: The message of a client that ends a session.
_TERMINATE: Final = b"X\x00\x00\x00\x04"
#: In seconds: how long a server may take to end a session.
_PATIENCE: Final = 5.0


def install(patches: Patches) -> None:
    """Watch the statements of every connection that a delivery opens.

    What an awaited connection does is one step: how often it waits for its socket depends on time. The commits of
    transactions are statements of the connection, and so is what a pool does when it takes one back.
    """
    connection = import_module("asyncpg.connection").Connection
    prepared = import_module("asyncpg.prepared_stmt").PreparedStatement
    cursor = import_module("asyncpg.cursor")
    pool = import_module("asyncpg.pool").Pool
    # A dead delivery skips these, so that it does not wait for connections that nobody gives back.
    for name in ("_initialize", "_acquire", "release", "close"):
        surround(patches, pool, name, lambda *args, **kwargs: looking(is_busy))
    connections = _Connections()
    connections.watch_opening(patches, connection)
    for name in ("execute", "executemany", "fetch", "fetchval", "fetchrow", "fetchmany"):
        surround(patches, connection, name, connections.statement)
    for name in ("_copy_in", "_copy_out"):
        surround(patches, connection, name, connections.statement)
    surround(patches, connection, "copy_records_to_table", connections.copy_of_records)
    for name in ("prepare", "close", "reload_schema_state"):
        surround(patches, connection, name, connections.use)
    for name in ("fetch", "fetchval", "fetchrow", "fetchmany", "executemany"):
        if hasattr(prepared, name):
            surround(patches, prepared, name, connections.prepared)
    surround(patches, cursor.CursorIterator, "__anext__", connections.cursor)
    for name in ("_init", "fetch", "fetchrow", "forward"):
        surround(patches, cursor.Cursor, name, connections.cursor)


class _Connections:
    """What the connections are that are open, and what they have done."""

    def __init__(self) -> None:
        #: The parameters of each, as psycopg takes them.
        self._places: WeakKeyDictionary[Any, Mapping[str, str]] = WeakKeyDictionary()
        #: Those that have changed something since their last commit.
        self._changed: WeakSet[Any] = WeakSet()

    def watch_opening(self, patches: Patches, connection: type[Any]) -> None:
        """Watch what opens a connection.

        Args:
            patches: puts everything back.
            connection: the class of connections.
        """
        utils = import_module("asyncpg.connect_utils")
        connect = utils._connect

        @functools.wraps(connect)
        async def connected(**options: Any) -> Any:
            if watcher.get() is None:
                return await connect(**options)
            given = {
                name: value
                for name, value in options.items()
                if name not in ("loop", "connection_class", "record_class")
            }
            for address in utils._parse_connect_arguments(**given)[0]:
                refuse_far_server(address if isinstance(address, str) else address[0], library)
            if is_explored():
                # A pool resets its connections to the settings with which they began.
                settings = {"lock_timeout": str(lock_timeout()), **(given["server_settings"] or {})}
                options["server_settings"] = settings
            with looking(is_busy):
                return await connect(**options)

        init = connection.__init__

        @functools.wraps(init)
        def made(opened: Any, *args: Any, **kwargs: Any) -> None:
            # Here, since a delivery may be killed before it has the connection.
            init(opened, *args, **kwargs)
            note_connection(functools.partial(_die, opened), shared=opened)

        patches.set(utils, "_connect", connected)
        patches.set(connection, "__init__", made)

    def use(self, connection: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        """Return the block of a call that changes nothing."""
        if not holds_connection(connection):
            refuse_delivery(_FOREIGN)
        return looking(is_busy)

    def statement(
        self, connection: Any, query: str, *args: Any, **kwargs: Any
    ) -> AbstractContextManager[None]:
        """Return the block of a statement."""
        if accounts.current is not None:
            note_tables(self._place(connection), query)
        block = self.use(connection)
        if watcher.get() is None or not changes(query):
            return block
        if not query.lstrip().lower().startswith("commit"):
            self._changed.add(connection)
            return acting(
                _act(connection, shown(query), commits=not connection.is_in_transaction())
            )
        if connection not in self._changed:
            return block
        self._changed.discard(connection)
        return acting(_act(connection, "commit", commits=True))

    def copy_of_records(
        self, connection: Any, table_name: str, *, schema_name: str | None = None, **kwargs: Any
    ) -> AbstractContextManager[None]:
        """Return the block in which records are copied to a table."""
        names = [name for name in (schema_name, table_name) if name]
        place = ".".join(f'"{name}"' for name in names)
        return self.statement(connection, f"COPY {place} FROM STDIN")

    def prepared(self, statement: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        """Return the block in which a prepared statement is executed."""
        return self.statement(_connection_of(statement), statement.get_query())

    def cursor(self, cursor: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        """Return the block in which a cursor asks for rows."""
        return self.statement(_connection_of(cursor), str(getattr(cursor, "_query", "")))

    def _place(self, connection: Any) -> Mapping[str, str]:
        if connection not in self._places:
            self._places[connection] = _place_of(connection)
        return self._places[connection]


def _connection_of(resource: Any) -> Any:
    """Return the connection of a statement or a cursor, behind what a pool puts around it."""
    connection: Any = getattr(resource, "_connection", None)
    return getattr(connection, "_con", connection)


def _place_of(connection: Any) -> Mapping[str, str]:
    address: Any = getattr(connection, "_addr", None)
    params: Any = getattr(connection, "_params", None)
    if isinstance(address, str):
        # The socket in the file system: /tmp/.s.PGSQL.5432
        host, port = str(PurePosixPath(address).parent), address.rpartition(".")[2]
    else:
        host, port = address[0], str(address[1])
    settings = dict(params.server_settings or {})
    path = settings.get("search_path")
    options = settings.get("options") or (f"-csearch_path={path}" if path else None)
    place = {
        "host": host,
        "port": port,
        "dbname": params.database,
        "user": params.user,
        "password": params.password,
        "options": options,
    }
    return {name: str(value) for name, value in place.items() if value is not None}


def _die(connection: Any) -> None:
    """End a connection whose process is gone."""
    if hasattr(connection, "_pool_holder"):
        # Its pool would open another one.
        connection._pool_holder = None
    end(connection)


def end(connection: Any) -> None:
    """End a connection as the server ends it when its client is gone, and return when that is done."""
    if connection.is_closed():
        return
    with suppress(Exception):
        contextvars.Context().run(_end_session, getattr(connection, "_transport", None))
    # Its event loop may be closed.
    with suppress(Exception):
        connection.terminate()


def _end_session(transport: Any) -> None:
    """Let a server end a session, past the event loop, which does not run any more."""
    descriptor = transport.get_extra_info("socket").fileno()
    with closing(socket.socket(fileno=os.dup(descriptor))) as wire:
        wire.settimeout(_PATIENCE)
        wire.sendall(_TERMINATE)
        # It closes its end when it has released the locks.
        while wire.recv(65_536):
            pass


def lost(connection: Any) -> Exception:
    """Break a connection, which rolls back what was not committed, and return the error of that."""
    end(connection)
    kind = import_module("asyncpg.exceptions").ConnectionDoesNotExistError
    error: Exception = kind("connection was closed in the middle of operation")
    return error


def _act(connection: Any, text: str, *, commits: bool) -> Act:
    """Return an act; only one that commits can have happened although its answer is lost."""
    end = functools.partial(lost, connection)
    return Act(
        library,
        text,
        counts=False,
        refused=end,
        answer_lost=end if commits else None,
        busy=is_busy,
    )
