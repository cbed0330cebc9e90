"""The databases of Django of which each history gets its own: with new tables, or with what the test has."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from typing import Any, Final

import django
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from ....bridges.libraries.known import library_named
from ....errors import ExplorationError
from ....harness.records.patches import Patches
from ....harness.records.texts import counted
from ...effects.wrapping import replace_in_check
from ...engine.acts import refuse_delivery
from ...stores.account import accounts
from ..base.postgresql import STATES, Tables, asked
from ..base.sqlite import file_with, refusing_direct_connections
from ..base.store import Building, Store
from .databases import (
    allowed,
    behind_alias,
    clones,
    in_place,
    models_of,
    opened_connection,
    server_connection,
    settings_of,
    with_referred,
)
from .rows import Known, Rows, fingerprints, table_names

_HELD: Final = (
    "The test holds a transaction on the database {using!r}, and no worker would see what is in it, or get past "
    "its locks. On a server the world uses the database of the test: ask for the fixture `transactional_db`, mark "
    "the test `@pytest.mark.django_db(transaction=True)`, or derive from django.test.TransactionTestCase."
)
_NO_TEST_DATABASE: Final = (
    "The database {using!r} is {name!r}, which no test runner made, and the world would delete its rows. Let "
    "pytest-django or Django's test runner make a test database: ask for the fixture `transactional_db`."
)
_NOT_COPIED: Final = (
    "The job uses the database {using!r}, of which there is no copy, so that it would change the rows of the "
    "test: {why}. Build the database in a world, with the fixture `transactional_db`: `with django_world("
    "models=[...], using={using!r}) as database:`, and name the world: check_idempotent(job, world=shop)."
)
_OTHER_SERVER: Final = "databases of {vendor} are not copied"
_NO_PLUGIN: Final = (
    "a copy on the server is made once, before the first test, by the plugin of pytest-jobs with pytest-django, "
    "where a test module imports check_idempotent at its top"
)
_REFUSED: Final = "the server refused to copy it ({error})"
_TABLE_OF_TEST: Final = (
    "The table {table} of the database {using!r} was made after the test database, so there is no copy of it on "
    "the server: make it in a migration, or in a fixture that overrides `django_db_setup`. Or build it in a "
    "world: `with django_world(models=[...]) as database:`."
)
_BUILD: Final = "Build these tables in a world: `with django_world(models=[...]) as database:`."
#: Tables, and all tables with a foreign key to one of them.
_REFERRING: Final = """
WITH RECURSIVE found AS (
    SELECT unnest(%s::text[])::regclass::oid AS oid
    UNION SELECT conrelid FROM pg_constraint JOIN found ON confrelid = found.oid WHERE contype = 'f'
) SELECT oid::regclass::text FROM found
"""
#: The sequences that number rows of tables, and where these begin.
_BEGINS: Final = """
SELECT DISTINCT q.seqrelid::regclass::text, q.seqstart
FROM pg_sequence q JOIN pg_depend d ON d.objid = q.seqrelid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    AND d.refobjid = ANY(%s::text[]::regclass[]::oid[])
"""
#: All tables.
_TABLES: Final = """
SELECT c.oid::regclass::text, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
    AND c.relname <> 'django_migrations'
ORDER BY 1
"""


class Database(ABC):
    """A database behind an alias, which each history finds with the same rows."""

    def __init__(self, using: str, models: Sequence[type[Any]]) -> None:
        self.using = using
        self._models = models
        #: The rows that histories have read.
        self.known = Known()

    @contextmanager
    def fresh(self) -> Generator[Rows, None, None]:
        """Let a history find the database for a block, and return its rows."""
        with (
            self.place() as settings,
            behind_alias(self.using, settings),
            self.connected(self.using) as wrapper,
        ):
            self.put_back(wrapper)
            yield Rows(self._models, self.using, wrapper, self.known)

    #: Returns a block with a connection for the world itself.
    connected = staticmethod(server_connection)

    @abstractmethod
    def place(self) -> AbstractContextManager[dict[str, Any]]:
        """Return a block that has the settings of a connection to it."""

    @abstractmethod
    def put_back(self, wrapper: Any) -> None:
        """Give it the rows that it had at first, by a connection that no transaction uses."""


class SqliteDatabase(Database):
    """A database of sqlite with some content. Each history gets a file of its own."""

    connected = staticmethod(opened_connection)

    def __init__(self, using: str, models: Sequence[type[Any]], content: bytes) -> None:
        super().__init__(using, models)
        self._content = content

    @contextmanager
    def place(self) -> Generator[dict[str, Any], None, None]:
        settings = settings_of(self.using)
        options: dict[str, Any] = settings["OPTIONS"]
        version: Any = django.VERSION
        if version >= (5, 1):
            # The file is thrown away, so nothing has to survive a crash of the machine. Before Django 5.1 there
            # are not statements with which a connection begins. The journal stays the one of the project: no
            # connection can change it while another one is open.
            own = options.get("init_command", "")
            options = {**options, "init_command": f"PRAGMA synchronous=OFF; {own}"}
        with file_with(self._content, f"{self.using}.sqlite3") as path:
            yield {**settings, "NAME": str(path), "OPTIONS": options}

    def put_back(self, wrapper: Any) -> None:
        pass


class EmptiedDatabase(Database):
    """The test database of a server, whose tables are emptied."""

    def __init__(self, using: str, models: Sequence[type[Any]]) -> None:
        super().__init__(using, models)
        #: Those in PostgreSQL, with those that refer to them, once they are known.
        self._tables: Tables | None = None

    def place(self) -> AbstractContextManager[dict[str, Any]]:
        open_ones = connections.all(initialized_only=True)
        if any(one.in_atomic_block for one in open_ones if one.alias == self.using):
            raise ExplorationError(_HELD.format(using=self.using))
        settings = settings_of(self.using)
        name = str(settings["NAME"])
        if not name.startswith("test_") and name != settings["TEST"]["NAME"]:
            raise ExplorationError(_NO_TEST_DATABASE.format(using=self.using, name=name))
        return nullcontext(settings)

    def put_back(self, wrapper: Any) -> None:
        if wrapper.vendor != "postgresql":
            statements = wrapper.ops.sql_flush(
                no_style(), self._names(), reset_sequences=True, allow_cascade=True
            )
            wrapper.ops.execute_sql_flush(statements)
            return
        if self._tables is None:
            quoted = [wrapper.ops.quote_name(name) for name in self._names()]
            tables = [table for (table,) in asked(wrapper, _REFERRING, [quoted])]
            begins = ((name, start, False) for name, start in asked(wrapper, _BEGINS, [tables]))
            self._tables = Tables(wrapper.connection, tables, begins)
        self._tables.put_back(wrapper.connection)

    def _names(self) -> list[str]:
        return list(dict.fromkeys(one._meta.db_table for one in with_referred(self._models)))


class ClonedDatabase(Database):
    """A second database of PostgreSQL beside the one of the test, with the rows of the test."""

    def __init__(self, using: str, wrapper: Any, name: str) -> None:
        """Read the rows by the connection of the test, which sees what the test has not committed."""
        found = dict(asked(wrapper, _TABLES))
        super().__init__(using, _models_in(using, wrapper, found.values()))
        self._settings = {**settings_of(using), "NAME": name}
        with behind_alias(using, self._settings), server_connection(using) as own:
            there = dict(asked(own, _TABLES))
            for table in found:
                if table not in there:
                    raise ExplorationError(_TABLE_OF_TEST.format(table=table, using=using))
            states = (
                (f"{schema}.{name}", last, given)
                for schema, name, last, given in asked(wrapper, STATES)
            )
            self._tables = Tables(own.connection, list(found), states, wrapper.connection)
        self.counts = len(found), self._tables.count

    def place(self) -> AbstractContextManager[dict[str, Any]]:
        return nullcontext(self._settings)

    def put_back(self, wrapper: Any) -> None:
        self._tables.put_back(wrapper.connection, _BUILD)


def made_database(
    models: Sequence[type[Any]], using: str, *, migrate: bool
) -> SqliteDatabase | EmptiedDatabase:
    if load_backend(settings_of(using)["ENGINE"]).DatabaseWrapper.vendor != "sqlite":
        return EmptiedDatabase(using, models)
    content = allowed(using, lambda: _with_tables(tuple(models), using, migrate))
    return SqliteDatabase(using, models, content)


class Taken:
    """A database with what the test has in it, as a store of `here`."""

    def __init__(self, database: Database, counts: tuple[int, int], file: str = "") -> None:
        self._database = database
        self._counts = counts
        self._file = file

    @contextmanager
    def fresh(self, building: Building) -> Generator[Callable[[], dict[str, Any]], None, None]:
        using = self._database.using
        prefix = "" if using == "default" else f"{using}."
        direct = (
            refusing_direct_connections([self._file], "Django") if self._file else nullcontext()
        )
        account = accounts.current
        with direct, self._database.fresh() as rows:
            rows.begin()
            # What a library writes for itself, such as the result of a job, is no work: see `Account.wrote`.
            books = {
                model._meta.db_table: rows.rows(model)
                for model in rows.names().values()
                if library_named(model.__module__)
            }

            def shown(table: str, read: Callable[[], Any]) -> Any:
                is_book = account is not None and table in books and not account.has_written(table)
                return books[table] if is_book else read()

            yield lambda: {
                f"{prefix}{name}": shown(table, read)
                for name, table, read in rows.tables(shared=building.is_whole)
                if not building.is_ignored(name, f"{prefix}{name}", table)
            }

    def described(self) -> str:
        tables, rows = self._counts
        text = f"{self._database.using}: {counted(tables, 'table')}, {counted(rows, 'row')}"
        return text if tables else ""


class NotCopied:
    """A database that the test may use and that cannot be copied: deliveries that use it are refused."""

    def __init__(self, using: str, why: str) -> None:
        self._using = using
        self._why = why

    @contextmanager
    def fresh(self, building: Building) -> Generator[Callable[[], dict[str, Any]], None, None]:
        ensure = BaseDatabaseWrapper.ensure_connection

        def refuse(wrapper: Any) -> None:
            if wrapper.alias == self._using:
                refuse_delivery(_NOT_COPIED.format(using=self._using, why=self._why))
            ensure(wrapper)

        with Patches() as patches:
            replace_in_check(patches, BaseDatabaseWrapper, "ensure_connection", refuse)
            yield dict

    def described(self) -> str:
        return ""


def taken_databases() -> list[Store]:
    """Take each database that the test may use, as the connections of the test see it."""
    return [
        _taken(using, connections[using])
        for using in connections
        if _is_allowed(using, connections[using])
    ]


def _is_allowed(using: str, wrapper: Any) -> bool:
    """Return whether the test may use a database; it is opened then."""
    try:
        allowed(using, wrapper.ensure_connection)
        # Django's test cases refuse only this.
        allowed(using, lambda: wrapper.cursor().close())
    except ExplorationError:
        return False
    return True


def _taken(using: str, wrapper: Any) -> Store:
    """Take a database, or return what refuses deliveries that use it."""
    settings, known = wrapper.settings_dict, clones.get()
    if wrapper.vendor == "sqlite":
        # With what the test has not committed. `backup` would wait for the end of its transaction.
        content, tables = bytes(wrapper.connection.serialize()), table_names(wrapper)
        database = SqliteDatabase(using, _models_in(using, wrapper, tables), content)
        rows: Any = fingerprints(wrapper, tables)
        counts = len(tables), sum(map(len, rows.values()))
        return Taken(database, counts, str(settings["NAME"]))
    if wrapper.vendor != "postgresql":
        return NotCopied(using, _OTHER_SERVER.format(vendor=wrapper.display_name))
    name, refused = ("", "") if known is None else known.copy_of(settings)
    if not name:
        return NotCopied(using, _REFUSED.format(error=refused) if refused else _NO_PLUGIN)
    clone = ClonedDatabase(using, wrapper, name)
    return Taken(clone, clone.counts)


def _models_in(using: str, wrapper: Any, tables: Collection[str]) -> list[type[Any]]:
    """Return the models that say what is in their tables; others, such as one without a migration, do not."""

    def is_there(model: type[Any]) -> bool:
        cursor.execute(f"SELECT * FROM {wrapper.ops.quote_name(model._meta.db_table)} LIMIT 0")  # noqa: S608 - a table that is there
        columns = {column[0] for column in cursor.description}
        return columns.issuperset(field.column for field in model._meta.concrete_fields)

    with closing(wrapper.cursor()) as cursor:
        models = models_of(None, using)
        return [model for model in models if model._meta.db_table in tables and is_there(model)]


@functools.cache
def _with_tables(models: tuple[type[Any], ...], using: str, migrate: bool) -> bytes:
    """Return the content of a sqlite file with tables and without rows, which is made once in a process."""
    settings = settings_of(using)
    backend = load_backend(settings["ENGINE"])
    wrapper = backend.DatabaseWrapper({**settings, "NAME": ":memory:"}, using)
    try:
        with in_place(using, wrapper):
            wrapper.ensure_connection()
            if migrate:
                call_command("migrate", database=using, verbosity=0, run_syncdb=True)
            else:
                with wrapper.schema_editor() as editor:
                    for model in with_referred(models):
                        # What links many to many is made with its model.
                        if not model._meta.auto_created:
                            editor.create_model(model)
        content: bytes = wrapper.connection.serialize()
    finally:
        # Django's own `close` leaves a connection to a database in memory open.
        if wrapper.connection is not None:
            wrapper.connection.close()
    return content
