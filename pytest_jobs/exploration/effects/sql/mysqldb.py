"""What jobs do to MySQL by mysqlclient, whose module is MySQLdb."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, Final

from ....harness.records.patches import Patches
from ..wrapping import surround
from .basis.mysql_blocking import BlockingDriver


class _MysqlClient(BlockingDriver):
    library = "MySQLdb.connections"
    name = "MySQLdb"

    def install(self, patches: Patches) -> None:
        """Watch the connections where they are made: that is where they connect."""
        if import_module("MySQLdb").__name__ != "MySQLdb":
            # It is PyMySQL, by `install_as_MySQLdb`.
            return
        connected = import_module("MySQLdb.connections").Connection
        cursor = import_module("MySQLdb.cursors").BaseCursor
        surround(patches, connected, "__init__", self._connecting)
        self.surround_statements(patches, connected, cursor, "query")

    def error(self, number: int, text: str) -> Exception:
        error: Exception = import_module("MySQLdb").OperationalError(number, text)
        return error

    def _connecting(
        self, connection: Any, *args: Any, **kwargs: Any
    ) -> AbstractContextManager[None]:
        host = kwargs.get("host") or next(iter(args), None)
        self.note_again(connection, args, kwargs)
        return self.connecting(connection, None if kwargs.get("unix_socket") else host)


source: Final = _MysqlClient()
