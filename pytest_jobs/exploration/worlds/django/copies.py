"""A copy of a sqlite database of Django, and what a state shows of any copy."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from typing import Any

from ..base.sqlite import refusing_direct_connections
from ..base.store import Building, counted
from .databases import behind_alias, models_of, settings_of, sqlite_file
from .rows import Known, Rows, table_names


class SqliteCopy:
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
    def opened(self, building: Building) -> Generator[Callable[[], dict[str, Any]], None, None]:
        with (
            sqlite_file(self._content, self._using, settings_of(self._using)) as settings,
            behind_alias(self._using, settings),
            refusing_direct_connections([self._name], "Django"),
            Rows.opened(self._models, self._using, self._known) as rows,
        ):
            if not self._known:
                rows.remember_first()
            yield lambda: state_of(rows, self._using, building)

    def described(self) -> str:
        return described(self._using, len(self._tables), self._count)


def state_of(rows: Rows, using: str, building: Building) -> dict[str, Any]:
    """Return the rows of all tables, by the name of the model or of the table."""
    prefix = "" if using == "default" else f"{using}."
    return {
        f"{prefix}{name}": read()
        for name, table, read in rows.tables(shared=building.is_whole)
        if not building.is_ignored(name, f"{prefix}{name}", table)
    }


def described(using: str, tables: int, rows: int) -> str:
    return f"{using}: {counted(tables, 'table')}, {counted(rows, 'row')}" if tables else ""


def _count(wrapper: Any, table: str) -> int:
    with closing(wrapper.cursor()) as cursor:
        cursor.execute(f"SELECT count(*) FROM {wrapper.ops.quote_name(table)}")  # noqa: S608 - a table that is there
        (number,) = cursor.fetchone()
    return int(number)
