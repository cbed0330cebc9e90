"""What the effect sources of the blocking drivers of MySQL do alike."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from typing import Any

from .....harness.records.patches import Patches
from ....engine.acts import looking
from ...wrapping import surround
from .driver import sent, unwatched
from .mysql import RELEASES, Ask, Mysql, Question, Questions, options_again
from .statements import is_busy


class BlockingDriver(Mysql):
    """The effect source for a driver whose calls return when the server has answered."""

    @property
    def advice(self) -> str:
        return (
            f"Open the connection within the job, with `{self.name}.connect(...)`, or take it out of the pool of "
            "an engine of SQLAlchemy."
        )

    def is_open(self, connection: Any) -> bool:
        return bool(connection.open)

    def surround_statements(
        self, patches: Patches, connection: type[Any], cursor: type[Any], query: str
    ) -> None:
        """Surround what a connection and its cursors send.

        Args:
            patches: puts everything back.
            connection: the class of the connections.
            cursor: the class of the cursors.
            query: the method of a connection that sends the text of a statement.
        """
        surround(patches, connection, query, self._statement_of_connection)
        surround(patches, connection, "commit", self.commit)
        surround(patches, connection, "rollback", self.rollback)
        for name, block in (
            ("begin", self._begin),
            ("autocommit", self._commit_each),
            ("select_db", self.use_database),
            ("cmd_init_db", self.use_database),
            ("ping", self.no_effect),
            ("close", self.no_effect),
        ):
            # `autocommit` is a property of some, which sends a statement.
            if callable(getattr(connection, name, None)):
                surround(patches, connection, name, block)
        self.surround_cursor(patches, cursor)

    def surround_cursor(self, patches: Patches, cursor: type[Any]) -> None:
        """Surround what the cursors of a class send."""
        for name in ("execute", "executemany"):
            if name in vars(cursor):
                surround(patches, cursor, name, self._statement_of_cursor)
        if "callproc" in vars(cursor):
            surround(patches, cursor, "callproc", self._procedure)

    @contextmanager
    def connecting(self, connection: Any, host: str | None) -> Generator[None, None, None]:
        """Surround the opening of a connection.

        Args:
            connection: what is opened.
            host: the machine of the server; None for a socket in the file system, or this machine.
        """
        self.check_reach(host)
        with sent(looking(is_busy)):
            yield
        _answer(connection, self.note_opened(connection))

    def note_again(self, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note how another connection to the same database is opened: with the arguments of this one."""
        kind, options = type(connection), options_again(kwargs)

        def ask(*questions: Question) -> list[Any]:
            with closing(kind(*args, **options)) as other, closing(other.cursor()) as cursor:
                for sql, values in questions:
                    cursor.execute(sql, values)
                return list(cursor.fetchall())

        again: Ask = lambda *questions: unwatched(functools.partial(ask, *questions))  # noqa: E731
        self.opening(connection).again = again

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

    def statement(self, connection: Any, sql: Any) -> AbstractContextManager[None]:
        _answer(connection, self.before_statement(connection))
        return super().statement(connection, sql)

    def _statement_of_cursor(
        self, cursor: Any, sql: Any, *args: Any, **kwargs: Any
    ) -> AbstractContextManager[None]:
        connection = self.connection_of(cursor)
        return nullcontext() if connection is None else self.statement(connection, sql)

    @contextmanager
    def _statement_of_connection(
        self, connection: Any, sql: Any, *args: Any, **kwargs: Any
    ) -> Generator[None, None, None]:
        with self.statement(connection, sql):
            _answer(connection, self.check_lock(sql))
            yield

    def _procedure(
        self, cursor: Any, procname: str, *args: Any, **kwargs: Any
    ) -> AbstractContextManager[None]:
        return self._statement_of_cursor(cursor, f"CALL {procname}")

    def _begin(self, connection: Any) -> AbstractContextManager[None]:
        return self.statement(connection, "BEGIN")

    def _commit_each(self, connection: Any, value: object) -> AbstractContextManager[None]:
        return self.statement(connection, f"SET autocommit = {int(bool(value))}")


def _answer(connection: Any, questions: Questions) -> None:
    """Send what a source asks by the connection of the job."""
    rows: Any = None
    with suppress(StopIteration):
        while True:
            sql = questions.send(rows)
            rows = unwatched(functools.partial(_run, connection, sql))


def _run(connection: Any, sql: str) -> list[Any]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        rows = list(cursor.fetchall()) if cursor.description else []
    # Those of a cursor that gives dictionaries.
    return [tuple(row.values()) if isinstance(row, dict) else row for row in rows]
