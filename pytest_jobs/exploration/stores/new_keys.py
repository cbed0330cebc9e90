"""The integer keys that sqlite gives to new rows: no two histories need have the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Final, TypeAlias

#: Returns whether a database gives numbers to the rows of a table, by its name, new keys and the last one before.
AreNumbers: TypeAlias = Callable[[str, Sequence[int], int], bool]
_TABLES: Final = """
select name from sqlite_master where type = 'table' and name not like 'sqlite~_%' escape '~' order by 1
"""
#: The columns of primary keys, with the tables that have them. What a virtual table has, its module says.
_KEYS: Final = """
select master.name, info.name, info.type from sqlite_master as master, pragma_table_info(master.name) as info
where master.type = 'table' and sql not like 'create virtual%' and pk
"""
_REFERENCES: Final = """
select name, "from", "table", "to" from sqlite_master, pragma_foreign_key_list(name)
where type = 'table' and sql not like 'create virtual%'
"""


class NewKeys:
    """The keys that a database gives to new rows in a history. They are compared by their order.

    So rows that are deleted and made anew are the same rows, as they are to the rows that refer to them.
    """

    def __init__(
        self, label: str, are_numbers: AreNumbers, connection: sqlite3.Connection | None = None
    ) -> None:
        """Let the keys stay as they are that a database has now; its label is the same in each history."""
        self._label = label
        self._are_numbers = are_numbers
        self._last: dict[str, int] = {}
        self._schema: object = None
        self._keys: dict[str, str] = {}
        self._references: list[tuple[Any, ...]] = []
        if connection is not None:
            self._learn(connection)
            for table, column in self._keys.items():
                query = f"select max({quoted(column)}) from {quoted(table)}"  # noqa: S608 - names that are there
                self._last[table] = rows_by(connection, query)[0][0] or 0

    def _learn(self, connection: sqlite3.Connection) -> None:
        """Learn which columns have numbers that a database gives out, and which refer to them."""
        schema = rows_by(connection, "pragma schema_version")
        if schema == self._schema:
            return
        kinds: dict[str, list[tuple[str, str]]] = {}
        for table, column, kind in rows_by(connection, _KEYS):
            kinds.setdefault(table.lower(), []).append((column, kind.upper()))
        self._schema = schema
        self._keys = {
            table: column
            for table, ((column, kind), *others) in kinds.items()
            if kind == "INTEGER" and not others
        }
        self._references = rows_by(connection, _REFERENCES)

    def number(
        self, connection: sqlite3.Connection, table: str, rows: Iterable[dict[str, Any]]
    ) -> None:
        """Replace new keys by their numbers in the rows of a table, also those of rows to which these refer."""
        numbers = self.numbers(connection, table)
        for row in rows if numbers else ():
            for column in row.keys() & numbers.keys():
                row[column] = numbers[column].get(row[column], row[column])

    def numbers(
        self, connection: sqlite3.Connection, table: str
    ) -> Mapping[str, Mapping[object, int]]:
        """Return the numbers of new keys, by the columns of a table that have them."""
        self._learn(connection)
        named = {self._keys.get(table.lower()): table} | {
            column: other
            for owner, column, other, to in self._references
            if owner.lower() == table.lower() and to in (None, self._keys.get(other.lower()))
        }
        found = {
            column: self._numbers(connection, other, key)
            for column, other in named.items()
            if column is not None and (key := self._keys.get(other.lower())) is not None
        }
        return {column: numbers for column, numbers in found.items() if numbers}

    def _numbers(
        self, connection: sqlite3.Connection, table: str, column: str
    ) -> dict[object, int]:
        last, key, where = self._last.get(table.lower(), 0), quoted(column), quoted(table)
        query = f"select {key} from {where} where {key} > {last} order by 1"  # noqa: S608 - names that are there
        keys = [found for (found,) in rows_by(connection, query)]
        if not self._are_numbers(f"{self._label}.{table.lower()}", keys, last):
            return {}
        return {key: last + place for place, key in enumerate(keys, 1)}


def names_of_tables(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in rows_by(connection, _TABLES)]


def rows_in(connection: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table by the names of their columns."""
    with closing(sqlite3.Cursor(connection)) as cursor:
        cursor.row_factory = None
        cursor.execute(f"select * from {quoted(table)}")  # noqa: S608 - a table that is there
        columns = [column for column, *_ in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor]


def rows_by(connection: sqlite3.Connection, query: str, *values: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.Cursor(connection)) as cursor:
        cursor.row_factory = None
        return cursor.execute(query, values).fetchall()


def quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))
