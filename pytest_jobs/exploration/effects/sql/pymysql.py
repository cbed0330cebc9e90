"""What jobs do to MySQL by PyMySQL, also where it stands in for mysqlclient."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, Final

from ....harness.records.patches import Patches
from ..wrapping import surround
from .basis.mysql_blocking import BlockingDriver


class _PyMySQL(BlockingDriver):
    library = name = "pymysql"

    def install(self, patches: Patches) -> None:
        """Watch connections where they connect, which may be later than they are made, and again and again."""
        connected = import_module("pymysql.connections").Connection
        init = connected.__init__

        @functools.wraps(init)
        def made(connection: Any, *args: Any, **kwargs: Any) -> None:
            self.note_again(connection, args, kwargs)
            init(connection, *args, **kwargs)

        patches.set(connected, "__init__", made)
        surround(patches, connected, "connect", self._connecting)
        cursor = import_module("pymysql.cursors").Cursor
        self.surround_statements(patches, connected, cursor, "query")

    def error(self, number: int, text: str) -> Exception:
        error: Exception = import_module("pymysql.err").OperationalError(number, text)
        return error

    def _connecting(
        self, connection: Any, *args: Any, **kwargs: Any
    ) -> AbstractContextManager[None]:
        return self.connecting(connection, None if connection.unix_socket else connection.host)


source: Final = _PyMySQL()
