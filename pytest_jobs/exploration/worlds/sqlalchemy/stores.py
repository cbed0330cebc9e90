"""The databases of SQLAlchemy in sqlite, of which each history gets a file, and the stores that worlds make."""

from __future__ import annotations

import functools
import sqlite3
import weakref
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    MetaData,
    NullPool,
    StaticPool,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import CompileError, DBAPIError

from ....errors import ExplorationError
from ...engine.sameness.renaming import AsAtFirst
from ...stores.sqlite import Looks
from ..base.sqlite import file_with
from .mysql import DatabaseStore
from .postgresql import MadeSchema
from .server import Announce, Fill, Fresh, Rows, Store


class SqliteStore(Store):
    """The content of a database of sqlite, of which each history gets a file of its own."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        #: The file to which the engine connects.
        self._file = ""

    @classmethod
    def taken(cls, engine: Engine, held: Connection | None) -> SqliteStore:
        """Take what a database has as the test sees it.

        Args:
            engine: leads to it.
            held: the connection on which the test has a transaction; None if no session has one.
        """
        return cls(_content(engine, held))

    @classmethod
    def made(cls, metadata: MetaData) -> SqliteStore:
        """Make the tables of a metadata."""
        engine = create_engine("sqlite://", poolclass=StaticPool)
        try:
            metadata.create_all(engine)
            return cls(_content(engine, None))
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

    def close(self) -> None:
        pass

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
        """The rows that each history finds, by table."""
        with closing(sqlite3.Connection(":memory:")) as connection:
            if self._content:
                connection.deserialize(self._content)
            return {name: AsAtFirst(rows_in(connection, name)) for name in _names_in(connection)}

    def reading(self, fresh: Fresh) -> Callable[[], Rows]:
        """Return what returns the rows that a history has by now, by table.

        Only tables that were written since the last look are read again.
        """
        own: Any = fresh.connection.connection.driver_connection
        looks = Looks(own, str(fresh.place.database))
        looks.changed(())
        found = dict(self.before)

        def read() -> Rows:
            changed = looks.changed(_names_in(own))
            if changed:
                there = _names_in(own)
                for name in found.keys() - (set(there) - set(changed)):
                    found.pop(name)
                for name in there:
                    if name not in found:
                        rows, before = rows_in(own, name), self.before.get(name)
                        found[name] = rows if before is None or before != rows else before
            return found

        return read


def _content(engine: Engine, held: Connection | None) -> bytes:
    if engine.dialect.is_async:
        return _awaited_content(engine, held)
    if held is not None:
        raw: Any = held.connection.driver_connection
        return bytes(raw.serialize())
    with closing(engine.raw_connection()) as pooled:
        raw = pooled.driver_connection
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


def _names_in(connection: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
    return [name for (name,) in connection.execute(query)]


def rows_in(connection: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    quoted = table.replace('"', '""')
    cursor = connection.execute(f'SELECT * FROM "{quoted}"')  # noqa: S608 - a table that is there
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor]


class _Stores:
    """The stores of this process for worlds; each is closed when its metadata is freed."""

    def __init__(self) -> None:
        self._stores: weakref.WeakKeyDictionary[MetaData, dict[str, Store]] = (
            weakref.WeakKeyDictionary()
        )

    def of(self, metadata: MetaData, url: Any) -> Store:
        kept = self._stores.setdefault(metadata, {})
        # With the names of the tables, since modules that are imported later may add some.
        key = f"{url} {sorted(metadata.tables)}"
        if key not in kept:
            store = kept[key] = (
                SqliteStore.made(metadata) if url is None else _store_at(metadata, make_url(url))
            )
            weakref.finalize(metadata, store.close)
        return kept[key]


store_of = _Stores().of


def _store_at(metadata: MetaData, url: URL) -> Store:
    """Return a store on a server.

    Raises:
        ExplorationError: when no world can be made on such a server.
    """
    kinds: dict[str, type[DatabaseStore | MadeSchema]] = {
        "mysql": DatabaseStore,
        "mariadb": DatabaseStore,
        "postgresql": MadeSchema,
    }
    kind = kinds.get(url.get_backend_name())
    if kind is None:
        raise ExplorationError(
            f"url={url!r} is none of PostgreSQL or MySQL: leave it out for a sqlite file, or name a database that "
            'tests may use, as in "postgresql+psycopg://..." or "mysql+pymysql://...".'
        )
    store = kind(url)
    try:
        store.make(metadata)
    except BaseException:
        store.close()
        raise
    return store
