"""Where the databases of worlds of SQLAlchemy are: in a file, or in a schema of a server."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from ....errors import ExplorationError
from ...engine.sameness import numbering

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, MetaData

#: Puts the first rows in.
Fill: TypeAlias = "Callable[[Connection], None]"

_NUMBERS: Final = itertools.count(1)
#: Sequences begin here, so that no other number is taken for one of theirs, and have so much room.
_FIRST: Final = 2_100_000_000
_LAST: Final = 2_147_000_000
_ROOM: Final = 100_000


class Store(Protocol):
    """Makes databases with the tables of one metadata."""

    def fresh(self, metadata: MetaData, fill: Fill) -> Any:
        """Return a block with a database: a connection to it that commits each statement, and its URL."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


class _Stores:
    """The stores of this process, each of which goes with its metadata."""

    def __init__(self) -> None:
        self._stores: weakref.WeakKeyDictionary[MetaData, dict[str, Store]] = (
            weakref.WeakKeyDictionary()
        )

    def of(self, metadata: MetaData, url: Any) -> Store:
        """Return the store for some tables, at a place."""
        kept = self._stores.setdefault(metadata, {})
        # More tables may come, when modules are imported.
        key = f"{url} {sorted(metadata.tables)}"
        if key not in kept:
            store = kept[key] = _FileStore() if url is None else _SchemaStore(_postgresql(url))
            weakref.finalize(metadata, store.close)
        return kept[key]


store_of = _Stores().of


class _FileStore:
    """A sqlite file for each database, copied from one that was made once."""

    def __init__(self) -> None:
        self._template: bytes | None = None
        self._engine: Any = None
        self._place: URL | None = None

    @contextmanager
    def fresh(self, metadata: MetaData, fill: Fill) -> Generator[tuple[Any, URL], None, None]:
        """Give a new file."""
        from sqlalchemy import make_url

        if self._template is None:
            self._template = _template(metadata)
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a directory is made in it
        folder = tempfile.mkdtemp(dir=memory, prefix="pytest-jobs-")
        try:
            file = Path(folder, "world.db")
            file.write_bytes(self._template)
            place = make_url(f"sqlite:///{file}")
            with self._connected(place) as connection:
                fill(connection)
                yield connection, place
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Nothing is left behind."""

    def _connected(self, place: URL) -> Any:
        from sqlalchemy import NullPool, create_engine, event

        self._place = place
        if self._engine is None:
            # An engine takes longer to make than a connection.
            self._engine = create_engine(
                "sqlite:///world.db", poolclass=NullPool, isolation_level="AUTOCOMMIT"
            )

            def lead(dialect: Any, record: object, cargs: list[Any], cparams: Any) -> None:
                cargs[:] = [self._place.database if self._place is not None else ""]

            event.listen(self._engine, "do_connect", lead)
        return self._engine.connect()


def _template(metadata: MetaData) -> bytes:
    from sqlalchemy import StaticPool, create_engine
    from sqlalchemy.exc import CompileError, DBAPIError

    engine = create_engine("sqlite://", poolclass=StaticPool)
    try:
        with engine.begin() as connection:
            metadata.create_all(connection)
        with engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            return bytes(raw.serialize())
    except (CompileError, DBAPIError) as error:
        raise ExplorationError(
            f"The tables cannot be made in sqlite: {str(error).splitlines()[0]}. Name a PostgreSQL database that "
            'tests may use, by `sqlalchemy_world(..., url="postgresql+psycopg://...")`.'
        ) from error
    finally:
        engine.dispose()


class _SchemaStore:
    """A schema of a PostgreSQL database, whose tables are emptied for each history."""

    def __init__(self, url: URL) -> None:
        from sqlalchemy import create_engine

        self._schema = f"pytest_jobs_{os.getpid()}_{next(_NUMBERS)}"
        options = url.query.get("options", "")
        given = options if isinstance(options, str) else " ".join(options)
        search = f"{given} -csearch_path={self._schema}".strip()
        self._place = url.update_query_dict({"options": search})
        own = self._place.update_query_dict({"options": f"{search} -clock_timeout=5000"})
        self._engine = create_engine(own, isolation_level="AUTOCOMMIT", pool_size=1)
        self._reset: str | None = None
        self._numbered: list[tuple[str, range, str]] = []
        self._seeds: list[tuple[Any, list[dict[str, Any]]]] = []

    @contextmanager
    def fresh(self, metadata: MetaData, fill: Fill) -> Generator[tuple[Any, URL], None, None]:
        """Give the schema with empty tables, and sequences that begin again."""
        from sqlalchemy import insert

        with self._engine.connect() as connection:
            if self._reset is None:
                self._make(connection, metadata)
            connection.exec_driver_sql(self._reset or "")
            for table, rows in self._seeds:
                connection.execute(insert(table), rows)
            fill(connection)
            self._number(connection)
            yield connection, self._place

    def close(self) -> None:
        """Drop the schema; the server may be gone by now."""
        with suppress(Exception), self._engine.connect() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {self._schema} CASCADE")
        self._engine.dispose()

    def _make(self, connection: Any, metadata: MetaData) -> None:
        from sqlalchemy import select
        from sqlalchemy.exc import DBAPIError

        elsewhere = [table.fullname for table in metadata.sorted_tables if table.schema]
        if elsewhere:
            raise ExplorationError(
                f"{elsewhere[0]} names the schema that it is in, so it cannot be made in one of the world's own: "
                "leave the schema out of the table, and let the search_path of the application name it."
            )
        try:
            connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {self._schema} CASCADE")
            connection.exec_driver_sql(f"CREATE SCHEMA {self._schema}")
            metadata.create_all(connection)
        except DBAPIError as error:
            raise ExplorationError(
                f"The tables cannot be made in {self._place!r}: {str(error).splitlines()[0]}."
            ) from error
        for table in metadata.sorted_tables:
            rows = [dict(row._mapping) for row in connection.execute(select(table))]
            if rows:
                self._seeds.append((table, rows))
        self._numbered = _sequences(connection, self._schema)
        self._reset = _reset(connection, metadata)

    def _number(self, connection: Any) -> None:
        """Let the sequences begin with numbers that are told from all others."""
        if not self._numbered:
            return
        starts = ",".join(
            f"setval('{sequence}', {numbers.start}, false)"
            for sequence, numbers, _ in self._numbered
        )
        connection.exec_driver_sql(f"SELECT {starts}")
        announce = numbering.get()
        if announce is not None:
            for _, numbers, name in self._numbered:
                announce(numbers, name)


def _postgresql(url: Any) -> URL:
    from sqlalchemy import make_url

    place = make_url(url)
    if place.get_backend_name() != "postgresql":
        raise ExplorationError(
            f"url={place!r} is none of PostgreSQL: leave it out for a sqlite file, or name a PostgreSQL database "
            'that tests may use, as in "postgresql+psycopg://...".'
        )
    return place.set(drivername="postgresql+psycopg")


def _reset(connection: Any, metadata: MetaData) -> str:
    """Return what empties all tables, after it has done so once."""
    from sqlalchemy.exc import IntegrityError

    quoted = connection.dialect.identifier_preparer.format_table
    names = [quoted(table) for table in reversed(metadata.sorted_tables)]
    quick = ";".join(f"DELETE FROM {name}" for name in names)  # noqa: S608 - names of tables
    try:
        connection.exec_driver_sql(quick)
    except IntegrityError:
        # Tables that refer to one another.
        return f"TRUNCATE {','.join(names)}"
    return quick


def _sequences(connection: Any, schema: str) -> list[tuple[str, range, str]]:
    """Return the sequences of a schema, the numbers that each is to give out, and what it numbers."""
    found = [
        (sequence, name)
        for sequence, last, name in connection.exec_driver_sql(_SEQUENCES.format(schema=schema))
        if last >= _LAST
    ]
    room = min(_ROOM, (_LAST - _FIRST) // max(len(found), 1))
    return [
        (sequence, range(_FIRST + place * room, _FIRST + (place + 1) * room), name)
        for place, (sequence, name) in enumerate(found)
    ]


_SEQUENCES: Final = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), s.seqmax,
    coalesce(o.relname || '.' || a.attname, c.relname)
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    AND d.refclassid = 'pg_class'::regclass
LEFT JOIN pg_class o ON o.oid = d.refobjid
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE n.nspname = '{schema}' ORDER BY 1
"""
