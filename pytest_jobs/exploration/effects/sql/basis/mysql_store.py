"""A database of MySQL or MariaDB, whose tables statements name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final, Protocol, TypeAlias

from ....engine.sameness.renaming import Unordered

#: A statement, and the values of its parameters.
Question: TypeAlias = tuple[str, tuple[Any, ...]]

#: The columns of a table, and whether each numbers its rows.
_COLUMNS: Final = """
SELECT column_name, extra LIKE '%%auto_increment%%' FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position
"""


class Ask(Protocol):
    def __call__(self, *questions: Question) -> list[Any]:
        """Send statements by a connection of their own, and return the rows of the last one."""
        ...


class MysqlStore:
    noun = "table"

    def __init__(self, label: str, database: str) -> None:
        self.label = self.short = label
        self._database = database
        #: Asks a connection to the database that is like the last one that a delivery used.
        self.ask: Ask | None = None

    def is_bound(self, name: str) -> bool:
        return False

    def shows(self, read: str, name: str) -> bool:
        # Whether names in capitals are others depends on the file system of the server.
        return read.lower() == name.lower()

    def left_out(self, name: str, ways: Collection[str]) -> str | None:
        # One that is not there was temporary, or the job made and dropped it, or it is the alias of another.
        return None if self._columns(name) else ""

    def content(self, name: str, renamed: Callable[[Any], Any]) -> Any:
        columns = self._columns(name)
        # What the server has numbered has gaps after a rollback, which are no difference.
        shown = ",".join(_quoted(column) for column, is_number in columns if not is_number) or "1"
        table = f"{_quoted(self._database)}.{_quoted(name)}"
        rows = self._ask(f"SELECT {shown} FROM {table}") if columns else ()  # noqa: S608 - quoted names
        return renamed(Unordered(map(tuple, rows)))

    def _columns(self, name: str) -> list[tuple[str, int]]:
        return [(column, number) for column, number in self._ask(_COLUMNS, (self._database, name))]

    def _ask(self, sql: str, args: tuple[Any, ...] = ()) -> list[Any]:
        return [] if self.ask is None else self.ask(("SET lock_wait_timeout = 1", ()), (sql, args))


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"
