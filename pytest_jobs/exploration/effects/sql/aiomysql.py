"""The effects of jobs on MySQL by aiomysql, which raises the errors of PyMySQL."""

from __future__ import annotations

from importlib import import_module
from operator import attrgetter
from typing import Any, Final

from ....harness.records.patches import Patches
from ..wrapping import surround_awaited
from .basis.mysql import AwaitedDriver


class _AioMySQL(AwaitedDriver):
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


source: Final = _AioMySQL()
