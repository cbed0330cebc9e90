"""Copies of databases of Django that are on a server."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from ....errors import ExplorationError
from ....harness.records.patches import Patches
from ...engine.acts import is_explored, refuse_delivery
from ..base.postgresql import (
    Tables,
    asked,
    fingerprints_of,
    rows_of,
    set_sequences,
)
from ..base.store import Building
from .clones import Clones
from .copies import described, state_of
from .databases import behind_alias, models_of, opened_connection, settings_of
from .rows import Known, Rows

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
_NOT_PUT_BACK: Final = (
    "The rows of {tables} could not be put back to what they are in the test: something in the database, such as "
    "a trigger, changes them. Build these tables in a world: `with django_world(models=[...]) as database:`."
)
_TABLES: Final = """
SELECT c.oid::regclass::text, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
    AND c.relname <> 'django_migrations'
ORDER BY 1
"""
_SEQUENCES: Final = """
SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename), coalesce(last_value, start_value),
    last_value IS NOT NULL
FROM pg_sequences
"""


def copy_of_server(
    using: str, wrapper: Any, clones: Clones | None, stack: ExitStack
) -> PostgresqlCopy | NotCopied:
    """Copy a database of a server, or return what refuses deliveries that use it."""
    settings = wrapper.settings_dict
    if wrapper.vendor != "postgresql":
        return NotCopied(using, _OTHER_SERVER.format(vendor=wrapper.display_name))
    name = "" if clones is None else clones.name_of(settings)
    if not name:
        refused = "" if clones is None else clones.refusal_of(settings)
        return NotCopied(using, _REFUSED.format(error=refused) if refused else _NO_PLUGIN)
    return PostgresqlCopy(using, wrapper, name, stack)


class PostgresqlCopy:
    """A database of PostgreSQL. All histories have one second database, put back to the rows of the test."""

    def __init__(self, using: str, wrapper: Any, name: str, stack: ExitStack) -> None:
        """Read the rows of the test.

        Args:
            using: the alias.
            wrapper: the connection of the test: it sees what the test has not committed.
            name: the name of the second database.
            stack: closes the connection to it.
        """
        self._using = using
        self._settings = {**settings_of(using), "NAME": name}
        found = dict(asked(wrapper, _TABLES))
        marks = fingerprints_of(wrapper, list(found))
        contents = {
            table: rows_of(wrapper.connection, table) for table in found if marks[table] is not None
        }
        self._count = sum(content.count(b"\n") for content in contents.values())
        sequences = set_sequences(asked(wrapper, _SEQUENCES))
        self._models = [
            model for model in models_of(None, using) if model._meta.db_table in found.values()
        ]
        self._known: Known = {}
        with behind_alias(using, self._settings):
            self._own = stack.enter_context(opened_connection(using))
        there = dict(asked(self._own, _TABLES))
        for table in found:
            if table not in there:
                raise ExplorationError(_TABLE_OF_TEST.format(table=table, using=using))
        self._tables = Tables(self._own, list(found), marks, contents, sequences)

    @contextmanager
    def opened(self, building: Building) -> Generator[Callable[[], dict[str, Any]], None, None]:
        failed = self._tables.put_back(self._own)
        if failed:
            raise ExplorationError(_NOT_PUT_BACK.format(tables=", ".join(failed)))
        rows = Rows(self._models, self._using, self._own, self._known)
        rows.begin()
        if not self._known:
            rows.remember_first()
        with behind_alias(self._using, self._settings):
            yield lambda: state_of(rows, self._using, building)

    def described(self) -> str:
        return described(self._using, len(self._tables.names), self._count)


class NotCopied:
    """A database that the test may use and that cannot be copied: deliveries that use it are refused."""

    def __init__(self, using: str, why: str) -> None:
        self._using = using
        self._why = why

    @contextmanager
    def opened(self, building: Building) -> Generator[Callable[[], dict[str, Any]], None, None]:
        patches = Patches()
        ensure = BaseDatabaseWrapper.ensure_connection

        def refuse(wrapper: Any) -> None:
            if is_explored() and wrapper.alias == self._using:
                refuse_delivery(_NOT_COPIED.format(using=self._using, why=self._why))
            ensure(wrapper)

        patches.set(BaseDatabaseWrapper, "ensure_connection", refuse)
        try:
            yield dict
        finally:
            patches.restore()

    def described(self) -> str:
        return ""
