"""A database of SQLAlchemy that is new for each history."""

from __future__ import annotations

import weakref
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ....errors import ExplorationError
from ....harness.records.patches import Patches
from ...engine.sameness.chance import numbering
from ...stores.sqlite import SqliteStore as FileStore, read_apart

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData

    from .stores import ServerStore, SqliteStore

#: The statements that ask a server for its time: with a zone, which MySQL does not keep, and without.
_TIMES: Final = {
    "postgresql": "SELECT clock_timestamp(), clock_timestamp()::timestamp",
    "mysql": "SELECT NOW(), NOW()",
    "mariadb": "SELECT NOW(), NOW()",
}


class SqlalchemyWorld:
    """The database of a world."""

    def __init__(
        self, connection: Connection, tables: Iterable[Any], store: FileStore | None
    ) -> None:
        #: A connection that commits each statement, for what the world itself does to the database.
        self.connection = connection
        self._tables = {table.fullname: table for table in tables}
        self._begin = self._server_time()
        #: None outside of checks, and for a server.
        self._store = store

    def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return the rows of all tables by name, in the order of their primary keys."""
        return {name: self.rows(name) for name in self._tables}

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """Return the rows of a table, in the order of its primary key.

        Raises:
            ExplorationError: when the metadata has no such table.
        """
        from sqlalchemy import select

        known = self._tables.get(table)
        if known is None:
            raise ExplorationError(
                f"There is no table {table!r} in the metadata of the world; there are {', '.join(self._tables)}."
            )
        query = select(*known.columns).order_by(*known.primary_key.columns)
        # Those of a server are known by themselves.
        numbers = {} if self._store is None else self._store.numbers(known.name)
        columns = [numbers.get(column.name, {}) for column in known.columns]
        found = [
            tuple(
                new.get(value, value) if new else value
                for new, value in zip(columns, row, strict=True)
            )
            for row in self.connection.execute(query)
        ]
        if not known.primary_key.columns:
            found.sort(key=repr)
        return self._in_test_time(found)

    def _server_time(self) -> Any:
        """Return the time of a server, with its zone and without; None for sqlite, which follows the test."""
        from sqlalchemy import text

        question = _TIMES.get(self.connection.dialect.name)
        return None if question is None else self.connection.execute(text(question)).one()

    def _in_test_time(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Replace times that the server wrote while the world was there by the current time of the test."""
        if not any(isinstance(value, datetime) for row in rows for value in row):
            return rows
        end = self._server_time()
        if end is None:
            return rows

        def in_test_time(value: Any) -> Any:
            if not isinstance(value, datetime):
                return value
            kind = 0 if value.tzinfo is not None else 1
            within = self._begin[kind] <= value <= end[kind]
            return datetime.now(UTC if kind == 0 else None) if within else value

        return [tuple(map(in_test_time, row)) for row in rows]


@contextmanager
def sqlalchemy_world(
    metadata: Any, *, bind: Any, url: Any = None, rows: Iterable[Any] = ()
) -> Generator[SqlalchemyWorld, None, None]:
    """Make a database with the tables of SQLAlchemy for a block, and let the application use it.

    Args:
        metadata: the `MetaData` with the tables, or a declarative base.
        bind: what leads the application to its database: an `Engine`, `AsyncEngine`, `sessionmaker`,
            `async_sessionmaker` or `scoped_session`, or the module and the name under which it has
            one; several in a list. For the block it leads to this database, wherever it was imported.
        url: that of a PostgreSQL database, in which a schema of its own is made and dropped in the
            end; or that of a MySQL or MariaDB server, on which a database of its own is, also with an
            asynchronous driver; by default
            the database is a sqlite file in a temporary directory.
        rows: what is in the tables at first: objects of mapped classes, or statements such as
            `table.insert().values(...)`. Make them anew each time.

    Returns:
        The database, whose `.snapshot()` is the rows of all tables by name, `.rows(name)` those of one.

    Raises:
        ExplorationError: when the tables cannot be made there, or what is bound leads nowhere.
    """
    from .binding import redirect

    metadata = getattr(metadata, "metadata", metadata)
    with ExitStack() as stack:
        fresh = _store_of(metadata, url).fresh(
            stack, numbering.get(), lambda connection: _fill(connection, rows)
        )
        redirect(stack.enter_context(Patches()), bind, fresh.place)
        store = None
        if fresh.connection.dialect.name == "sqlite":
            store = stack.enter_context(read_apart(str(fresh.place.database)))
        yield SqlalchemyWorld(fresh.connection, metadata.sorted_tables, store)


class _Stores:
    """The stores of this process for worlds; each is closed when its metadata is freed."""

    def __init__(self) -> None:
        self._stores: weakref.WeakKeyDictionary[MetaData, dict[str, Any]] = (
            weakref.WeakKeyDictionary()
        )

    def of(self, metadata: MetaData, url: Any) -> SqliteStore | ServerStore:
        kept = self._stores.setdefault(metadata, {})
        # With the names of the tables, since modules that are imported later may add some.
        key = f"{url} {sorted(metadata.tables)}"
        if key not in kept:
            kept[key] = _made(metadata, url)
        found: SqliteStore | ServerStore = kept[key]
        return found


_store_of: Final = _Stores().of


def _made(metadata: MetaData, url: Any) -> SqliteStore | ServerStore:
    from sqlalchemy import make_url

    from .postgresql import SchemaStore
    from .stores import DatabaseStore, SqliteStore

    if url is None:
        return SqliteStore.made(metadata)
    place = make_url(url)
    store: ServerStore
    if place.get_backend_name() == "postgresql":
        store = SchemaStore(place)
    elif place.get_backend_name() in ("mysql", "mariadb"):
        store = DatabaseStore(place)
    else:
        raise ExplorationError(
            f"url={place!r} is none of PostgreSQL or MySQL: leave it out for a sqlite file, or name a "
            'database that tests may use, as in "postgresql+psycopg://..." or "mysql+pymysql://...".'
        )
    weakref.finalize(metadata, store.close)
    store.make(metadata)
    return store


def _fill(connection: Connection, rows: Iterable[Any]) -> None:
    from sqlalchemy import Executable, inspect
    from sqlalchemy.orm import Session

    objects = []
    for row in rows:
        if isinstance(row, Executable):
            connection.execute(row)
            continue
        if not inspect(row).transient:
            raise ExplorationError(
                f"{row!r} was stored in a database before, so it is not a new row: make the rows inside the "
                "world, "
                "as in `rows=[Order(id=1)]`."
            )
        objects.append(row)
    if objects:
        with Session(connection, expire_on_commit=False) as session:
            session.add_all(objects)
            session.commit()
