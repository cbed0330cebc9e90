"""What jobs do to MySQL by asyncmy, which is compiled: its cursors have no methods that can be replaced."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from importlib import import_module
from operator import attrgetter
from typing import Any, Final

from ....harness.records.patches import Patches
from ..wrapping import surround_awaited
from .basis.mysql_awaited import AwaitedDriver

#: The attribute of a prepared statement with its text.
_TEXT: Final = "_pytest_jobs_text"


class _Asyncmy(AwaitedDriver):
    library = name = "asyncmy"

    def install(self, patches: Patches) -> None:
        """Watch connections, let them make cursors of ours, and watch the statements that they prepare."""
        connections = import_module("asyncmy.connection")
        connection, prepared = connections.Connection, connections.PreparedStatement
        self.watch_connections(patches, connection, "connect")
        # Cursors without a buffer read each row when it is asked for.
        surround_awaited(patches, connection, "_fill_buffer", self.one_step)
        self._watch_cursors(patches, connection)
        self._watch_prepared(patches, connection, prepared)
        pool = import_module("asyncmy.pool").Pool
        self.watch_pool(patches, pool, ("_acquire", "fill_free_pool", "wait_closed", "clear"))

    def is_open(self, connection: Any) -> bool:
        return bool(connection.connected)

    def host(self, connection: Any) -> str | None:
        return None if connection._unix_socket else connection._host

    def transport(self, connection: Any) -> Any:
        return getattr(connection, "_transport", None)

    def error(self, number: int, text: str) -> Exception:
        error: Exception = import_module("asyncmy.errors").OperationalError(number, text)
        return error

    def _watch_cursors(self, patches: Patches, connection: type[Any]) -> None:
        make = connection.cursor

        @functools.cache
        def watched(kind: Any) -> type[Any]:
            of_cursor = attrgetter("connection")
            methods: dict[str, Any] = {
                name: self.sending(getattr(kind, name), of_cursor, text_of)
                for name, text_of in (
                    ("execute", lambda query, *args, **kwargs: query),
                    ("executemany", lambda query, *args, **kwargs: query),
                    ("callproc", lambda procname, *args, **kwargs: f"CALL {procname}"),
                )
            }
            return type(kind.__name__, (kind,), {**methods, "__module__": kind.__module__})

        @functools.wraps(make)
        def cursor(of: Any, cursor: type[Any] | None = None) -> Any:
            kind: Any = cursor or of._cursor_cls
            return make(of, watched(kind))

        patches.set(connection, "cursor", cursor)

    def _watch_prepared(self, patches: Patches, connection: type[Any], prepared: type[Any]) -> None:
        prepare = connection.prepare

        @functools.wraps(prepare)
        async def prepare_noting(of: Any, query: Any) -> Any:
            statement = await prepare(of, query)
            setattr(statement, _TEXT, query)
            return statement

        patches.set(connection, "prepare", prepare_noting)
        surround_awaited(patches, connection, "prepare", self.no_effect)
        surround_awaited(patches, prepared, "close", self.no_effect)
        for name in ("execute", "execute_bulk"):
            patches.set(prepared, name, self._executing(getattr(prepared, name)))

    def _executing(self, execute: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(execute)
        async def executed(statement: Any, *args: Any, **kwargs: Any) -> Any:
            send = functools.partial(execute, statement, *args, **kwargs)
            connection: Any = getattr(statement, "_connection", None)
            if connection is None:
                # It is closed.
                return await send()
            return await self.send(connection, getattr(statement, _TEXT, ""), send)

        return executed


source: Final = _Asyncmy()
