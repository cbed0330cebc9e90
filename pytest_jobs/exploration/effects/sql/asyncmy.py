"""What jobs do to MySQL by asyncmy, which is compiled: its cursors have no methods that can be replaced."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any, Final

from ....harness.records.patches import Patches
from ..wrapping import surround_awaited
from .basis.mysql import AwaitedDriver

#: The attribute of a prepared statement with its text.
_TEXT: Final = "_pytest_jobs_text"


class _Asyncmy(AwaitedDriver):
    library = name = "asyncmy"
    errors = "asyncmy.errors"

    def install(self, patches: Patches) -> None:
        """Watch connections, let them make cursors of ours, and watch the statements that they prepare."""
        connections = import_module("asyncmy.connection")
        connection, prepared = connections.Connection, connections.PreparedStatement
        self.watch_connections(patches, connection, "connect")
        # Cursors without a buffer read each row when it is asked for.
        surround_awaited(patches, connection, "_fill_buffer", self.no_effect)
        self._watch_cursors(patches, connection)
        self._watch_prepared(patches, connection, prepared)
        pool = import_module("asyncmy.pool").Pool
        self.watch_pool(patches, pool, ("_acquire", "fill_free_pool", "wait_closed", "clear"))

    def is_open(self, connection: Any) -> bool:
        return bool(connection.connected)

    def host(self, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        return None if connection._unix_socket else connection._host

    def transport(self, connection: Any) -> Any:
        return getattr(connection, "_transport", None)

    def _watch_cursors(self, patches: Patches, connection: type[Any]) -> None:
        make = connection.cursor

        @functools.cache
        def watched(kind: Any) -> type[Any]:
            methods = {**self.methods_of(kind), "__module__": kind.__module__}
            return type(kind.__name__, (kind,), methods)

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
            method = self.sending(
                getattr(prepared, name),
                # One that is closed has none.
                lambda statement: getattr(statement, "_connection", None),
                lambda statement, *args, **kwargs: getattr(statement, _TEXT, ""),
            )
            patches.set(prepared, name, method)


source: Final = _Asyncmy()
