"""A database of a MySQL or MariaDB server, whose tables are emptied for each history."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any, Final

from sqlalchemy import URL, MetaData, create_engine, insert, select
from sqlalchemy.exc import CompileError, DBAPIError

from ....errors import ExplorationError
from ...engine.sameness.chance import numbering
from .numbers import ranges_of_numbers

_NUMBERS: Final = itertools.count(1)
#: The columns that number the rows of a table, and can have high numbers.
_NUMBERED: Final = """
SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE()
AND extra LIKE '%%auto_increment%%' AND data_type IN ('int', 'bigint') ORDER BY 1
"""
_COUNTERS: Final = """
SELECT table_name, auto_increment FROM information_schema.tables
WHERE table_schema = DATABASE() AND auto_increment IS NOT NULL
"""
#: The asynchronous drivers whose connections can be ended at once.
_AWAITED: Final = ("aiomysql", "asyncmy")


def awaited_driver(url: URL) -> str:
    """Return the asynchronous driver by which an AsyncEngine connects: that of the URL, or one that is there.

    Raises:
        ExplorationError: when none is installed.
    """
    name = url.get_backend_name()
    if url.get_driver_name() in _AWAITED:
        return str(url.drivername)
    found = next((driver for driver in _AWAITED if find_spec(driver)), None)
    if found is None:
        raise ExplorationError(
            "An AsyncEngine connects to MySQL by an asynchronous driver, and none is installed that a check "
            "knows: pip install aiomysql."
        )
    return f"{name}+{found}"


def blocking_driver(url: URL) -> str:
    """Return the driver by which a world connects itself: that of the URL, or PyMySQL for an asynchronous one.

    Raises:
        ExplorationError: when PyMySQL is not installed.
    """
    driver = url.get_driver_name()
    if driver not in _AWAITED:
        return str(url.drivername)
    if find_spec("pymysql") is None:
        raise ExplorationError(
            f"A world on MySQL connects by a blocking driver, and for {driver} that is PyMySQL, which is not "
            "installed: pip install pymysql."
        )
    return f"{url.get_backend_name()}+pymysql"


class DatabaseStore:
    """Makes a database, and drops it in the end."""

    def __init__(self, url: URL) -> None:
        self._name = f"pytest_jobs_{os.getpid()}_{next(_NUMBERS)}"
        self._server = url.set(drivername=blocking_driver(url))
        self._place = url.set(database=self._name)
        own = self._server.set(database=self._name)
        self._engine = create_engine(own, isolation_level="AUTOCOMMIT", pool_size=1)
        self._is_made = False
        self._tables: list[str] = []
        #: Each table whose rows are numbered, its numbers, and the column.
        self._numbered: list[tuple[str, range, str]] = []
        #: The rows that making the tables puts in, by events of the metadata.
        self._seeds: list[tuple[Any, list[dict[str, Any]]]] = []

    @contextmanager
    def fresh(
        self, metadata: MetaData, fill: Callable[[Any], None]
    ) -> Generator[tuple[Any, URL], None, None]:
        if not self._is_made:
            self._make(metadata)
        with self._engine.connect() as connection:
            self._empty(connection)
            for table, rows in self._seeds:
                connection.execute(insert(table), rows)
            fill(connection)
            # After the first rows, so that only what the job adds has such numbers.
            for table, numbers, _ in self._numbered:
                connection.exec_driver_sql(f"ALTER TABLE {table} AUTO_INCREMENT = {numbers.start}")
            announce = numbering.get()
            if announce is not None:
                for _, numbers, name in self._numbered:
                    announce(numbers, name)
            yield connection, self._place

    def close(self) -> None:
        # The server may be gone by now.
        with suppress(Exception), self._engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {self._name}")
        self._engine.dispose()

    def _make(self, metadata: MetaData) -> None:
        elsewhere = [table.fullname for table in metadata.sorted_tables if table.schema]
        if elsewhere:
            raise ExplorationError(
                f"{elsewhere[0]} names the database that it is in, so it cannot be made in the world's own: leave "
                "the schema out of the table, and let the URL of the application name the database."
            )
        server = create_engine(self._server, isolation_level="AUTOCOMMIT")
        try:
            with server.connect() as connection:
                connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {self._name}")
                connection.exec_driver_sql(f"CREATE DATABASE {self._name}")
            with self._engine.connect() as connection:
                metadata.create_all(connection)
                self._note(connection, metadata)
        except (CompileError, DBAPIError) as error:
            raise ExplorationError(
                f"The tables cannot be made in {self._place!r}: {str(error).splitlines()[0]}."
            ) from error
        finally:
            server.dispose()
        self._is_made = True

    def _note(self, connection: Any, metadata: MetaData) -> None:
        """Note what has been made: tables, the columns that number their rows, and rows."""
        for table in metadata.sorted_tables:
            rows = [dict(row._mapping) for row in connection.execute(select(table))]
            if rows:
                self._seeds.append((table, rows))
        quoted = connection.dialect.identifier_preparer.quote_identifier
        self._tables = [quoted(table.name) for table in reversed(metadata.sorted_tables)]
        found = connection.exec_driver_sql(_NUMBERED).all()
        self._numbered = [
            (quoted(table), numbers, f"{table}.{column}")
            for (table, column), numbers in zip(found, ranges_of_numbers(len(found)), strict=True)
        ]

    def _empty(self, connection: Any) -> None:
        """Empty the tables, and let them number their rows from one again."""
        connection.exec_driver_sql("SET foreign_key_checks = 0")
        for table in self._tables:
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - a table that is there
        connection.exec_driver_sql("SET foreign_key_checks = 1")
        with suppress(DBAPIError):
            # MySQL remembers the numbers for a day; MariaDB does not know the variable.
            connection.exec_driver_sql("SET information_schema_stats_expiry = 0")
        quoted = connection.dialect.identifier_preparer.quote_identifier
        for table, counter in connection.exec_driver_sql(_COUNTERS).all():
            if counter != 1:
                connection.exec_driver_sql(f"ALTER TABLE {quoted(table)} AUTO_INCREMENT = 1")
