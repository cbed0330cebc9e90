"""A PostgreSQL database between histories: what is in its tables, and how they come to that again."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Final

from django.db import DatabaseError

#: One row of a table, under a name that no column has.
_ROW: Final = "pytest_jobs_row"
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


class Emptying:
    """Empties tables, and those that refer to them, as TRUNCATE does and faster where little is in them."""

    def __init__(self, wrapper: Any, tables: Iterable[str]) -> None:
        """Read which tables and sequences there are.

        Args:
            wrapper: a connection that no transaction uses.
            tables: the names of the tables, as models have them.
        """
        self._wrapper = wrapper
        names = [wrapper.ops.quote_name(table) for table in tables]
        self._tables = [name for (name,) in asked(wrapper, _REFERRING, [names])]
        found = asked(wrapper, _SEQUENCES, [self._tables])
        self._reset = set_sequences((name, start, False) for name, start in found)

    def empty(self) -> None:
        """Empty the tables, and let their sequences begin again."""
        filled = self._filled()
        if filled:
            try:
                replace_rows(self._wrapper, filled, {})
                filled = self._filled()
            except DatabaseError:
                # A foreign key that is checked at once, or a trigger.
                pass
        if filled:
            names = ", ".join(filled)
            asked(self._wrapper, f"TRUNCATE {names} CASCADE")
        asked(self._wrapper, self._reset)

    def _filled(self) -> list[str]:
        if not self._tables:
            return []
        questions = (
            f"SELECT {place} WHERE EXISTS (SELECT 1 FROM {name})"  # noqa: S608 - names of tables
            for place, name in enumerate(self._tables)
        )
        return [
            self._tables[place] for (place,) in asked(self._wrapper, " UNION ALL ".join(questions))
        ]


def asked(wrapper: Any, sql: str, params: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    """Run statements, and return the rows of the last one; none if it returns none."""
    if not sql:
        return []
    with closing(wrapper.cursor()) as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
    return rows


def fingerprints_of(wrapper: Any, names: Sequence[str]) -> dict[str, Hashable]:
    """Return for each table, by its quoted name, a value that changes with its rows."""
    if not names:
        return {}
    questions = (
        f"SELECT {place}, md5(string_agg({_ROW}::text, chr(10) ORDER BY {_ROW}::text)) FROM {name} {_ROW}"  # noqa: S608 - names of tables
        for place, name in enumerate(names)
    )
    return {
        names[int(place)]: mark for place, mark in asked(wrapper, " UNION ALL ".join(questions))
    }


def set_sequences(states: Iterable[tuple[str, int, bool]]) -> str:
    """Return the statement that sets sequences: each with its last number, and whether that was given out."""
    calls = [f"setval('{name}', {last}, {str(given).lower()})" for name, last, given in states]
    return f"SELECT {', '.join(calls)}" if calls else ""


def replace_rows(wrapper: Any, names: Collection[str], contents: Mapping[str, bytes]) -> None:
    """Delete all rows of tables in one transaction, and put others in, in this order.

    Foreign keys are checked at the end where they can be.

    Args:
        wrapper: a connection that no transaction uses.
        names: the quoted names of the tables; those that are referred to first.
        contents: the new rows of tables, in the format of COPY.
    """
    deletions = "; ".join(f"DELETE FROM ONLY {name}" for name in reversed(list(names)))  # noqa: S608 - names of tables
    try:
        asked(wrapper, f"BEGIN; SET CONSTRAINTS ALL DEFERRED; {deletions}")
        for name in names:
            if contents.get(name):
                with (
                    closing(wrapper.connection.cursor()) as cursor,
                    cursor.copy(f"COPY {name} FROM STDIN") as rows,
                ):
                    rows.write(contents[name])
        asked(wrapper, "COMMIT")
    except BaseException:
        asked(wrapper, "ROLLBACK")
        raise
