"""What jobs do to MySQL: a row for PyMySQL, mysqlclient, mysql-connector-python, aiomysql and asyncmy each."""

from __future__ import annotations

import functools
import sys
from importlib import import_module
from operator import attrgetter
from typing import Any, Final

from ....harness.records.patches import Patches
from ..wrapping import surround_awaited
from .basis.mysql import AwaitedDriver, BlockingDriver

#: The attribute of a prepared statement of asyncmy with its text.
_TEXT: Final = "_pytest_jobs_text"


class _PyMySQL(BlockingDriver):
    """PyMySQL, also where it stands in for mysqlclient."""

    library = name = "pymysql"
    errors = "pymysql.err"

    def install(self, patches: Patches) -> None:
        """Watch connections where they connect, which may be later than they are made, and again and again."""
        connection = import_module("pymysql.connections").Connection
        self.watch_connections(patches, connection, "connect", "query")
        self.watch_cursor(patches, import_module("pymysql.cursors").Cursor)


class _MysqlClient(BlockingDriver):
    """mysqlclient, whose module is MySQLdb."""

    library = "MySQLdb.connections"
    name = errors = "MySQLdb"

    def install(self, patches: Patches) -> None:
        """Watch the connections where they are made: that is where they connect."""
        if import_module("MySQLdb").__name__ != "MySQLdb":
            # It is PyMySQL, by `install_as_MySQLdb`.
            return
        connection = import_module("MySQLdb.connections").Connection
        self.watch_connections(patches, connection, "__init__", "query")
        self.watch_cursor(patches, import_module("MySQLdb.cursors").BaseCursor)

    def host(self, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        host: str | None = kwargs.get("host") or next(iter(args), None)
        return None if kwargs.get("unix_socket") else host


class _Connector(BlockingDriver):
    """mysql-connector-python, with its extension in C and without it."""

    library = name = "mysql.connector"
    opens_by_arguments = True

    def install(self, patches: Patches) -> None:
        """Watch `connect`, which makes a connection and renews it, and the statements of both kinds."""
        for suffix, prefix in (("", ""), ("_cext", "C")):
            # The extension is not there on each system.
            connections = sys.modules.get(f"mysql.connector.connection{suffix}")
            cursors = sys.modules.get(f"mysql.connector.cursor{suffix}")
            if connections is not None and cursors is not None:
                kind = getattr(connections, f"{prefix}MySQLConnection")
                self.watch_connections(patches, kind, "connect", "cmd_query")
                for name in ("MySQLCursor", "MySQLCursorPrepared"):
                    self.watch_cursor(patches, getattr(cursors, f"{prefix}{name}"))

    def connection_of(self, cursor: Any) -> Any:
        # The cursor has a weak proxy of it.
        proxy = getattr(cursor, "_connection", None)
        return None if proxy is None else proxy.get_self()

    def is_open(self, connection: Any) -> bool:
        in_c = getattr(connection, "_cmysql", None)
        return bool(in_c.connected() if in_c else getattr(connection, "_socket", None))

    def autocommits(self, connection: Any) -> bool:
        # As it was set last: the property would ask the server.
        return bool(connection._autocommit)

    def error(self, number: int, text: str) -> Exception:
        error: Exception = import_module("mysql.connector.errors").OperationalError(text, number)
        return error

    def host(self, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        return None if kwargs.get("unix_socket") else kwargs.get("host")


class _AioMySQL(AwaitedDriver):
    """aiomysql, which raises the errors of PyMySQL."""

    library = name = "aiomysql"
    errors = "pymysql.err"

    def install(self, patches: Patches) -> None:
        connection = import_module("aiomysql.connection").Connection
        cursor = import_module("aiomysql.cursors").Cursor
        self.watch_connections(patches, connection, "_connect")
        # Cursors without a buffer read each row when it is asked for.
        surround_awaited(patches, connection, "_read_packet", self.no_effect)
        self.watch_cursor(patches, cursor)
        pool = import_module("aiomysql.pool").Pool
        self.watch_pool(patches, pool, ("_acquire", "_fill_free_pool", "wait_closed", "clear"))

    def is_open(self, connection: Any) -> bool:
        return not connection.closed

    def transport(self, connection: Any) -> Any:
        return attrgetter("_writer.transport")(connection)


class _Asyncmy(AwaitedDriver):
    """asyncmy, which is compiled: its cursors have no methods that can be replaced."""

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


pymysql: Final = _PyMySQL()
mysqldb: Final = _MysqlClient()
mysql: Final = _Connector()
aiomysql: Final = _AioMySQL()
asyncmy: Final = _Asyncmy()
