"""The databases of SQLAlchemy of which each history gets its own: a file of sqlite, or a part of a server."""

from __future__ import annotations

import functools
import itertools
import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing, nullcontext, suppress
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import (
    URL,
    Connection,
    MetaData,
    NullPool,
    StaticPool,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import CompileError, DBAPIError

from ....errors import ExplorationError
from ...engine.sameness.renaming import AsAtFirst
from ...stores.account import accounts
from ...stores.files import database_in_memory
from ...stores.new_keys import NewKeys, names_of_tables, rows_in
from ...stores.sqlite import Looks
from ..base.sqlite import file_with
from ..base.store import limited_waiting
from .binding import driver_for

#: Rows by table, as the driver gives them.
Rows: TypeAlias = dict[str, list[dict[str, Any]]]
#: Takes the numbers of a sequence and its name, so that they are compared by their order.
Announce: TypeAlias = Callable[[range, str], None]
#: Puts the first rows in.
Fill: TypeAlias = Callable[[Connection], object]

#: The numbers that a server gives to rows in a world: so high that no other number of a job is taken for one.
_FIRST: Final = 2_100_000_000
#: The end of the numbers, below the greatest integer of four bytes.
LAST: Final = 2_147_000_000
#: How many numbers each sequence has at most.
_ROOM: Final = 100_000
#: The begin of the names of the databases and schemas of worlds.
OF_WORLDS: Final = "pytest_jobs_"
_numbers: Final = itertools.count(1)

#: The columns that number the rows of a table of MySQL.
_NUMBERED: Final = """
SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = DATABASE()
AND extra LIKE '%%auto_increment%%' ORDER BY 1
"""


class Fresh(NamedTuple):
    """What one history has of a store."""

    #: Where the history finds the database.
    place: URL
    #: A connection that commits each statement, for what the world itself does to the database.
    connection: Connection


class ServerStore(ABC):
    """Tables of a server in a database or a schema of their own, which all histories have one after another."""

    #: In what tables are on such a server.
    noun: str

    def __init__(self, name: str, place: URL, own: URL) -> None:
        self._name = name
        self._place = place
        self._engine = create_engine(own, isolation_level="AUTOCOMMIT", pool_size=1)
        #: What gives numbers to rows, its numbers, and the column or the sequence.
        self._numbered: list[tuple[str, range, str]] = []

    def make(self, metadata: MetaData) -> None:
        for table in metadata.sorted_tables:
            if table.schema:
                raise ExplorationError(
                    f"{table.fullname} names the {self.noun} that it is in, so it cannot be made in the world's "
                    "own: leave the schema out of the table, and let the URL of the application name the "
                    f"{self.noun}."
                )
        try:
            self.create()
            with self._engine.connect() as connection:
                metadata.create_all(connection)
                self.note(connection, metadata)
        except BaseException as error:
            self.close()
            if not isinstance(error, CompileError | DBAPIError):
                raise
            raise ExplorationError(
                f"The tables cannot be made in {self._place!r}: {str(error).splitlines()[0]}."
            ) from error

    def fresh(self, stack: ExitStack, announce: Announce | None, fill: Fill | None = None) -> Fresh:
        connection = stack.enter_context(self._engine.connect())
        self.put_back(connection)
        if fill is not None:
            fill(connection)
        # After the first rows, so that only what the job adds has such numbers.
        self.number(connection)
        for _, numbers, name in self._numbered:
            if announce is not None:
                announce(numbers, name)
        return Fresh(self._place, connection)

    def close(self) -> None:
        # The server may be gone by now.
        with suppress(Exception), self._engine.connect() as connection:
            connection.exec_driver_sql(self.drop.format(self._name))
        self._engine.dispose()

    #: The statement that removes the database or the schema.
    drop: str

    @abstractmethod
    def create(self) -> None:
        """Make the database or the schema."""

    @abstractmethod
    def note(self, connection: Connection, metadata: MetaData) -> None:
        """Note what has been made: tables, what numbers their rows, and rows."""

    @abstractmethod
    def put_back(self, connection: Connection) -> None:
        """Give the tables the rows and the numbers that they had at first."""

    @abstractmethod
    def number(self, connection: Connection) -> None:
        """Let the next rows have high numbers."""


class DatabaseStore(ServerStore):
    """A database of a MySQL or MariaDB server."""

    noun = "database"
    drop = "DROP DATABASE IF EXISTS {}"

    def __init__(self, url: URL) -> None:
        name = new_name()
        self._server = url.set(drivername=driver_for(url))
        super().__init__(name, url.set(database=name), self._server.set(database=name))
        self._tables: list[str] = []
        #: The tables that number their rows.
        self._counting: list[str] = []
        #: The rows that making the tables puts in, by events of the metadata.
        self._seeds: list[tuple[Any, list[dict[str, Any]]]] = []

    def create(self) -> None:
        server = create_engine(self._server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with server.connect() as connection:
            connection.exec_driver_sql(self.drop.format(self._name))
            connection.exec_driver_sql(f"CREATE DATABASE {self._name}")

    def note(self, connection: Connection, metadata: MetaData) -> None:
        for table in metadata.sorted_tables:
            rows = [dict(row._mapping) for row in connection.execute(select(table))]
            if rows:
                self._seeds.append((table, rows))
        quoted = connection.dialect.identifier_preparer.quote_identifier
        self._tables = [quoted(table.name) for table in reversed(metadata.sorted_tables)]
        found = connection.exec_driver_sql(_NUMBERED).all()
        self._counting = [quoted(table) for table, _, _ in found]
        # Smaller columns have no room for high numbers.
        self._numbered = ranges_of_numbers(
            (quoted(table), f"{table}.{column}")
            for table, column, kind in found
            if kind in ("int", "bigint")
        )

    def put_back(self, connection: Connection) -> None:
        connection.exec_driver_sql(limited_waiting("mysql"))
        connection.exec_driver_sql("SET foreign_key_checks = 0")
        for table in self._tables:
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - a table that is there
        connection.exec_driver_sql("SET foreign_key_checks = 1")
        for table in self._counting:
            connection.exec_driver_sql(f"ALTER TABLE {table} AUTO_INCREMENT = 1")
        for table, rows in self._seeds:
            connection.execute(insert(table), rows)

    def number(self, connection: Connection) -> None:
        for table, numbers, _ in self._numbered:
            connection.exec_driver_sql(f"ALTER TABLE {table} AUTO_INCREMENT = {numbers.start}")


def new_name() -> str:
    return f"{OF_WORLDS}{os.getpid()}_{next(_numbers)}"


def ranges_of_numbers(found: Iterable[tuple[str, str]]) -> list[tuple[str, range, str]]:
    """Return what numbers rows, its numbers, different ones for each, and the name of the column."""
    known = list(found)
    room = min(_ROOM, (LAST - _FIRST) // max(len(known), 1))
    return [
        (one, range(_FIRST + place * room, _FIRST + (place + 1) * room), name)
        for place, (one, name) in enumerate(known)
    ]


class SqliteStore:
    """The content of a database of sqlite, of which each history gets a file of its own."""

    def __init__(self, engine: Engine, held: Connection | None = None) -> None:
        """Take what a database has, as the connection sees it on which the test has a transaction, if any."""
        self._content = _content(engine, held)
        #: The file to which the engine connects.
        self._file = ""

    @classmethod
    def made(cls, metadata: MetaData) -> SqliteStore:
        engine = create_engine("sqlite://", poolclass=StaticPool)
        try:
            metadata.create_all(engine)
            return cls(engine)
        except (CompileError, DBAPIError) as error:
            raise ExplorationError(
                f"The tables cannot be made in sqlite: {str(error).splitlines()[0]}. Name a PostgreSQL database "
                'that tests may use, by `sqlalchemy_world(..., url="postgresql+psycopg://...")`.'
            ) from error
        finally:
            engine.dispose()

    def fresh(self, stack: ExitStack, announce: Announce | None, fill: Fill | None = None) -> Fresh:
        file = stack.enter_context(file_with(self._content, "world.db"))
        self._file = str(file)
        connection = stack.enter_context(self._engine.connect())
        if fill is not None:
            fill(connection)
        return Fresh(URL.create("sqlite", database=str(file)), connection)

    @functools.cached_property
    def _engine(self) -> Engine:
        # One engine for all files: it takes longer to make than a connection.
        engine = create_engine(
            "sqlite:///world.db", poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )

        def connecting(dialect: Any, record: object, cargs: list[Any], cparams: Any) -> None:
            cargs[:] = [self._file]

        event.listen(engine, "do_connect", connecting)
        return engine

    @functools.cached_property
    def before(self) -> Rows:
        with database_in_memory(self._content) as connection:
            return {
                name: AsAtFirst(rows_in(connection, name)) for name in names_of_tables(connection)
            }

    def reading(self, fresh: Fresh) -> Callable[[], Rows]:
        """Return what returns the rows that a history has by now, by table.

        Only tables that were written since the last look are read again.
        """
        own: Any = fresh.connection.connection.driver_connection
        looks = Looks(own, str(fresh.place.database))
        looks.changed(())
        found = dict(self.before)
        account = accounts.current
        keys = None if account is None else NewKeys(str(id(self)), account.numbers, own)

        def read() -> Rows:
            changed = looks.changed(names_of_tables(own))
            if changed:
                there = names_of_tables(own)
                # The rows of a table that was changed before may refer to rows of one that is changed now.
                kept = {name for name in there if found.get(name) is self.before.get(name, 0)}
                for name in found.keys() - (kept - set(changed)):
                    found.pop(name)
                for name in there:
                    if name not in found:
                        rows, before = rows_in(own, name), self.before.get(name)
                        is_as_before = before is not None and before == rows
                        if keys is not None and not is_as_before:
                            keys.number(own, name, rows)
                        found[name] = before if before is not None and is_as_before else rows
            return found

        return read


def _content(engine: Engine, held: Connection | None) -> bytes:
    if engine.dialect.is_async:
        return _awaited_content(engine, held)
    with (
        closing(engine.raw_connection()) if held is None else nullcontext(held.connection) as pooled
    ):
        raw: Any = pooled.driver_connection
        return bytes(raw.serialize())


def _awaited_content(engine: Engine, held: Connection | None) -> bytes:
    """Return the content of a database of aiosqlite, for which nobody has to wait on a loop."""
    from ...effects.sql.aiosqlite import content_by

    pool: Any = engine.pool
    if held is not None:
        return content_by(held.connection.driver_connection)
    # The pool of a database in memory keeps its only connection there, once it has one.
    if "connection" in vars(pool):
        return content_by(pool.connection.driver_connection)
    database = engine.url.database or ":memory:"
    if database == ":memory:":
        return b""
    with closing(sqlite3.Connection(database)) as own:
        return bytes(own.serialize())
