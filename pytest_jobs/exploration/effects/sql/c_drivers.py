"""Drivers of databases that are written in C: Python has no audit event for what they send."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import looking
from ...stores.account import accounts
from ..wrapping import after_calls, before_calls
from .basis.driver import Driver
from .basis.postgresql import report_tables
from .basis.statements import Statement, set_lock_timeout


class DriverInC(Driver):
    """The source for a driver that nobody sees: a delivery that uses it by itself is refused.

    Within a statement or a connection of Django or SQLAlchemy it is a part of that.
    """

    def __init__(self, library: str, *names: str) -> None:
        super().__init__(library)
        self.library = library
        self._names = names

    def install(self, patches: Patches) -> None:
        for name in self._names:
            text = f"{self.library}.{name}"
            before_calls(
                patches,
                sys.modules[self.library],
                name,
                lambda current, *args, text=text, **kwargs: current.outside(text),
            )


class _Psycopg2(DriverInC):
    """Its connections also report which tables they read and write, for a world that has some by SQLAlchemy."""

    def limit(self, connection: Any) -> None:
        with looking(), closing(connection.cursor()) as cursor:
            cursor.execute(set_lock_timeout())
        # Without a commit, a rollback of the job would take it back.
        connection.commit()

    def note_tables(self, connection: Any, sql: Any) -> None:
        if accounts.current is None:
            return
        text = sql.as_string(connection) if hasattr(sql, "as_string") else sql
        place = {**connection.get_dsn_parameters(), "password": connection.info.password or ""}
        report_tables(place, Statement(text))

    def install(self, patches: Patches) -> None:
        super().install(patches)
        after_calls(patches, sys.modules[self.library], "connect", self._report_of)

    def _report_of(self, connection: Any, *args: Any, **kwargs: Any) -> None:
        if hasattr(connection, "cursor_factory"):
            plain: Any = sys.modules["psycopg2.extensions"]
            kind = connection.cursor_factory or plain.cursor
            connection.cursor_factory = _reporting(self, kind)


@functools.cache
def _reporting(driver: _Psycopg2, kind: Any) -> Any:
    """Return a class of cursors that report the tables of their statements."""

    def reporting(genuine: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(genuine)
        def execute(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            driver.note_tables(cursor.connection, query)
            return genuine(cursor, query, *args, **kwargs)

        return execute

    names = ("execute", "executemany", "copy_expert")
    return type(kind.__name__, (kind,), {name: reporting(getattr(kind, name)) for name in names})


psycopg2: Final = _Psycopg2("psycopg2", "connect")
pyodbc: Final = DriverInC("pyodbc", "connect")
pymssql: Final = DriverInC("pymssql", "connect")
oracledb: Final = DriverInC("oracledb", "connect", "create_pool")
