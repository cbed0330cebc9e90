"""What jobs do to MySQL by PyMySQL, also where it stands in for mysqlclient."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from ....harness.records.patches import Patches
from .basis.mysql_blocking import BlockingDriver


class _PyMySQL(BlockingDriver):
    library = name = "pymysql"

    def install(self, patches: Patches) -> None:
        """Watch connections where they connect, which may be later than they are made, and again and again."""
        connection = import_module("pymysql.connections").Connection
        self.watch_connections(patches, connection, "connect", "query")
        self.watch_cursor(patches, import_module("pymysql.cursors").Cursor)

    def host(self, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        return None if connection.unix_socket else connection.host

    def error(self, number: int, text: str) -> Exception:
        error: Exception = import_module("pymysql.err").OperationalError(number, text)
        return error


source: Final = _PyMySQL()
