"""Where the databases of worlds of SQLAlchemy are: in a file, or in a schema of PostgreSQL."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from sqlalchemy import (
    URL,
    Connection,
    MetaData,
    NullPool,
    StaticPool,
    create_engine,
    event,
    insert,
    make_url,
    select,
)
from sqlalchemy.exc import CompileError, DBAPIError, IntegrityError

from ....errors import ExplorationError
from ...engine.sameness.chance import numbering
from .binding import server_driver
from .mysql import DatabaseStore
from .numbers import LAST, ranges_of_numbers

#: Puts the first rows in.
Fill: TypeAlias = Callable[[Connection], None]

_NUMBERS: Final = itertools.count(1)


class Store(Protocol):
    """Makes databases with the tables of one metadata."""

    def fresh(self, metadata: MetaData, fill: Fill) -> Any:
        """Return a block with a database: a connection to it that commits each statement, and its URL."""
        ...

    def close(self) -> None:
        """Remove what the store has made."""
        ...


class _Stores:
    """The stores of this process; each is closed when its metadata is freed."""

    def __init__(self) -> None:
        self._stores: weakref.WeakKeyDictionary[MetaData, dict[str, Store]] = (
            weakref.WeakKeyDictionary()
        )

    def of(self, metadata: MetaData, url: Any) -> Store:
        """Return the store for some tables, at a place.

        Args:
            metadata: the metadata with the tables.
            url: the URL of a database of a server; None for a sqlite file.
        """
        kept = self._stores.setdefault(metadata, {})
        # With the names of the tables, since modules that are imported later may add some.
        key = f"{url} {sorted(metadata.tables)}"
        if key not in kept:
            store = kept[key] = _FileStore() if url is None else _store_at(make_url(url))
            weakref.finalize(metadata, store.close)
        return kept[key]


store_of = _Stores().of


def _store_at(url: URL) -> Store:
    """Return a store on a server.

    Raises:
        ExplorationError: when no world can be made on such a server.
    """
    name = url.get_backend_name()
    if name in ("mysql", "mariadb"):
        return DatabaseStore(url)
    if name != "postgresql":
        raise ExplorationError(
            f"url={url!r} is none of PostgreSQL or MySQL: leave it out for a sqlite file, or name a database that "
            'tests may use, as in "postgresql+psycopg://..." or "mysql+pymysql://...".'
        )
    return _SchemaStore(url)


class _FileStore:
    """A sqlite file for each database, copied from a template that is made once."""

    def __init__(self) -> None:
        self._template: bytes | None = None
        #: The file to which the engine connects.
        self._file = ""
        self._engine: Any = None

    @contextmanager
    def fresh(self, metadata: MetaData, fill: Fill) -> Generator[tuple[Any, URL], None, None]:
        if self._template is None:
            self._template = _template(metadata)
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a directory is made in it
        folder = tempfile.mkdtemp(dir=memory, prefix="pytest-jobs-")
        try:
            file = Path(folder, "world.db")
            file.write_bytes(self._template)
            self._file = str(file)
            with self._connected() as connection:
                fill(connection)
                yield connection, make_url(f"sqlite:///{file}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        pass

    def _connected(self) -> Any:
        if self._engine is None:
            # One engine for all files: it takes longer to make than a connection.
            self._engine = create_engine(
                "sqlite:///world.db", poolclass=NullPool, isolation_level="AUTOCOMMIT"
            )

            def connecting(dialect: Any, record: object, cargs: list[Any], cparams: Any) -> None:
                cargs[:] = [self._file]

            event.listen(self._engine, "do_connect", connecting)
        return self._engine.connect()


def _template(metadata: MetaData) -> bytes:
    """Return the content of a sqlite file with the tables."""
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
        self._schema = f"pytest_jobs_{os.getpid()}_{next(_NUMBERS)}"
        options = url.query.get("options", "")
        given = options if isinstance(options, str) else " ".join(options)
        search = f"{given} -csearch_path={self._schema}".strip()
        self._place = url.set(drivername=server_driver(url)).update_query_dict({"options": search})
        own = self._place.update_query_dict({"options": f"{search} -clock_timeout=5000"})
        self._engine = create_engine(own, isolation_level="AUTOCOMMIT", pool_size=1)
        #: The statements that empty all tables; None until the tables are made.
        self._reset: str | None = None
        #: Each sequence, its numbers, and the column that it numbers.
        self._numbered: list[tuple[str, range, str]] = []
        #: The rows that making the tables puts in, by events of the metadata.
        self._seeds: list[tuple[Any, list[dict[str, Any]]]] = []

    @contextmanager
    def fresh(self, metadata: MetaData, fill: Fill) -> Generator[tuple[Any, URL], None, None]:
        with self._engine.connect() as connection:
            if self._reset is None:
                self._make(connection, metadata)
            connection.exec_driver_sql(self._reset or "")
            for table, rows in self._seeds:
                connection.execute(insert(table), rows)
            fill(connection)
            if self._numbered:
                # After the first rows, so that only what the job adds has such numbers.
                starts = ",".join(
                    f"setval('{sequence}', {numbers.start}, false)"
                    for sequence, numbers, _ in self._numbered
                )
                connection.exec_driver_sql(f"SELECT {starts}")
            announce = numbering.get()
            if announce is not None:
                for _, numbers, name in self._numbered:
                    announce(numbers, name)
            yield connection, self._place

    def close(self) -> None:
        # The server may be gone by now.
        with suppress(Exception), self._engine.connect() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {self._schema} CASCADE")
        self._engine.dispose()

    def _make(self, connection: Any, metadata: MetaData) -> None:
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
        self._numbered = numbered_sequences(connection, self._schema)
        quoted = connection.dialect.identifier_preparer.format_table
        names = [quoted(table) for table in reversed(metadata.sorted_tables)]
        # Faster than TRUNCATE for small tables.
        self._reset = ";".join(f"DELETE FROM {name}" for name in names)  # noqa: S608 - names of tables
        try:
            connection.exec_driver_sql(self._reset)
        except IntegrityError:
            # Some tables refer to one another.
            self._reset = f"TRUNCATE {','.join(names)}"


def numbered_sequences(connection: Any, schema: str) -> list[tuple[str, range, str]]:
    """Return the sequences of a schema that can give out high numbers, with these, and what each numbers."""
    found = [
        (sequence, name)
        for sequence, last, name in connection.exec_driver_sql(_SEQUENCES.format(schema=schema))
        if last >= LAST
    ]
    return [
        (sequence, numbers, name)
        for (sequence, name), numbers in zip(found, ranges_of_numbers(len(found)), strict=True)
    ]


#: Each sequence of a schema, its greatest number, and the column or the sequence itself.
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
