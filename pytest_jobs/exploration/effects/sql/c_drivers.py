"""Drivers of databases that are written in C: Python has no audit event for what they send."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import looking, watcher
from ...stores.account import accounts
from .basis.driver import Driver
from .basis.postgresql import note_tables
from .basis.statements import set_lock_timeout, text_of


class DriverInC(Driver):
    """The source for a driver that nobody sees: a delivery that uses it by itself is refused.

    Within a statement or a connection of Django or SQLAlchemy it is a part of that.
    """

    def __init__(self, library: str, *names: str) -> None:
        super().__init__(library)
        self.library = library
        self._names = names

    def install(self, patches: Patches) -> None:
        module: Any = sys.modules[self.library]
        for name in self._names:
            genuine = getattr(module, name, None)
            if callable(genuine):
                patches.set(module, name, self._refusing(name, genuine))

    def _refusing(self, name: str, genuine: Callable[..., Any]) -> Callable[..., Any]:
        text = f"{self.library}.{name}"

        @functools.wraps(genuine)
        def call(*args: Any, **kwargs: Any) -> Any:
            current = watcher.get()
            if current is not None:
                current.outside(text)
            return genuine(*args, **kwargs)

        return call


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
        note_tables(place, text_of(text))

    def _refusing(self, name: str, genuine: Callable[..., Any]) -> Callable[..., Any]:
        connect = super()._refusing(name, genuine)

        @functools.wraps(genuine)
        def connected(*args: Any, **kwargs: Any) -> Any:
            connection = connect(*args, **kwargs)
            if hasattr(connection, "cursor_factory"):
                plain: Any = sys.modules["psycopg2.extensions"]
                kind = connection.cursor_factory or plain.cursor
                connection.cursor_factory = _reporting(self, kind)
            return connection

        return connected


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
