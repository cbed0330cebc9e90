"""Tables of SQLAlchemy in PostgreSQL: a schema of their own, which is put back before each history."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from contextlib import ExitStack, closing, nullcontext
from importlib.util import find_spec
from typing import Any, Final

from sqlalchemy import URL, Connection, MetaData, create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from ....errors import ExplorationError
from ...effects.sql.basis.driver import one_step
from ...effects.wrapping import in_check
from ...engine.acts import looking, refuse_delivery
from ...engine.sameness.renaming import AsAtFirst
from ..base.awaited import AwaitedConnection
from ..base.postgresql import (
    STATES,
    SnapshotLooks,
    Tables,
    asked,
    fingerprints_of,
    replace_rows,
    rows_of,
    set_sequences,
)
from ..base.store import PATIENCE
from .binding import driver_for
from .stores import LAST, OF_WORLDS, Fresh, Rows, ServerStore, new_name, ranges_of_numbers

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
    "committed is copied by psycopg 3, psycopg2 and asyncpg without TLS only. Let the test connect with "
    "postgresql+psycopg://, or commit its rows and bind the session to the engine."
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
_OTHER_PATH: Final = (
    "The job sets the search_path of its connection to {path}, so that it would change the rows of the test "
    f"rather than those of the copy. {_IN_WORLD}"
)
_QUALIFIED: Final = (
    "A statement of the job names the schema {schema}, so that it would use the tables of the test rather than "
    f"those of the copy. Leave it out, and let the search_path of the connection name it. {_IN_WORLD}"
)
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
_PRIMARY: Final = """
SELECT conrelid::regclass::text, string_agg(quote_ident(attname), ', ' ORDER BY array_position(conkey, attnum))
FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
WHERE contype = 'p' AND connamespace = current_schema()::regnamespace GROUP BY conrelid
"""
_PATH: Final = "SELECT quote_ident(name) FROM unnest(current_schemas(false)) AS name"
_OWN_TABLES: Final = """
SELECT quote_ident(relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
"""
#: Each sequence of a schema, its greatest number, and the column or the sequence itself.
_NUMBERED: Final = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), s.seqmax,
    coalesce(o.relname || '.' || a.attname, c.relname)
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    AND d.refclassid = 'pg_class'::regclass
LEFT JOIN pg_class o ON o.oid = d.refobjid
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE n.nspname = current_schema() ORDER BY 1
"""


class SchemaStore(ServerStore):
    """A schema of its own in a PostgreSQL database: with new tables, and the rows that making these puts in."""

    noun = "schema"
    drop = "DROP SCHEMA IF EXISTS {} CASCADE"
    #: What to write where a trigger changes these rows. Empty where each history may find what it makes of them.
    otherwise = ""
    _tables: Tables

    def __init__(self, url: URL, path: str = "") -> None:
        """Connect to nothing yet. The schemas in `path` are looked into as well; each is after a comma."""
        name = new_name()
        place = _with_options(url.set(drivername=driver_for(url)), f"-csearch_path={name}{path}")
        super().__init__(name, place, _with_options(place, f"-clock_timeout={PATIENCE}s"))

    def create(self) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(self.drop.format(self._name))
            connection.exec_driver_sql(f"CREATE SCHEMA {self._name}")

    def note(self, connection: Connection, metadata: MetaData) -> None:
        self._note(_driver_connection(connection), {})

    def _note(self, own: Any, states: Mapping[str, tuple[int, bool]]) -> None:
        """Note what each history finds, as a connection to the schema sees it when all its tables are there."""
        self._numbered = ranges_of_numbers(
            (sequence, name) for sequence, last, name in asked(own, _NUMBERED) if last >= LAST
        )
        begins = [
            (f"{schema}.{name}", *states.get(name, (last, given)))
            for schema, name, last, given in asked(own, STATES)
            if schema == self._name
        ]
        self._tables = Tables(own, _texts(own, _OWN_TABLES), begins, own)

    def put_back(self, connection: Connection) -> None:
        self._tables.put_back(_driver_connection(connection), self.otherwise)

    def number(self, connection: Connection) -> None:
        starts = ((sequence, numbers.start, False) for sequence, numbers, _ in self._numbered)
        asked(_driver_connection(connection), set_sequences(starts))


class TakenSchema(SchemaStore):
    """A schema with what the test has in the tables of an engine."""

    otherwise = _IN_WORLD

    def __init__(self, engine: Engine, held: Connection | None, stack: ExitStack) -> None:
        """Copy the tables, as the connection sees them on which the test has a transaction, if any."""
        url = engine.url.set(drivername=driver_for(engine.url))
        if find_spec(url.get_driver_name()) is None:
            raise ExplorationError(_NO_DRIVER.format(engine=engine))
        self._of_application = engine
        dialect = create_engine(url).dialect
        args, options = dialect.create_connect_args(url)
        dbapi = dialect.loaded_dbapi
        try:
            # Questions that are reported would make the tables of the test those of the world.
            with one_step(nullcontext()), closing(dbapi.connect(*args, **options)) as test:
                source = test if held is None else _blocking(_driver_connection(held), engine)
                schemas = _texts(test, _PATH)
                super().__init__(url, "".join(f",{schema}" for schema in schemas))
                stack.callback(self.close)
                self._names = _tables(engine, test, source)
                self.create()
                with self._engine.connect() as connection:
                    self._make(_driver_connection(connection), test, source)
                    self._rows: dict[tuple[str, Hashable], list[dict[str, Any]]] = {}
                    self.before = self.reading(Fresh(self._place, connection))()
        except (DBAPIError, dbapi.Error) as error:
            text = str(getattr(error, "orig", error)).strip().splitlines()[0]
            raise ExplorationError(_REFUSED.format(engine=engine, error=text)) from error
        self._rows = {key: AsAtFirst(rows) for key, rows in self._rows.items()}
        names = "|".join(re.escape(schema.strip('"')) for schema in schemas)
        self._qualified = re.compile(rf'(?<![\w.])"?({names})"?\s*\.\s*["\w]', re.IGNORECASE)

    def _make(self, own: Any, test: Any, source: Any) -> None:
        """Make the tables, with their rows, and then what would change or check these."""
        likes = [
            f"CREATE TABLE {table} (LIKE {schema}.{table} INCLUDING ALL)"
            for table, (schema, _) in self._names.items()
        ]
        for statement in (*_texts(test, _SEQUENCES), *likes, *_texts(test, _DEFAULTS)):
            asked(own, statement)
        contents = {table: rows_of(source, table) for table in self._names}
        replace_rows(own, list(self._names), contents)
        for statements in (_CONSTRAINTS, _VIEWS, _TRIGGERS):
            for statement in _texts(test, statements):
                asked(own, statement)
        self._order = dict(asked(own, _PRIMARY))
        states: dict[str, tuple[int, bool]] = {}
        for schema, name, last, given in asked(test, STATES):
            # The schemas of worlds have sequences of the same names.
            if not schema.startswith(OF_WORLDS):
                states.setdefault(name, (last, given))
        self._note(own, states)

    def check_statements(self, stack: ExitStack) -> None:
        """Refuse statements that name the schemas of the test, until the stack ends."""

        def check(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            found = self._qualified.search(statement)
            if found is not None:
                refuse_delivery(_QUALIFIED.format(schema=found[1]))

        listener = in_check(check, lambda *args: None)
        arguments = self._of_application, "before_cursor_execute", listener
        event.listen(*arguments)
        stack.callback(event.remove, *arguments)

    def check(self, connection: Any) -> None:
        """Refuse a connection that the application leads to the tables of the test."""
        path = _search_path(connection)
        if self._name not in path:
            refuse_delivery(_OTHER_PATH.format(path=path))

    def reading(self, fresh: Fresh) -> Callable[[], Rows]:
        """Return what returns the rows that a history has by now, by table."""
        own = _driver_connection(fresh.connection)
        looks, names = SnapshotLooks(own), self._tables.names
        marks: dict[str, Hashable] = {}

        def read() -> Rows:
            if looks.changed(names):
                marks.update(fingerprints_of(own, names))
            return {
                self._names[table][1]: self._read(own, table, marks[table]) for table in self._names
            }

        return read

    def _read(self, own: Any, table: str, mark: Hashable) -> list[dict[str, Any]]:
        if mark is None:
            return []
        if (table, mark) not in self._rows:
            order = self._order.get(table, "one_row::text")
            with closing(own.cursor()) as cursor:
                cursor.execute(f"SELECT * FROM {table} one_row ORDER BY {order}")  # noqa: S608 - a table that is there
                columns = [column[0] for column in cursor.description]
                rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
            self._rows[table, mark] = rows
        return self._rows[table, mark]


def _blocking(connection: Any, engine: Engine) -> Any:
    """Return a blocking connection of the driver, which may be the one of an awaited connection of the test."""
    pgconn = getattr(connection, "pgconn", None)
    if pgconn is None:
        driver = engine.dialect.driver
        transport = getattr(connection, "_transport", None) if driver == "asyncpg" else None
        if transport is not None and transport.get_extra_info("ssl_object") is None:
            return AwaitedConnection(transport)
        if driver != "psycopg2":
            raise ExplorationError(_OTHER_DRIVER.format(driver=driver))
        return connection
    from psycopg import Connection as Blocking

    blocking: Any = Blocking(pgconn)
    # Psycopg would warn that nobody has closed it.
    blocking._pool = None
    return blocking


def _driver_connection(connection: Connection) -> Any:
    """Return the connection of the driver. That of a copy commits each statement."""
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


def _texts(connection: Any, question: str) -> list[str]:
    return [text for (text,) in asked(connection, question)]


def _tables(engine: Engine, test: Any, source: Any) -> dict[str, tuple[str, str]]:
    found = {}
    for schema, table, name, why in asked(test, _TABLES):
        if why:
            raise ExplorationError(_NOT_LIKE.format(table=name, engine=engine, why=why))
        found[table] = schema, name
    for _, table, name, _ in asked(source, _TABLES):
        if table not in found:
            raise ExplorationError(_OF_TEST.format(table=name))
    return found


def _with_options(url: URL, options: str) -> URL:
    given = url.query.get("options", "")
    before = given if isinstance(given, str) else " ".join(given)
    return url.update_query_dict({"options": f"{before} {options}".strip()})
