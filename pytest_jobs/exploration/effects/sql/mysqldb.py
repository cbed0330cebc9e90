"""What jobs do to MySQL by mysqlclient, whose module is MySQLdb."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from ....harness.records.patches import Patches
from .basis.mysql import BlockingDriver


class _MysqlClient(BlockingDriver):
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


source: Final = _MysqlClient()
