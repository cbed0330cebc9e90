"""The effects of jobs on MySQL by aiomysql, which raises the errors of PyMySQL."""

from __future__ import annotations

from importlib import import_module
from operator import attrgetter
from typing import Any, Final

from ....harness.records.patches import Patches
from ..wrapping import surround_awaited
from .basis.mysql_awaited import AwaitedDriver


class _AioMySQL(AwaitedDriver):
    library = name = "aiomysql"

    def install(self, patches: Patches) -> None:
        connection = import_module("aiomysql.connection").Connection
        cursor = import_module("aiomysql.cursors").Cursor
        self.watch_connections(patches, connection, "_connect")
        # Cursors without a buffer read each row when it is asked for.
        surround_awaited(patches, connection, "_read_packet", self.one_step)
        self.watch_cursor(patches, cursor)
        pool = import_module("aiomysql.pool").Pool
        self.watch_pool(patches, pool, ("_acquire", "_fill_free_pool", "wait_closed", "clear"))

    def is_open(self, connection: Any) -> bool:
        return not connection.closed

    def host(self, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        return None if connection.unix_socket else connection.host

    def transport(self, connection: Any) -> Any:
        return attrgetter("_writer.transport")(connection)

    def error(self, number: int, text: str) -> Exception:
        error: Exception = import_module("pymysql.err").OperationalError(number, text)
        return error


source: Final = _AioMySQL()
