"""What jobs do to MySQL by mysql-connector-python, with its extension in C and without it."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

from ....harness.records.patches import Patches
from .basis.mysql import BlockingDriver


class _Connector(BlockingDriver):
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


source: Final = _Connector()
