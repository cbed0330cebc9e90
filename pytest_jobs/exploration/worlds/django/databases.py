"""Databases for Django's models: where each history finds empty tables."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from typing import Any, Final

import django
from django.apps import apps
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connections, router
from django.db.models import Model
from django.db.utils import load_backend

from ....errors import ExplorationError
from ...engine.world import kept_for_search
from ..base.postgresql import Tables, asked, set_sequences
from ..base.sqlite import file_with

_BLOCKED: Final = (
    "The test may not use the database {using!r} ({error}). With pytest-django mark it "
    "`@pytest.mark.django_db{databases}` or let it ask for the fixture `db`; with unittest derive from "
    "django.test.TestCase and name the database in `databases`. The world has a database of its own all the same."
)
_HELD: Final = (
    "The test holds a transaction on the database {using!r}, and no worker would see what is in it, or get past "
    "its locks. On a server the world uses the database of the test: ask for the fixture `transactional_db`, mark "
    "the test `@pytest.mark.django_db(transaction=True)`, or derive from django.test.TransactionTestCase."
)
_NO_TEST_DATABASE: Final = (
    "The database {using!r} is {name!r}, which no test runner made, and the world would delete its rows. Let "
    "pytest-django or Django's test runner make a test database: ask for the fixture `transactional_db`."
)

#: Tables, and all tables with a foreign key to one of them.
_REFERRING: Final = """
WITH RECURSIVE found AS (
    SELECT unnest(%s::text[])::regclass::oid AS oid
    UNION SELECT conrelid FROM pg_constraint JOIN found ON confrelid = found.oid WHERE contype = 'f'
) SELECT oid::regclass::text FROM found
"""
#: The sequences that number rows of tables, and where these begin.
_SEQUENCES: Final = """
SELECT DISTINCT q.seqrelid::regclass::text, q.seqstart
FROM pg_sequence q JOIN pg_depend d ON d.objid = q.seqrelid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    AND d.refobjid = ANY(%s::text[]::regclass[]::oid[])
"""


@contextmanager
def new_database(
    models: Iterable[type[Any]] | None, using: str, *, migrate: bool
) -> Generator[Sequence[type[Any]], None, None]:
    """Put a database with empty tables behind an alias for a block, and return the models whose rows count.

    Raises:
        ExplorationError: when there is no such database, when the test may not use it, or when it is
            that of a server and no test database.
    """
    before = settings_of(using)
    shown = models_of(models, using)
    with (
        _database(shown, using, before, migrate) as settings,
        behind_alias(using, settings),
    ):
        yield shown


def settings_of(using: str) -> dict[str, Any]:
    """Return the settings of a database, as Django has completed them.

    Raises:
        ExplorationError: when there is no such database.
    """
    known = _all_settings()
    if using not in known:
        raise ExplorationError(
            f"using={using!r} is not a database: DATABASES has {', '.join(known)}."
        )
    settings: dict[str, Any] = known[using]
    return settings


def _all_settings() -> Any:
    # Django's stubs do not know this attribute.
    known: Any = connections
    return known.settings


@contextmanager
def behind_alias(using: str, settings: dict[str, Any]) -> Generator[None, None, None]:
    """Let everyone who opens a connection behind an alias connect by these settings, for a block."""
    known = _all_settings()
    before = known[using]
    known[using] = settings
    try:
        wrapper: Any = connections.create_connection(using)
        with closing(wrapper), in_place(using, wrapper):
            yield
    finally:
        known[using] = before


@contextmanager
def in_place(using: str, wrapper: Any) -> Generator[None, None, None]:
    """Let this thread have a connection behind an alias for a block."""
    before = {found.alias: found for found in connections.all(initialized_only=True)}
    connections[using] = wrapper
    try:
        yield
    finally:
        if using in before:
            connections[using] = before[using]
        else:
            del connections[using]


def allowed(using: str, use: Callable[[], Any]) -> Any:
    """Use a database, and say what to do where the test may not.

    Raises:
        ExplorationError: when it may not.
    """
    try:
        return use()
    except (RuntimeError, AssertionError) as error:
        # pytest-django raises the first to keep a test from a database, Django's own test cases the second.
        if "atabase" not in str(error):
            raise
        databases = "" if using == "default" else f"(databases=[{using!r}])"
        raise ExplorationError(
            _BLOCKED.format(using=using, error=str(error).rstrip("."), databases=databases)
        ) from error


def with_referred(models: Sequence[type[Any]]) -> list[type[Any]]:
    """Return models and those that they refer to; what links many to many is made with its model."""
    found: dict[type[Any], None] = {}
    waiting = list(models)
    while waiting:
        model = waiting.pop(0)
        if model in found:
            continue
        found[model] = None
        for field in (*model._meta.local_fields, *model._meta.local_many_to_many):
            if field.remote_field is not None:
                waiting.append(field.remote_field.model)
                through = getattr(field.remote_field, "through", None)
                waiting += [through] if through is not None else []
    return [model for model in found if _has_table(model) and not model._meta.auto_created]


def models_of(models: Iterable[type[Any]] | None, using: str) -> tuple[type[Any], ...]:
    """Return the models whose rows are shown, and the models that link them many to many."""
    named = apps.get_models() if models is None else list(models)
    for model in named:
        if not (isinstance(model, type) and issubclass(model, Model)):
            raise ExplorationError(
                f"models= names {model!r}, which is not a model: name classes, as in models=[Order]."
            )
    if models is None:
        named = [model for model in named if router.allow_migrate_model(using, model)]
    linking = [
        field.remote_field.through
        for model in named
        for field in model._meta.local_many_to_many
        if field.remote_field.through._meta.auto_created
    ]
    return tuple(dict.fromkeys(model for model in (*named, *linking) if _has_table(model)))


def _has_table(model: type[Any]) -> bool:
    options = model._meta
    return bool(options.managed) and not (options.proxy or options.swapped or options.abstract)


@contextmanager
def _database(
    models: Sequence[type[Any]], using: str, settings: dict[str, Any], migrate: bool
) -> Generator[dict[str, Any], None, None]:
    """Make a database with empty tables for a block, and return the settings of a connection to it."""
    vendor = vendor_of(settings)
    if vendor != "sqlite":
        _check_emptying(using, settings)
        with server_connection(using) as wrapper:
            _empty(wrapper, using, models)
        yield settings
        return
    content = allowed(using, lambda: _templates.content(models, using, settings, migrate))
    with sqlite_file(content, using, settings) as new:
        yield new


@contextmanager
def sqlite_file(
    content: bytes, using: str, settings: dict[str, Any]
) -> Generator[dict[str, Any], None, None]:
    """Have a sqlite file for a block, and return the settings of a connection to it."""
    options: dict[str, Any] = settings["OPTIONS"]
    version: Any = django.VERSION
    if version >= (5, 1):
        # The file is thrown away, so nothing has to survive a crash of the machine. Before Django 5.1 there
        # are not statements with which a connection begins.
        own = options.get("init_command", "")
        fast = f"PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY; {own}"
        options = {**options, "init_command": fast}
    with file_with(content, f"{using}.sqlite3") as path:
        yield {**settings, "NAME": str(path), "OPTIONS": options}


def vendor_of(settings: Mapping[str, Any]) -> str:
    """Return the kind of a database, such as `sqlite` or `postgresql`."""
    vendor: str = load_backend(settings["ENGINE"]).DatabaseWrapper.vendor
    return vendor


@contextmanager
def opened_connection(using: str) -> Generator[Any, None, None]:
    """Have a connection to a database for a block, which any thread may use."""
    wrapper: Any = connections.create_connection(using)
    wrapper.inc_thread_sharing()
    try:
        allowed(using, wrapper.ensure_connection)
        yield wrapper
    finally:
        wrapper.close()


def server_connection(using: str) -> AbstractContextManager[Any]:
    """Return a block with a connection to a server, which all histories of a search share."""
    settings = settings_of(using)
    place = tuple(str(settings[name]) for name in ("NAME", "HOST", "PORT"))
    return kept_for_search(("django", using, *place), lambda: opened_connection(using))


def _check_emptying(using: str, settings: Mapping[str, Any]) -> None:
    """Check that a world may empty the tables of a database.

    Raises:
        ExplorationError: when the test holds a transaction on it, or it is not a test database.
    """
    if any(
        found.in_atomic_block
        for found in connections.all(initialized_only=True)
        if found.alias == using
    ):
        raise ExplorationError(_HELD.format(using=using))
    name = str(settings["NAME"])
    if not name.startswith("test_") and name != settings["TEST"]["NAME"]:
        raise ExplorationError(_NO_TEST_DATABASE.format(using=using, name=name))


def _empty(wrapper: Any, using: str, models: Sequence[type[Any]]) -> None:
    """Empty the tables of the test database of a server, and let its sequences begin again."""
    tables = [model._meta.db_table for model in with_referred(models)]
    tables += [
        field.m2m_db_table()
        for model in with_referred(models)
        for field in model._meta.local_many_to_many
    ]
    if wrapper.vendor == "postgresql":
        key = ("empty", using, *tables)
        with kept_for_search(key, lambda: nullcontext(_empty_tables(wrapper, tables))) as empty:
            empty.put_back(wrapper)
        return
    statements = wrapper.ops.sql_flush(
        no_style(), list(dict.fromkeys(tables)), reset_sequences=True, allow_cascade=True
    )
    wrapper.ops.execute_sql_flush(statements)


def _empty_tables(wrapper: Any, tables: Iterable[str]) -> Tables:
    """Return tables, and those that refer to them, without rows.

    Args:
        wrapper: a connection that no transaction uses.
        tables: their names, as models have them.
    """
    quoted = [wrapper.ops.quote_name(table) for table in tables]
    names = [name for (name,) in asked(wrapper, _REFERRING, [quoted])]
    begins = ((name, start, False) for name, start in asked(wrapper, _SEQUENCES, [names]))
    return Tables(wrapper, names, dict.fromkeys(names), {}, set_sequences(begins))


class _Templates:
    """The content of sqlite files with tables and without rows, each made once in a process."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], bytes] = {}

    def content(
        self, models: Sequence[type[Any]], using: str, settings: dict[str, Any], migrate: bool
    ) -> bytes:
        key = (using, tuple(models), migrate)
        if key not in self._made:
            self._made[key] = self._make(models, using, settings, migrate)
        return self._made[key]

    def _make(
        self, models: Sequence[type[Any]], using: str, settings: dict[str, Any], migrate: bool
    ) -> bytes:
        wrapper = load_backend(settings["ENGINE"]).DatabaseWrapper(
            {**settings, "NAME": ":memory:"}, using
        )
        try:
            with in_place(using, wrapper):
                wrapper.ensure_connection()
                if migrate:
                    call_command("migrate", database=using, verbosity=0, run_syncdb=True)
                else:
                    with wrapper.schema_editor() as editor:
                        for model in with_referred(models):
                            editor.create_model(model)
            content: bytes = wrapper.connection.serialize()
        finally:
            # Django's own `close` leaves a connection to a database in memory open.
            if wrapper.connection is not None:
                wrapper.connection.close()
        return content


_templates = _Templates()
