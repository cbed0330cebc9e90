"""Copies of the databases of Django, as the connections of the test see them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from typing import Any

from django.db import connections

from ..django.databases import behind_alias, models_of, settings_of, sqlite_file
from ..django.rows import Known, Rows, table_names
from .copied import Copied, Ignored, counted
from .direct import refusing_direct_connections


@contextmanager
def copied_databases() -> Generator[list[Copied], None, None]:
    """Copy each database that the test may use, for a block."""
    copies: list[Copied] = []
    for using in connections:
        wrapper: Any = connections[using]
        if _is_allowed(wrapper):
            copies.append(_SqliteCopy(using, wrapper))
    yield copies


def _is_allowed(wrapper: Any) -> bool:
    """Return whether the test may use a database; it is opened then."""
    try:
        # pytest-django refuses the first, and Django's test cases the second.
        wrapper.ensure_connection()
        wrapper.cursor().close()
    except (RuntimeError, AssertionError) as error:
        if "atabase" in str(error):
            return False
        raise
    return True


class _SqliteCopy:
    """A database of sqlite, in memory or in a file. A history gets a file of its own."""

    def __init__(self, using: str, wrapper: Any) -> None:
        self._using = using
        self._name = str(wrapper.settings_dict["NAME"])
        # It has what the test has not committed. `backup` would wait for the end of its transaction.
        self._content = bytes(wrapper.connection.serialize())
        self._tables = table_names(wrapper)
        self._models = [
            model for model in models_of(None, using) if model._meta.db_table in self._tables
        ]
        self._count = sum(_count(wrapper, table) for table in self._tables)
        self._known: Known = {}

    @contextmanager
    def opened(self, ignored: Ignored) -> Generator[Callable[[], dict[str, Any]], None, None]:
        with (
            sqlite_file(self._content, self._using, settings_of(self._using)) as settings,
            behind_alias(self._using, settings),
            refusing_direct_connections([self._name], "Django"),
            Rows.opened(self._models, self._using, self._known) as rows,
        ):
            yield lambda: state_of(rows, self._using, ignored)

    def described(self) -> str:
        return described(self._using, len(self._tables), self._count)


def state_of(rows: Rows, using: str, ignored: Ignored) -> dict[str, Any]:
    """Return the rows of all tables, by the name of the model or of the table."""
    prefix = "" if using == "default" else f"{using}."
    return {
        f"{prefix}{name}": read()
        for name, table, read in rows.tables()
        if not ignored.has(name, f"{prefix}{name}", table)
    }


def described(using: str, tables: int, rows: int) -> str:
    return f"{using}: {counted(tables, 'table')}, {counted(rows, 'row')}" if tables else ""


def _count(wrapper: Any, table: str) -> int:
    with closing(wrapper.cursor()) as cursor:
        cursor.execute(f"SELECT count(*) FROM {wrapper.ops.quote_name(table)}")  # noqa: S608 - a table that is there
        (number,) = cursor.fetchone()
    return int(number)
