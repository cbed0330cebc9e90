"""What the effect sources of the blocking drivers of MySQL do alike."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from .....harness.records.patches import Patches
from ...wrapping import surround
from .driver import unwatched
from .mysql import RELEASES, Ask, Mysql, Question, options_again


class BlockingDriver(Mysql):
    """The effect source for a driver whose calls return when the server has answered."""

    is_awaited = False

    @property
    def advice(self) -> str:
        return (
            f"Open the connection within the job, with `{self.name}.connect(...)`, or take it out of the pool of "
            "an engine of SQLAlchemy."
        )

    def watch_connections(
        self, patches: Patches, kind: type[Any], connect: str, query: str
    ) -> None:
        super().watch_connections(patches, kind, connect, query)
        surround(patches, kind, "close", self.no_effect)

    def is_open(self, connection: Any) -> bool:
        return bool(connection.open)

    def ask(self, connection: Any, sql: str) -> list[Any]:
        return unwatched(functools.partial(_run, connection, sql))

    def another(self, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ask:
        kind, options = type(connection), options_again(kwargs)

        def ask(questions: tuple[Question, ...]) -> list[Any]:
            with closing(kind(*args, **options)) as other, closing(other.cursor()) as cursor:
                for sql, values in questions:
                    cursor.execute(sql, values)
                return list(cursor.fetchall())

        return lambda *questions: unwatched(functools.partial(ask, questions))

    def die(self, connection: Any) -> None:
        self._end(connection, connection.close)

    def lost(self, connection: Any) -> Exception:
        # Not closed by the client: the driver finds out at its next statement, and cursors can be closed.
        self._end(connection, lambda: _run(connection, "KILL CONNECTION_ID()"))
        return super().lost(connection)

    def _end(self, connection: Any, last: Callable[[], object]) -> None:
        if not self.is_open(connection):
            return
        releases = [functools.partial(_run, connection, sql) for sql in RELEASES]
        for end in (connection.rollback, *releases, last):
            with suppress(Exception):
                unwatched(end)


def _run(connection: Any, sql: str) -> list[Any]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        rows = list(cursor.fetchall()) if cursor.description else []
    # Those of a cursor that gives dictionaries.
    return [tuple(row.values()) if isinstance(row, dict) else row for row in rows]
