"""A copy of the tables of an engine of SQLAlchemy in PostgreSQL: a schema of its own in the same database."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Hashable
from contextlib import ExitStack, closing, suppress
from importlib.util import find_spec
from typing import Any, Final, TypeAlias

from sqlalchemy import URL, Connection, NullPool, create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from ....errors import ExplorationError
from ...engine.acts import is_explored, looking, refuse_delivery
from ...engine.sameness.renaming import AsAtFirst
from ..base.postgresql import (
    Refilled,
    SnapshotLooks,
    asked,
    fingerprints_of,
    in_order,
    replace_rows,
    rows_of,
    set_sequences,
)
from .binding import server_driver
from .stores import numbered_sequences

#: Takes the numbers of a sequence and its name, so that they are compared by their order.
Announce: TypeAlias = Callable[[range, str], None]
#: Returns rows by table.
Show: TypeAlias = Callable[[], dict[str, list[dict[str, Any]]]]

_IN_WORLD: Final = (
    "Build the database in a world, and name it: `with sqlalchemy_world(Base.metadata, bind=(module, 'engine'), "
    "url=...) as database:` and check_idempotent(job, world=shop)."
)
_NO_DRIVER: Final = (
    "The job uses {engine!r}, of which there is no copy, so that it would change the rows of the test: tables in "
    "PostgreSQL are copied by psycopg 3 or psycopg2, and neither is installed: pip install 'psycopg[binary]'."
)
_OTHER_DRIVER: Final = (
    "A session of the job is bound to a connection of the test by {driver}, and what such a connection has not "
    "committed is copied by psycopg 3 and psycopg2 only. Let the test connect with postgresql+psycopg://, or "
    "commit its rows and bind the session to the engine."
)
_NOT_LIKE: Final = (
    "The table {table} of {engine!r} cannot be copied, so that the job would use the one of the test: it is "
    f"{{why}}. {_IN_WORLD}"
)
_OF_TEST: Final = (
    "The table {table} was made in the transaction of the test, in which no worker can see it: make it in a "
    "fixture that commits, before the test begins its transaction."
)
_REFUSED: Final = "The tables of {engine!r} could not be copied: {error}. " + _IN_WORLD
_FAILED: Final = "What the test has in PostgreSQL could not be read: {error}."
_NOT_PUT_BACK: Final = (
    "The rows of {tables} could not be put back to what they are in the test: something in the database, such as "
    f"a trigger, changes them. {_IN_WORLD}"
)
_OTHER_PATH: Final = (
    "The job sets the search_path of its connection to {path}, so that it would change the rows of the test "
    f"rather than those of the copy. {_IN_WORLD}"
)
_QUALIFIED: Final = (
    "A statement of the job names the schema {schema}, so that it would use the tables of the test rather than "
    f"those of the copy. Leave it out, and let the search_path of the connection name it. {_IN_WORLD}"
)
_numbers: Final = itertools.count(1)
#: Every table that is not the system's, an extension's or a world's, with its schema, and why it is not usual.
_TABLES: Final = r"""
SELECT quote_ident(n.nspname), quote_ident(c.relname), c.relname, CASE
    WHEN NOT pg_table_is_visible(c.oid) THEN 'in the schema ' || n.nspname || ', which the search_path leaves out'
    WHEN c.relkind <> 'r' OR c.relispartition THEN 'partitioned, foreign or a materialised view'
    WHEN EXISTS (SELECT 1 FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent)) THEN 'part of an inheritance'
    ELSE '' END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'm') AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
    AND n.nspname NOT LIKE 'pytest\_jobs\_%' AND NOT EXISTS (
        SELECT 1 FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
ORDER BY 2
"""
#: Statements that make what a table does not have from another one that it is like. With the names as they are
#: without a schema, they make it in the schema that comes first.
_SEQUENCES: Final = """
SELECT format('CREATE SEQUENCE %I AS %s INCREMENT %s MINVALUE %s MAXVALUE %s START %s', sequencename, data_type,
    increment_by, min_value, max_value, start_value)
FROM pg_sequences s WHERE pg_table_is_visible(format('%I.%I', schemaname, sequencename)::regclass)
    AND schemaname <> 'pg_catalog' AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE deptype = 'i'
        AND classid = 'pg_class'::regclass AND objid = format('%I.%I', schemaname, sequencename)::regclass)
"""
_DEFAULTS: Final = """
SELECT format('ALTER TABLE %I ALTER COLUMN %I SET DEFAULT %s', relname, attname, pg_get_expr(adbin, adrelid))
FROM pg_attrdef JOIN pg_attribute ON adrelid = attrelid AND adnum = attnum JOIN pg_class c ON c.oid = adrelid
WHERE pg_table_is_visible(c.oid) AND attgenerated = '' AND pg_get_expr(adbin, adrelid) LIKE 'nextval(%'
"""
_CONSTRAINTS: Final = """
SELECT format('ALTER TABLE %I ADD CONSTRAINT %I %s', relname, conname, pg_get_constraintdef(k.oid))
FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid
WHERE contype = 'f' AND pg_table_is_visible(c.oid) AND relnamespace::regnamespace::text NOT LIKE 'pg%'
"""
_VIEWS: Final = r"""
SELECT format('CREATE VIEW %I AS %s', relname, pg_get_viewdef(c.oid))
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'v' AND pg_table_is_visible(c.oid)
    AND nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema' ORDER BY c.oid
"""
_TRIGGERS: Final = """
SELECT pg_get_triggerdef(t.oid, true) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
WHERE NOT tgisinternal AND pg_table_is_visible(c.oid)
"""
_KEYS: Final = """
SELECT conrelid::regclass::text, confrelid::regclass::text, condeferrable AND confdeltype = 'a'
FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
"""
_PRIMARY: Final = """
SELECT conrelid::regclass::text, string_agg(quote_ident(attname), ', ' ORDER BY array_position(conkey, attnum))
FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
WHERE contype = 'p' AND connamespace = current_schema()::regnamespace GROUP BY conrelid
"""


_PATH: Final = "SELECT quote_ident(name) FROM unnest(current_schemas(false)) AS name"
_OWN_SEQUENCES: Final = """
SELECT quote_ident(nspname) || '.' || quote_ident(relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind = 'S' AND nspname = current_schema()
"""
#: A lock that the transaction of the test has is never released.
_PATIENCE: Final = "-clock_timeout=5000"
#: How far each sequence has come.
_STATES: Final = """
SELECT quote_ident(sequencename), coalesce(last_value, start_value), last_value IS NOT NULL FROM pg_sequences
"""


class PostgresqlDatabase:
    """The tables of one engine. All histories have one schema, put back to the rows of the test."""

    def __init__(self, engine: Engine, held: Connection | None, stack: ExitStack) -> None:
        """Copy the tables.

        Args:
            engine: leads to them.
            held: the connection on which the test has a transaction; None if no session has one.
            stack: removes the copy.
        """
        place = engine.url.set(drivername=server_driver(engine.url))
        if find_spec(place.get_driver_name()) is None:
            raise ExplorationError(_NO_DRIVER.format(engine=engine))
        self._engine = engine
        self._schema = f"pytest_jobs_{os.getpid()}_here_{next(_numbers)}"
        dialect = create_engine(place).dialect
        try:
            self._copy(engine, held, stack, place, dialect)
        except (DBAPIError, dialect.loaded_dbapi.Error) as error:
            text = str(getattr(error, "orig", error)).strip().splitlines()[0]
            raise ExplorationError(_REFUSED.format(engine=engine, error=text)) from error
        self._rows: dict[tuple[str, Hashable], list[dict[str, Any]]] = {}
        self._looks = SnapshotLooks(self._own)
        self._marks: dict[str, Hashable] = {}
        self.before = self.tables()
        self._rows = {key: AsAtFirst(rows) for key, rows in self._rows.items()}

    def _copy(
        self,
        engine: Engine,
        held: Connection | None,
        stack: ExitStack,
        url: URL,
        dialect: Any,
    ) -> None:
        args, options = dialect.create_connect_args(url)
        # Not by an engine, whose own questions would make the tables of the test those of the world.
        with closing(dialect.loaded_dbapi.connect(*args, **options)) as plain:
            test = _Questions(plain, engine)
            source = test if held is None else _Questions(_driver_connection(held), engine)
            self._names = _tables(engine, test, source)
            schemas = test.statements(_PATH)
            path = ",".join([self._schema, *schemas])
            names = "|".join(re.escape(schema.strip('"')) for schema in schemas)
            self._qualified = re.compile(rf'(?<![\w.])"?({names})"?\s*\.\s*["\w]', re.IGNORECASE)
            self._place = _with_options(url, f"-csearch_path={path}")
            own = create_engine(
                _with_options(self._place, _PATIENCE),
                poolclass=NullPool,
                isolation_level="AUTOCOMMIT",
            )
            self._connection = stack.enter_context(own.connect())
            self._own = _Own(self._connection)
            stack.callback(self._drop)
            self._make(test, source)

    def _make(self, test: _Questions, source: _Questions) -> None:
        """Make the tables, with their rows, and then what would change or check these."""
        asked(self._own, f"CREATE SCHEMA {self._schema}")
        likes = [
            f"CREATE TABLE {table} (LIKE {schema}.{table} INCLUDING ALL)"
            for table, (schema, _) in self._names.items()
        ]
        for statement in (*test.statements(_SEQUENCES), *likes, *test.statements(_DEFAULTS)):
            asked(self._own, statement)
        contents = {table: source.rows_of(table) for table in self._names}
        replace_rows(self._own, list(self._names), contents)
        marks = fingerprints_of(self._own, list(self._names))
        for statements in (_CONSTRAINTS, _VIEWS, _TRIGGERS):
            for statement in test.statements(statements):
                asked(self._own, statement)
        keys = asked(self._own, _KEYS)
        self._tables = in_order(list(self._names), keys)
        self._refilled = Refilled(self._own, self._tables, keys, marks, contents)
        self._order = dict(asked(self._own, _PRIMARY))
        self._numbered = numbered_sequences(self._connection, self._schema)
        begins = {name: (numbers.start, False) for name, numbers, _ in self._numbered}
        for name, last, given in test.ask(_STATES):
            begins.setdefault(f"{self._schema}.{name}", (int(last or 1), given == "t"))
        there = [name for (name,) in asked(self._own, _OWN_SEQUENCES)]
        self._begin = set_sequences((name, *begins.get(name, (1, False))) for name in there)

    def fresh(self, stack: ExitStack, announce: Announce | None) -> tuple[URL, Show]:
        """Put the rows back; return where the copy is, and what returns its rows by table."""
        failed = self._refilled.put_back()
        if failed:
            raise ExplorationError(_NOT_PUT_BACK.format(tables=", ".join(failed)))
        asked(self._own, self._begin)
        event.listen(self._engine, "before_cursor_execute", self._check_statement)
        stack.callback(event.remove, self._engine, "before_cursor_execute", self._check_statement)
        for _, numbers, name in self._numbered:
            if announce is not None:
                announce(numbers, name)
        return self._place, self.tables

    def check(self, connection: Any) -> None:
        """Refuse a connection that the application leads to the tables of the test."""
        path = _search_path(connection)
        if self._schema not in path:
            refuse_delivery(_OTHER_PATH.format(path=path))

    def _check_statement(self, connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        found = self._qualified.search(statement) if is_explored() else None
        if found is not None:
            refuse_delivery(_QUALIFIED.format(schema=found[1]))

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of the copy by table."""
        if self._looks.changed(self._tables):
            self._marks = fingerprints_of(self._own, self._tables)
        return {
            self._names[table][1]: self._read(table, self._marks[table]) for table in self._names
        }

    def _read(self, table: str, mark: Hashable) -> list[dict[str, Any]]:
        if mark is None:
            return []
        if (table, mark) not in self._rows:
            order = self._order.get(table, "one_row::text")
            with closing(self._own.cursor()) as cursor:
                cursor.execute(f"SELECT * FROM {table} one_row ORDER BY {order}")  # noqa: S608 - a table that is there
                columns = [column[0] for column in cursor.description]
                rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
            self._rows[table, mark] = rows
        return self._rows[table, mark]

    def _drop(self) -> None:
        # The server may be gone by now.
        with suppress(Exception):
            asked(self._own, f"DROP SCHEMA IF EXISTS {self._schema} CASCADE")


class _Questions:
    """Asks by a connection, blocking or awaited, past psycopg's own objects: nobody has to wait on a loop."""

    def __init__(self, connection: Any, engine: Engine) -> None:
        self._connection = connection
        self._pgconn: Any = getattr(connection, "pgconn", None)
        if self._pgconn is None and engine.dialect.driver != "psycopg2":
            raise ExplorationError(_OTHER_DRIVER.format(driver=engine.dialect.driver))

    def ask(self, question: str) -> list[tuple[str, ...]]:
        """Return rows, as texts; NULL is an empty one."""
        if self._pgconn is None:
            return [tuple(map(_text, row)) for row in asked(self._connection, question)]
        from psycopg.pq import ExecStatus

        found = self._pgconn.exec_(question.encode())
        if found.status != ExecStatus.TUPLES_OK:
            raise ExplorationError(_FAILED.format(error=found.error_message.decode().strip()))
        return [
            tuple((found.get_value(row, column) or b"").decode() for column in range(found.nfields))
            for row in range(found.ntuples)
        ]

    def statements(self, question: str) -> list[str]:
        return [statement for (statement,) in self.ask(question)]

    def rows_of(self, table: str) -> bytes:
        """Return the rows of a table, as COPY has them."""
        if self._pgconn is None:
            return rows_of(self._connection, table)
        self._pgconn.exec_(f"COPY {table} TO STDOUT".encode())
        found = []
        while True:
            count, data = self._pgconn.get_copy_data(0)
            if count < 0:
                break
            found.append(bytes(data))
        while self._pgconn.get_result() is not None:
            pass
        return b"".join(found)


def _text(value: object) -> str:
    """Return a value as the server writes it."""
    if isinstance(value, bool):
        return "t" if value else "f"
    return "" if value is None else str(value)


class _Own:
    """The connection to the copy: it makes cursors of the driver, and commits each statement."""

    def __init__(self, connection: Connection) -> None:
        self.connection = _driver_connection(connection)

    def cursor(self) -> Any:
        return self.connection.cursor()


def _driver_connection(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _search_path(connection: Any) -> str:
    pgconn = getattr(connection.driver_connection, "pgconn", None)
    if pgconn is not None:
        return str(pgconn.exec_(b"SHOW search_path").get_value(0, 0).decode())
    with looking(), closing(connection.cursor()) as cursor:
        cursor.execute("SHOW search_path")
        (path,) = cursor.fetchone()
        # It has begun a transaction.
        connection.rollback()
    return str(path)


def _tables(engine: Engine, test: _Questions, source: _Questions) -> dict[str, tuple[str, str]]:
    """Return the schema and the name of each table, by its quoted name."""
    found = {}
    for schema, table, name, why in test.ask(_TABLES):
        if why:
            raise ExplorationError(_NOT_LIKE.format(table=name, engine=engine, why=why))
        found[table] = schema, name
    for _, table, name, _ in source.ask(_TABLES):
        if table not in found:
            raise ExplorationError(_OF_TEST.format(table=name))
    return found


def _with_options(url: URL, options: str) -> URL:
    given = url.query.get("options", "")
    before = given if isinstance(given, str) else " ".join(given)
    return url.update_query_dict({"options": f"{before} {options}".strip()})
