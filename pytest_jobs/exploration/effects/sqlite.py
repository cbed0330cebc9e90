"""What jobs do to sqlite databases."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from sqlite3 import dbapi2
from types import TracebackType
from typing import Any, Final, Literal

from ...harness.patches import Patches
from ..acts import Act, looking, note_connection, perform_act

library: Final = "sqlite3"

_READING: Final = ("select", "pragma", "explain", "values", "begin", "savepoint", "release")


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
    note_connection(connection.close)
    return connection


class _Heard(sqlite3.Connection):
    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or _HeardCursor)

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
        return _statement(sql, functools.partial(super().execute, sql, *args))

    def executemany(self, sql: str, *args: Any) -> Any:
        return _statement(sql, functools.partial(super().executemany, sql, *args))

    def executescript(self, script: str, /) -> Any:
        return _statement(script, functools.partial(super().executescript, script))


def _statement(sql: str, do: Callable[[], Any]) -> Any:
    words = sql.split(None, 1)
    if not words or words[0].lower().rstrip(";") in _READING:
        with looking(_is_locked):
            return do()
    return _heard(" ".join(sql.split())[:80], do)


def _heard(text: str, do: Callable[[], Any]) -> Any:
    act = Act("sqlite", text, counts=False, refused=_refused, answer_lost=None, busy=_is_locked)
    return perform_act(act, do)


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def _refused() -> Exception:
    return sqlite3.OperationalError("disk I/O error")
