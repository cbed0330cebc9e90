"""What jobs do to PostgreSQL by asyncpg: by its connections, its prepared statements and its pools."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import looking, watcher
from ..wrapping import after_calls, surround
from .basis.driver import end_session
from .basis.postgresql import Postgresql
from .basis.statements import Statement, is_busy, lock_timeout

#: The message of a client that ends a session.
_TERMINATE: Final = b"X\x00\x00\x00\x04"


class _Asyncpg(Postgresql):
    library = name = "asyncpg"
    noun = "of asyncpg"
    advice = "Open the connection or the pool within the job, with `async with asyncpg.create_pool(...)`."

    def install(self, patches: Patches) -> None:
        """Watch the statements of every connection that a delivery opens.

        The commits of transactions are statements of the connection, and so is what a pool does when it takes one
        back.
        """
        connection = import_module("asyncpg.connection").Connection
        prepared = import_module("asyncpg.prepared_stmt").PreparedStatement
        cursor = import_module("asyncpg.cursor")
        pool = import_module("asyncpg.pool").Pool
        # A dead delivery skips these, so that it does not wait for connections that nobody gives back.
        for name in ("_initialize", "_acquire", "release", "close"):
            surround(patches, pool, name, lambda *args, **kwargs: looking(is_busy))
        self._watch_opening(patches, connection)
        for name in ("prepare", "close", "reload_schema_state"):
            surround(patches, connection, name, self._step)
        for name in ("execute", "executemany", "fetch", "fetchval", "fetchrow", "fetchmany"):
            surround(patches, connection, name, self.statement)
            surround(patches, prepared, name, self._prepared)
        for name in ("_copy_in", "_copy_out"):
            surround(patches, connection, name, self.statement)
        surround(patches, connection, "copy_records_to_table", self._copy_of_records)
        surround(patches, cursor.CursorIterator, "__anext__", self._cursor)
        for name in ("_init", "fetch", "fetchrow", "forward"):
            surround(patches, cursor.Cursor, name, self._cursor)

    def _watch_opening(self, patches: Patches, connection: type[Any]) -> None:
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
                self.check_reach(address if isinstance(address, str) else address[0])
            if (limit := lock_timeout()) is not None:
                # A pool resets its connections to the settings with which they began.
                settings = {"lock_timeout": str(limit), **(given["server_settings"] or {})}
                options["server_settings"] = settings
            with looking(is_busy):
                return await connect(**options)

        patches.set(utils, "_connect", connected)
        # Here, since a delivery may be killed before it has the connection.
        after_calls(
            patches, connection, "__init__", lambda none, made, *args, **kwargs: self.opened(made)
        )

    def commits(self, connection: Any, statement: Statement) -> bool:
        # The adapter of SQLAlchemy begins its transactions late.
        autocommit: bool | None = getattr(connection, "autocommit", None)
        return not connection.is_in_transaction() if autocommit is None else autocommit

    def place_of(self, connection: Any) -> Mapping[str, Any]:
        address: Any = getattr(connection, "_addr", None)
        params: Any = getattr(connection, "_params", None)
        if isinstance(address, str):
            # The socket in the file system: /tmp/.s.PGSQL.5432
            address = str(PurePosixPath(address).parent), address.rpartition(".")[2]
        settings = dict(params.server_settings or {})
        path = settings.get("search_path")
        return {
            "host": address[0],
            "port": address[1],
            "dbname": params.database,
            "user": params.user,
            "password": params.password,
            "options": settings.get("options") or (f"-csearch_path={path}" if path else None),
        }

    def die(self, connection: Any) -> None:
        # Its pool would open another one.
        connection._pool_holder = None
        # Past its event loop, which does not run any more.
        self._end(connection)

    def lost(self, connection: Any) -> Exception:
        self._end(connection)
        kind = import_module("asyncpg.exceptions").ConnectionDoesNotExistError
        error: Exception = kind("connection was closed in the middle of operation")
        return error

    def _end(self, connection: Any) -> None:
        if not connection.is_closed():
            end_session(getattr(connection, "_transport", None), _TERMINATE)
            # Its event loop may be closed.
            with suppress(Exception):
                connection.terminate()

    # Blocks for calls

    def _step(self, connection: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        self.check_own(connection)
        return self.no_effect()

    def _copy_of_records(
        self, connection: Any, table_name: str, *, schema_name: str | None = None, **kwargs: Any
    ) -> AbstractContextManager[None]:
        place = ".".join(f'"{name}"' for name in (schema_name, table_name) if name)
        return self.statement(connection, f"COPY {place} FROM STDIN")

    def _prepared(self, statement: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        return self.statement(_connection_of(statement), statement.get_query())

    def _cursor(self, cursor: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        return self.statement(_connection_of(cursor), str(getattr(cursor, "_query", "")))


def _connection_of(resource: Any) -> Any:
    """Return the connection of a statement or a cursor, behind what a pool puts around it."""
    connection: Any = getattr(resource, "_connection", None)
    return getattr(connection, "_con", connection)


source: Final = _Asyncpg()
