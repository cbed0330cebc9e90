"""Tables of a PostgreSQL database between histories: what is in them, and how the same is put back.

A connection is one of psycopg or psycopg2. Questions can also be asked by the wrappers of Django.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Final

from ....errors import ExplorationError

#: One row of a table, under a name that no column has.
_ROW: Final = "pytest_jobs_row"
#: A trigger or a cascade may change tables that were put back. In the last round, no trigger of a deletion runs.
_ROUNDS: Final = 4
_NOT_PUT_BACK: Final = (
    "The rows of {tables} could not be put back to what they are in the test: something in the database, such as "
    "a trigger, changes them. "
)
#: How far each sequence has come, with its schema.
STATES: Final = """
SELECT quote_ident(schemaname), quote_ident(sequencename), coalesce(last_value, start_value),
    last_value IS NOT NULL
FROM pg_sequences
"""
#: Each foreign key: the table, that to which it refers, and whether it may be broken within a transaction.
_KEYS: Final = """
SELECT conrelid::regclass::text, confrelid::regclass::text, condeferrable AND confdeltype = 'a'
FROM pg_constraint WHERE contype = 'f'
"""


def asked(connection: Any, sql: str, params: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    """Run statements, and return the rows of the last one; none if it returns none."""
    if not sql:
        return []
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
    return rows


def fingerprints_of(connection: Any, names: Sequence[str]) -> dict[str, Hashable]:
    """Return for each table, by its quoted name, a value that changes with its rows; None where it has none."""
    if not names:
        return {}
    questions = (
        f"SELECT {place}, md5(string_agg({_ROW}::text, chr(10) ORDER BY {_ROW}::text)) FROM {name} {_ROW}"  # noqa: S608 - names of tables
        for place, name in enumerate(names)
    )
    return {
        names[int(place)]: mark for place, mark in asked(connection, " UNION ALL ".join(questions))
    }


class SnapshotLooks:
    """Says what may have changed in a database since it was looked at last."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._snapshot: object = None

    def changed(self, tables: Collection[str]) -> Collection[str]:
        """Return all tables if a transaction that writes has begun or ended anywhere since the last look."""
        before = self._snapshot
        self._snapshot = asked(self._connection, "SELECT txid_current_snapshot()::text")
        return () if self._snapshot == before else tables


def set_sequences(states: Iterable[tuple[str, int, bool]]) -> str:
    """Return the statement that sets sequences: each with its last number, and whether that was given out."""
    calls = [f"setval('{name}', {last}, {str(given).lower()})" for name, last, given in states]
    return f"SELECT {', '.join(calls)}" if calls else ""


def replace_rows(
    connection: Any,
    names: Collection[str],
    contents: Mapping[str, bytes],
    *,
    truncates: bool = False,
) -> None:
    """Delete all rows of tables in one transaction, and put others in: first those that are referred to.

    Foreign keys are checked at the end where they can be. To truncate is slower where little is in the tables.
    """
    deletions = "; ".join(f"DELETE FROM ONLY {name}" for name in reversed(list(names)))  # noqa: S608 - names of tables
    if truncates:
        deletions = f"TRUNCATE {', '.join(names)} CASCADE"
    try:
        asked(connection, f"BEGIN; SET CONSTRAINTS ALL DEFERRED; {deletions}")
        for name in names:
            if contents.get(name):
                _put_in(connection, name, contents[name])
        asked(connection, "COMMIT")
    except BaseException:
        asked(connection, "ROLLBACK")
        raise


def rows_of(connection: Any, table: str) -> bytes:
    """Return the rows of a table in the format of COPY, by a connection of the driver."""
    with closing(connection.cursor()) as cursor:
        if hasattr(cursor, "copy_expert"):
            found = io.BytesIO()
            cursor.copy_expert(f"COPY {table} TO STDOUT", found)
            return found.getvalue()
        with cursor.copy(f"COPY {table} TO STDOUT") as rows:
            return b"".join(map(bytes, rows))


def _put_in(connection: Any, table: str, content: bytes) -> None:
    with closing(connection.cursor()) as cursor:
        if hasattr(cursor, "copy_expert"):
            cursor.copy_expert(f"COPY {table} FROM STDIN", io.BytesIO(content))
            return
        with cursor.copy(f"COPY {table} FROM STDIN") as rows:
            rows.write(content)


class Tables:
    """Tables that each history finds with the same rows, and with sequences that go on from the same numbers.

    Only tables that a history has changed are put back. Their rows are deleted, which is faster than TRUNCATE
    where little is in them, and put in again by COPY.
    """

    def __init__(
        self,
        own: Any,
        names: Collection[str],
        states: Iterable[tuple[str, int, bool]],
        source: Any = None,
    ) -> None:
        """Read the first rows of tables, by the connection that sees them; None if there are none.

        The tables have quoted names. No transaction uses the other connection. Each sequence comes with its last
        number, and whether that was given out.
        """
        self._keys = asked(own, _KEYS)
        #: Those that are referred to come first, where that is possible.
        self.names = in_order(names, self._keys)
        #: The fingerprint of each table; None for an empty one.
        self._marks: Mapping[str, Hashable] = dict.fromkeys(names)
        if source is not None:
            self._marks = fingerprints_of(source, self.names)
        #: The rows of the others, in the format of COPY.
        self._contents = {
            name: rows_of(source, name)
            for name, mark in self._marks.items()
            if mark is not None and source is not None
        }
        self._sequences = set_sequences(states)
        self._truncates = False

    @property
    def count(self) -> int:
        return sum(content.count(b"\n") for content in self._contents.values())

    def put_back(self, own: Any, otherwise: str = "") -> None:
        """Give the tables their first rows again, by a connection that no transaction uses.

        Where the database itself changes these rows, an error says what to write `otherwise`. That is empty where
        each history may find what the database makes of them.
        """
        changed = self._changed(own)
        for number in range(1, _ROUNDS + 1):
            if not changed:
                break
            self._replace(own, changed, is_last=number == _ROUNDS)
            changed = self._changed(own)
        asked(own, self._sequences)
        if changed and otherwise:
            raise ExplorationError(_NOT_PUT_BACK.format(tables=", ".join(changed)) + otherwise)

    def _replace(self, own: Any, changed: Collection[str], *, is_last: bool) -> None:
        if not self._truncates and not is_last:
            waiting = [(table, to) for table, to, may_wait in self._keys if not may_wait]
            try:
                replace_rows(own, self._with_referring(changed, waiting), self._contents)
                return
            except Exception:
                # Such as tables that refer to one another by keys that are checked at once.
                self._truncates = True
        keys = [(table, to) for table, to, _ in self._keys]
        names = self._with_referring(changed, keys)
        replace_rows(own, names, self._contents, truncates=True)

    def _changed(self, own: Any) -> list[str]:
        marks = fingerprints_of(own, self.names)
        return [table for table in self.names if marks[table] != self._marks[table]]

    def _with_referring(
        self, tables: Collection[str], keys: Collection[tuple[str, str]]
    ) -> list[str]:
        """Return tables, and those whose rows would keep theirs from being deleted, or go with them."""
        found = set(tables)
        while True:
            more = {table for table, to in keys if to in found}
            if more <= found:
                return [table for table in self.names if table in found]
            found |= more


def in_order(tables: Collection[str], keys: Collection[tuple[Any, ...]]) -> list[str]:
    """Return tables such that each comes after those to which it refers, where that is possible."""
    referred: dict[str, list[str]] = {table: [] for table in tables}
    for table, to, _ in keys:
        if table in referred and to in referred:
            referred[table].append(to)
    ordered: dict[str, None] = {}
    begun: set[str] = set()

    def add(table: str) -> None:
        if table not in begun:
            begun.add(table)
            for to in referred[table]:
                add(to)
            ordered[table] = None

    for table in tables:
        add(table)
    return list(ordered)
