"""A PostgreSQL database between histories: what is in its tables, and how they come to that again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.db import DatabaseError

from ..base.postgresql import asked, replace_rows, set_sequences

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
