"""What jobs do to MySQL by PyMySQL, also where it stands in for mysqlclient."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from ....harness.records.patches import Patches
from .basis.mysql import BlockingDriver


class _PyMySQL(BlockingDriver):
    library = name = "pymysql"
    errors = "pymysql.err"

    def install(self, patches: Patches) -> None:
        """Watch connections where they connect, which may be later than they are made, and again and again."""
        connection = import_module("pymysql.connections").Connection
        self.watch_connections(patches, connection, "connect", "query")
        self.watch_cursor(patches, import_module("pymysql.cursors").Cursor)


source: Final = _PyMySQL()
