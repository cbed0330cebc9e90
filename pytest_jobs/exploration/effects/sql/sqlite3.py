"""What jobs do to sqlite databases by the standard library."""

from __future__ import annotations

import functools
import os
import re
import sqlite3
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from sqlite3 import dbapi2
from typing import Any, Final, Literal, cast
from weakref import WeakKeyDictionary, WeakSet

from ....harness.records.attributes import identity
from ....harness.records.patches import Patches
from ...engine.acts import (
    Act,
    Transaction,
    acting,
    looking,
    note_connection,
    refuse_delivery,
    watcher,
)
from ...stores.account import accounts
from ...stores.sqlite import Authorizer, DatabaseFile, Reporting, place_of, roll_back
from .basis.driver import Driver
from .basis.statements import Statement, act_of, changes, is_busy, shown, transaction_of

_BUSY_TIMEOUT: Final = re.compile(r"\s*pragma\s+busy_timeout\s*[=(]", re.IGNORECASE)
#: How many arguments of `connect` come before the one that binds a connection to its thread.
_BEFORE_THREADS: Final = 4
#: Statements that concern a connection alone, and those whose tables no other connection finds.
_SETTING: Final = re.compile(r"\s*(pragma|attach|detach)\b", re.IGNORECASE)
_TEMPORARY: Final = re.compile(r"\s*create\s+temp(orary)?\b", re.IGNORECASE)
_SHARED: Final = (
    "The job opened {database}, a sqlite database in memory that connections share: one that reads waits there "
    "for one that writes, as it does on no server, so nothing would be shown. Let the world put a database in a "
    'file in its place: `sqlite_world(schema, bind=(module, "connect"))`.'
)
#: The functions of SQL that read the clock of the machine. In a delivery they read the clock of the test.
_CLOCK: Final = {
    "current_timestamp": "%Y-%m-%d %H:%M:%S",
    "current_date": "%Y-%m-%d",
    "current_time": "%H:%M:%S",
}


class Sqlite(Driver):
    """The row of sqlite. Each connection watches itself, and there is no server whose answer could be lost."""

    library = "sqlite3"
    has_server = False

    def __init__(self) -> None:
        super().__init__(self.library)

    def install(self, patches: Patches) -> None:
        """Watch the statements of every connection that is opened from now on.

        No such connection waits for a lock, since the delivery that holds it is suspended. Both modules are
        patched: SQLAlchemy and Django open their connections by `sqlite3.dbapi2`.
        """
        connect = functools.partial(_connect, sqlite3.connect)
        patches.set(sqlite3, "connect", connect)
        patches.set(dbapi2, "connect", connect)

    def commits(self, connection: Any, statement: Statement) -> bool:
        return False

    def die(self, connection: Any) -> None:
        # One that was opened before the check is of another class.
        getattr(connection, "die", connection.close)()

    def lost(self, connection: Any) -> Exception:
        return failed()


source: Final = Sqlite()


def _connect(connect: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    factory = kwargs.pop("factory", sqlite3.Connection)
    factory = _watched(factory)
    if len(args) > 1:
        args = (args[0], 0.0, *args[2:])
    else:
        kwargs["timeout"] = 0.0
    account = accounts.current
    is_of_world = account is not None and account.phase == "world" and watcher.get() is None
    database, file = os.fsdecode(args[0] if args else kwargs["database"]), None
    if "cache=shared" in database and not place_of(database):
        refuse_delivery(_SHARED.format(database=database))
    if is_of_world and database == ":memory:":
        file = DatabaseFile()
        args, kwargs = (file.uri, *args[1:]), {**kwargs, "uri": True}
        kwargs.pop("database", None)
    if is_of_world and len(args) <= _BEFORE_THREADS:
        # Deliveries may have threads of their own.
        kwargs["check_same_thread"] = False
    again = functools.partial(_connect, connect, *args, factory=factory, **kwargs)
    token = _opening.set(True)
    try:
        connection = connect(*args, factory=factory, **kwargs)
    finally:
        _opening.reset(token)
    for name, form in _CLOCK.items():
        connection.create_function(
            name, 0, functools.partial(lambda form: datetime.now(UTC).strftime(form), form)
        )
    connection.opened(again if is_of_world else None)
    if file is not None:
        weakref.finalize(connection, file.close)
    return connection


@functools.cache
def _watched(factory: type[sqlite3.Connection]) -> type[Any]:
    if issubclass(factory, _WatchedConnection):
        return factory
    return type(f"Watched{factory.__name__}", (_WatchedConnection, factory), {})


#: Whether a connection is being opened by the functions that are watched.
_opening: Final[ContextVar[bool]] = ContextVar("pytest_jobs_opening_sqlite", default=False)


def is_opening() -> bool:
    return _opening.get()


class _WatchedConnection(Reporting):
    """A connection whose statements are seen.

    One that the world has opened is another connection in each delivery: no two workers have one in common.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()
        self._dead = False
        #: For a connection of the world: opens one like it, and what the world has told it.
        self._open_again: Callable[[], _WatchedConnection] | None = None
        self._told: list[Callable[[_WatchedConnection], object]] = []
        #: The delivery that has opened it, and ends it.
        self._opened_in: weakref.ref[Any] | None = None
        #: How many of its transactions have ended by a call of its own; closing it ends the last one.
        self.ended = 0
        self._of_deliveries: WeakKeyDictionary[Any, _WatchedConnection] = WeakKeyDictionary()
        super().__init__(*args, **kwargs)
        self._authorizer = Authorizer.of_new(self, args[0] if args else kwargs["database"])

    def opened(self, open_again: Callable[[], _WatchedConnection] | None) -> None:
        """End with the delivery that has opened it. One of the world opens another for each delivery."""
        self._open_again = open_again
        current = watcher.get()
        if current is not None:
            self._opened_in = weakref.ref(current)
            note_connection(self.die)

    def own_transaction(self) -> Transaction | None:
        """Return the transaction of the next statement; None if it does not end with the current delivery."""
        opened_in = None if self._opened_in is None else self._opened_in()
        is_own = opened_in is not None and opened_in is watcher.get()
        return _Transaction(self) if is_own else None

    @property
    def excludes_others(self) -> bool:
        """Whether a transaction that writes keeps the others out of everything that the connection has."""
        return self._authorizer.has_one_file

    def leave_world(self) -> None:
        """Be a connection like any other: whoever has opened it gives each delivery its own."""
        self._open_again = None

    def note_statement(self, sql: str, parameters: tuple[Any, ...]) -> None:
        """Note what concerns this connection alone: the connections of deliveries need it too."""
        if self._open_again is None or watcher.get() is not None:
            return
        if _TEMPORARY.match(sql):
            # No other connection finds what is temporary.
            self._open_again = None
        elif _SETTING.match(sql):
            self._told.append(lambda own: sqlite3.Cursor(own).execute(sql, *parameters))

    def note_use(self) -> None:
        """Let a delivery that uses a cursor of the world roll back what it has not committed when it dies."""
        current = None if self._open_again is None else watcher.get()
        if current is not None and current not in self._of_deliveries:
            self._commit_of_world()
            self._of_deliveries[current] = self
            note_connection(functools.partial(roll_back, self))

    def here(self) -> _WatchedConnection:
        """Return the connection of the current delivery; this one outside of deliveries."""
        current = watcher.get()
        if self._open_again is None or current is None:
            return self
        own = self._of_deliveries.get(current)
        if own is None:
            self._commit_of_world()
            own = self._of_deliveries[current] = self._open_again()
            if (account := accounts.current) is not None:
                # The job closes what the world has opened, if anything, and leaves this one open.
                account.when_closed(own.end)
            for tell in self._told:
                tell(own)
        for name in ("row_factory", "text_factory", "isolation_level"):
            if getattr(own, name) != getattr(self, name):
                setattr(own, name, getattr(self, name))
        return own

    def _commit_of_world(self) -> None:
        """Commit what the world has not committed: the job finds it there."""
        if super().in_transaction:
            super().commit()

    # What the world tells its connection, the connections of deliveries have to know too.
    def _tell(self, name: str, /, *args: Any, **kwargs: Any) -> None:
        here = self.here()
        getattr(sqlite3.Connection, name)(here, *args, **kwargs)
        if here is self:
            self._told.append(lambda own: getattr(own, name)(*args, **kwargs))

    create_function: Any = functools.partialmethod(_tell, "create_function")
    create_aggregate: Any = functools.partialmethod(_tell, "create_aggregate")
    create_collation: Any = functools.partialmethod(_tell, "create_collation")

    def deserialize(self, *args: Any, **kwargs: Any) -> None:
        # Its content is its own from now on.
        self._open_again = None
        super().deserialize(*args, **kwargs)

    def close(self) -> None:
        here = self.here()
        if here is self:
            self.end()
        else:
            here.close()

    @property
    def in_transaction(self) -> bool:
        here = self.here()
        return super().in_transaction if here is self else here.in_transaction

    @property
    def total_changes(self) -> int:
        here = self.here()
        return super().total_changes if here is self else here.total_changes

    def set_authorizer(self, authorizer_callback: Callable[..., int] | None) -> None:
        super().set_authorizer(authorizer_callback)
        self._authorizer.replace(authorizer_callback)

    def execute_by(self, execute: Callable[..., Any], *args: Any) -> Any:
        """Execute a statement, and let the account of the history know which tables it reads and writes."""
        self.note_statement(args[0], args[1:])
        self.note_use()
        self._let_sqlite_ask()
        result = execute(*args)
        self._authorizer.note_attached()
        return result

    def _let_sqlite_ask(self) -> None:
        """Let sqlite ask the authorizer again, also about prepared statements, where another phase has begun."""
        if self._authorizer.is_behind():
            super().set_authorizer(self._authorizer.allow)

    def end(self) -> None:
        """Close it, whoever has used it."""
        super().close()
        # Whoever asks whether its transaction is open would get an error of sqlite.
        self.ended += 1

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
        here = self.here()
        if here is not self:
            return here.cursor(factory)
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
        here = self.here()
        if here is not self:
            here.commit()
        elif super().in_transaction:
            with acting(sqlite_act("commit")):
                super().commit()
                self.ended += 1

    def rollback(self) -> None:
        here = self.here()
        if here is not self:
            here.rollback()
        # A generator of the dead delivery may be collected later and roll back then.
        elif not self._dead:
            super().rollback()
            self.ended += 1

    def __exit__(self, *raised: object) -> Literal[False]:
        # In C it commits without calling `commit`.
        if raised[0] is None:
            try:
                self.commit()
            except BaseException:
                self.rollback()
                raise
        else:
            self.rollback()
        return False


class _Transaction:
    """The transaction of a connection that is open, or begins with the next statement."""

    __slots__ = ("_connection", "_identity")

    def __init__(self, connection: _WatchedConnection) -> None:
        # The effects of a delivery are kept, and must not keep its connections.
        self._connection = weakref.ref(connection)
        self._identity = identity(connection), connection.ended

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Transaction) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def is_open(self) -> bool:
        connection = self._connection()
        return (
            connection is not None
            and connection.ended == self._identity[1]
            and connection.in_transaction
        )

    @property
    def excludes_others(self) -> bool:
        connection = self._connection()
        return connection is not None and connection.excludes_others


class _WatchedCursor(sqlite3.Cursor):
    def execute(self, sql: str, *args: Any) -> Any:
        with self._block_of(sql):
            return self._execute_by(super().execute, without_patience(sql), *args)

    def executemany(self, sql: str, *args: Any) -> Any:
        with self._block_of(sql):
            return self._execute_by(super().executemany, sql, *args)

    def executescript(self, script: str, /) -> Any:
        # It commits first, and its transactions are none of those that Python knows of.
        cast("_WatchedConnection", self.connection).ended += 1
        with _block_of(script):
            return self._execute_by(super().executescript, script)

    def _block_of(self, sql: str) -> AbstractContextManager[None]:
        return _block_of(sql, transaction_of(self.connection))

    def _execute_by(self, method: Callable[..., Any], *args: Any) -> Any:
        return cast("_WatchedConnection", self.connection).execute_by(method, *args)


def _block_of(sql: str, transaction: Transaction | None = None) -> AbstractContextManager[None]:
    if any(map(changes, sql.split(";"))):
        return acting(sqlite_act(shown(sql), transaction))
    return looking(is_busy, transaction)


def sqlite_act(text: str, transaction: Transaction | None = None) -> Act:
    """Return the effect of a statement or commit: its answer cannot be lost, since sqlite has no server."""
    return act_of("sqlite", text, failed, commits=False, transaction=transaction)


def without_patience(sql: str) -> str:
    """Return a statement, with a timeout of zero where it asks to wait for locks.

    The delivery that holds the lock is suspended, and never releases it.
    """
    return "pragma busy_timeout = 0" if watcher.get() and _BUSY_TIMEOUT.match(sql) else sql


def failed() -> Exception:
    return sqlite3.OperationalError("disk I/O error")
