"""What jobs do to sqlite databases by the standard library."""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from sqlite3 import dbapi2
from types import TracebackType
from typing import Any, Final, Literal, cast
from weakref import WeakSet

from ...harness.records.patches import Patches
from ..engine.acts import Act, acting, is_explored, looking, note_connection
from ..stores.sqlite import Authorizer
from .statements import changes, shown

library: Final = "sqlite3"

_BUSY_TIMEOUT: Final = re.compile(r"\s*pragma\s+busy_timeout\s*[=(]", re.IGNORECASE)
#: The functions of SQL that read the clock of the machine. In a delivery they read the clock of the test.
_CLOCK: Final = {
    "current_timestamp": "%Y-%m-%d %H:%M:%S",
    "current_date": "%Y-%m-%d",
    "current_time": "%H:%M:%S",
}


def install(patches: Patches) -> None:
    """Watch the statements of every connection that is opened from now on.

    No such connection waits for a lock, since the delivery that holds it is suspended. Both modules are
    patched: SQLAlchemy and Django open their connections by `sqlite3.dbapi2`.
    """
    connect = functools.partial(_connect, sqlite3.connect)
    patches.set(sqlite3, "connect", connect)
    patches.set(dbapi2, "connect", connect)


def _connect(connect: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    factory = kwargs.pop("factory", sqlite3.Connection)
    if not issubclass(factory, _WatchedConnection):
        factory = type(f"Watched{factory.__name__}", (_WatchedConnection, factory), {})
    if len(args) > 1:
        args = (args[0], 0.0, *args[2:])
    else:
        kwargs["timeout"] = 0.0
    connection = connect(*args, factory=factory, **kwargs)
    for name, form in _CLOCK.items():
        connection.create_function(
            name, 0, functools.partial(lambda form: datetime.now(UTC).strftime(form), form)
        )
    note_connection(connection.die)
    return connection


class _WatchedConnection(sqlite3.Connection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()
        self._dead = False
        super().__init__(*args, **kwargs)
        self._authorizer = Authorizer(self, args[0] if args else kwargs["database"])

    def set_authorizer(self, authorizer_callback: Callable[..., int] | None) -> None:
        super().set_authorizer(authorizer_callback)
        self._authorizer.replace(authorizer_callback)

    def execute_by(self, execute: Callable[..., Any], *args: Any) -> Any:
        """Execute a statement, and let the account of the history know which tables it reads and writes."""
        self._let_sqlite_ask()
        result = execute(*args)
        self._authorizer.note_attached()
        return result

    def _let_sqlite_ask(self) -> None:
        """Let sqlite ask the authorizer again, also about prepared statements, where another phase has begun."""
        if self._authorizer.is_behind():
            super().set_authorizer(self._authorizer.allow)

    def die(self) -> None:
        """End as with the process.

        The cursors are closed first: a query of which half the rows were read keeps its lock, also after
        `close` of the connection.
        """
        for cursor in list(self._cursors):
            with suppress(sqlite3.Error):
                cursor.close()
        with suppress(sqlite3.Error):
            super().rollback()
        self.close()
        self._dead = True

    def cursor(self, factory: Any = None) -> Any:
        # A cursor of the application's own class executes its statements by itself.
        self._let_sqlite_ask()
        cursor = super().cursor(factory or _WatchedCursor)
        self._cursors.add(cursor)
        return cursor

    # In C these make a plain cursor, so they have to be written again.
    def execute(self, sql: str, *args: Any) -> Any:
        return self.cursor().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> Any:
        return self.cursor().executemany(sql, *args)

    def executescript(self, script: str, /) -> Any:
        return self.cursor().executescript(script)

    def commit(self) -> None:
        if self.in_transaction:
            with acting(act_of("commit")):
                super().commit()

    def rollback(self) -> None:
        # A generator of the dead delivery may be collected later and roll back then.
        if not self._dead:
            super().rollback()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        # In C it commits without calling `commit`.
        if kind is None:
            try:
                self.commit()
            except BaseException:
                self.rollback()
                raise
        else:
            self.rollback()
        return False


class _WatchedCursor(sqlite3.Cursor):
    def execute(self, sql: str, *args: Any) -> Any:
        with _block_of(sql):
            return self._execute_by(super().execute, without_patience(sql), *args)

    def executemany(self, sql: str, *args: Any) -> Any:
        with _block_of(sql):
            return self._execute_by(super().executemany, sql, *args)

    def executescript(self, script: str, /) -> Any:
        with _block_of(script):
            return self._execute_by(super().executescript, script)

    def _execute_by(self, method: Callable[..., Any], *args: Any) -> Any:
        return cast("_WatchedConnection", self.connection).execute_by(method, *args)


def is_watched(connection: object) -> bool:
    """Return whether the statements of a connection are seen."""
    return isinstance(connection, _WatchedConnection)


def _block_of(sql: str) -> AbstractContextManager[None]:
    if any(map(changes, sql.split(";"))):
        return acting(act_of(shown(sql)))
    return looking(is_locked)


def act_of(text: str) -> Act:
    """Return the act of a statement or commit: its answer cannot be lost, since sqlite has no server."""
    return Act("sqlite", text, counts=False, refused=failed, answer_lost=None, busy=is_locked)


def without_patience(sql: str) -> str:
    """Return a statement, with a timeout of zero where it asks to wait for locks.

    The delivery that holds the lock is suspended, and never releases it.
    """
    return "pragma busy_timeout = 0" if is_explored() and _BUSY_TIMEOUT.match(sql) else sql


def is_locked(error: BaseException) -> bool:
    """Say whether an error says that another connection holds a lock."""
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def failed() -> Exception:
    """Return the error of a statement that did not happen."""
    return sqlite3.OperationalError("disk I/O error")
