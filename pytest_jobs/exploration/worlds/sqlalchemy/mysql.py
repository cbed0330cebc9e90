"""A database of a MySQL or MariaDB server, whose tables are emptied for each history."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from typing import Any, Final

from sqlalchemy import URL, Connection, MetaData, NullPool, create_engine, insert, select
from sqlalchemy.exc import DBAPIError

from ....errors import ExplorationError
from .server import ServerStore, making, new_name, ranges_of_numbers

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


class DatabaseStore(ServerStore):
    """A database, which is dropped in the end."""

    def __init__(self, url: URL) -> None:
        name = new_name()
        self._server = url.set(drivername=blocking_driver(url))
        super().__init__(name, url.set(database=name), self._server.set(database=name))
        self._tables: list[str] = []
        #: The rows that making the tables puts in, by events of the metadata.
        self._seeds: list[tuple[Any, list[dict[str, Any]]]] = []

    def make(self, metadata: MetaData) -> None:
        """Make the tables."""
        with making(metadata, self._place, "database"):
            server = create_engine(self._server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
            with server.connect() as connection:
                self.drop(connection)
                connection.exec_driver_sql(f"CREATE DATABASE {self._name}")
            with self._engine.connect() as connection:
                metadata.create_all(connection)
                self._note(connection, metadata)

    def _note(self, connection: Connection, metadata: MetaData) -> None:
        """Note what has been made: tables, the columns that number their rows, and rows."""
        for table in metadata.sorted_tables:
            rows = [dict(row._mapping) for row in connection.execute(select(table))]
            if rows:
                self._seeds.append((table, rows))
        quoted = connection.dialect.identifier_preparer.quote_identifier
        self._tables = [quoted(table.name) for table in reversed(metadata.sorted_tables)]
        self._numbered = ranges_of_numbers(
            (quoted(table), f"{table}.{column}")
            for table, column in connection.exec_driver_sql(_NUMBERED)
        )

    def put_back(self, connection: Connection) -> None:
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
        for table, rows in self._seeds:
            connection.execute(insert(table), rows)

    def number(self, connection: Connection) -> None:
        for table, numbers, _ in self._numbered:
            connection.exec_driver_sql(f"ALTER TABLE {table} AUTO_INCREMENT = {numbers.start}")

    def drop(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {self._name}")
