"""What jobs do to sqlite databases."""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from sqlite3 import dbapi2
from types import TracebackType
from typing import Any, Final, Literal
from weakref import WeakSet

from ...harness.records.patches import Patches
from ..engine.acts import Act, is_explored, looking, note_connection, perform_act
from .statements import changes, shown

library: Final = "sqlite3"

_PATIENCE: Final = re.compile(r"\s*pragma\s+busy_timeout\s*[=(]", re.IGNORECASE)
#: What the database takes from the clock of the machine, which is another than that of the test.
_CLOCK: Final = {
    "current_timestamp": "%Y-%m-%d %H:%M:%S",
    "current_date": "%Y-%m-%d",
    "current_time": "%H:%M:%S",
}


def install(patches: Patches) -> None:
    """Hear of the statements of every connection that is opened from now on.

    A connection does not wait for a lock: the delivery that would release it is suspended.
    """
    connect = functools.partial(_connect, sqlite3.connect)
    patches.set(sqlite3, "connect", connect)
    patches.set(dbapi2, "connect", connect)


def _connect(connect: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    factory = kwargs.pop("factory", sqlite3.Connection)
    if not issubclass(factory, _Heard):
        factory = type(f"Heard{factory.__name__}", (_Heard, factory), {})
    if len(args) > 1:
        args = (args[0], 0.0, *args[2:])
    else:
        kwargs["timeout"] = 0.0
    connection = connect(*args, factory=factory, **kwargs)
    for name, form in _CLOCK.items():
        connection.create_function(name, 0, functools.partial(_now, form))
    note_connection(connection.die)
    return connection


class _Heard(sqlite3.Connection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()
        self._dead = False
        super().__init__(*args, **kwargs)

    def die(self) -> None:
        """End as with the process: the locks of a query that is half read go as well, which `close` keeps."""
        for cursor in list(self._cursors):
            with suppress(sqlite3.Error):
                cursor.close()
        with suppress(sqlite3.Error):
            super().rollback()
        self.close()
        self._dead = True

    def cursor(self, factory: Any = None) -> Any:
        cursor = super().cursor(factory or _HeardCursor)
        self._cursors.add(cursor)
        return cursor

    def execute(self, sql: str, *args: Any) -> Any:
        return self.cursor().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> Any:
        return self.cursor().executemany(sql, *args)

    def executescript(self, script: str, /) -> Any:
        return self.cursor().executescript(script)

    def commit(self) -> None:
        if self.in_transaction:
            _heard("commit", super().commit)

    def rollback(self) -> None:
        # A generator of the dead delivery that is collected later still means to end its transaction.
        if not self._dead:
            super().rollback()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        if kind is None:
            try:
                self.commit()
            except BaseException:
                self.rollback()
                raise
        else:
            self.rollback()
        return False


class _HeardCursor(sqlite3.Cursor):
    def execute(self, sql: str, *args: Any) -> Any:
        return _statement(sql, functools.partial(super().execute, impatient(sql), *args))

    def executemany(self, sql: str, *args: Any) -> Any:
        return _statement(sql, functools.partial(super().executemany, sql, *args))

    def executescript(self, script: str, /) -> Any:
        return _statement(script, functools.partial(super().executescript, script))


def _statement(sql: str, do: Callable[[], Any]) -> Any:
    if not any(map(changes, sql.split(";"))):
        with looking(is_locked):
            return do()
    return _heard(shown(sql), do)


def impatient(sql: str) -> str:
    """Let a connection that asks for patience not wait: who holds the lock is suspended."""
    return "pragma busy_timeout = 0" if is_explored() and _PATIENCE.match(sql) else sql


def _heard(text: str, do: Callable[[], Any]) -> Any:
    act = Act("sqlite", text, counts=False, refused=failed, answer_lost=None, busy=is_locked)
    return perform_act(act, do)


def _now(form: str) -> str:
    return datetime.now(UTC).strftime(form)


def is_locked(error: BaseException) -> bool:
    """Say whether an error says that another connection holds a lock."""
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def failed() -> Exception:
    """Return the error of a statement that did not happen."""
    return sqlite3.OperationalError("disk I/O error")
