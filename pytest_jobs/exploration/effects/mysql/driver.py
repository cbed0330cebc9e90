"""What the effect sources of all drivers of MySQL do alike."""

from __future__ import annotations

import contextvars
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from ....errors import ExplorationError
from ....harness.records.patches import Patches
from ...engine.acts import (
    Act,
    acting,
    holds_connection,
    is_explored,
    looking,
    may_wait_for_locks,
    note_connection,
    refuse_delivery,
    watcher,
)
from ...engine.sources import refuse_far
from ...stores.account import Account, accounts
from ..statements import is_busy, shown
from ..wrapping import surround
from .statements import Statement, lock_of
from .store import MysqlStore

T = TypeVar("T")

_FOREIGN: Final = (
    "The job used a connection to MySQL that was opened before it was delivered, or by an earlier delivery: each "
    "delivery is a process of its own, which cannot have it. Open the connection within the job, with "
    "`{library}.connect(...)`, or take it out of the pool of an engine of SQLAlchemy."
)
_OLD_VIEW: Final = (
    "The snapshot reads MySQL by a connection that was opened before the check and does not commit each "
    "statement: its transaction sees the same rows for ever. Connect with autocommit=True, or open the connection "
    "in the world."
)
_UNCOMMITTED: Final = (
    "The world has not committed what it wrote to MySQL ({text}), so that no delivery sees it. Call `commit()` of "
    "the connection, or connect with autocommit=True."
)
#: The attribute of a connection with its `Opening`.
_OPENING: Final = "_pytest_jobs_opening"
#: In seconds. A suspended delivery never releases its lock, so waiting for it is useless. MySQL makes one of zero.
_SUSPENDED_HOLDER: Final = 0
#: In seconds. The server needs a moment to release the locks of a killed process.
_DYING_HOLDER: Final = 5
#: The options of a connection that change its rows, or when it is opened.
_NOT_AGAIN: Final = frozenset(
    ("autocommit", "buffered", "cursor_class", "cursorclass", "defer_connect", "raw")
)
_RELEASES: Final = ("UNLOCK TABLES", "DO RELEASE_ALL_LOCKS()")
_SERVER: Final = "SELECT @@hostname, @@port, @@datadir, DATABASE()"
#: Whether this runs within a statement or a commit that has been reported.
_sending: ContextVar[bool] = ContextVar("pytest_jobs_sending_to_mysql", default=False)


class Opening:
    """How a connection was opened, and what it has done since."""

    def __init__(self, driver: Driver, again: Callable[[], Any] | None = None) -> None:
        self.driver = driver
        #: Opens another connection to the same database. None for a connection that was open before the check.
        self.again = again
        #: The last statement that changed something and is not committed.
        self.changed: str | None = None
        #: Whether a statement has begun a transaction.
        self.has_begun = False
        #: The phase of a history in which it was last used by a snapshot.
        self.turn: object = None
        #: What identifies the server.
        self.server: tuple[Any, ...] = ()
        #: The name of the database that is in use.
        self.database = ""

    def note(self, statement: Statement, *, commits: bool) -> None:
        """Note what a statement does to the transaction."""
        if statement.changes and not commits:
            self.changed = shown(statement.text)
        elif commits or statement.rolls_back or statement.commits_what_is_open:
            self.end()
        if statement.begins:
            self.has_begun = True
        self.database = statement.database() or self.database

    def end(self) -> None:
        """Note that its transaction has ended."""
        self.changed, self.has_begun = None, False


class Driver(ABC):
    """The effect source for one driver."""

    #: The module in which everything is patched.
    library: str
    #: The module as jobs import it, which reports show.
    name: str

    @abstractmethod
    def install(self, patches: Patches) -> None:
        """Watch the connections and the statements of the driver."""

    def is_open(self, connection: Any) -> bool:
        return bool(connection.open)

    def autocommits(self, connection: Any) -> bool:
        """Return whether the connection commits each statement that is in no transaction."""
        return bool(connection.get_autocommit())

    @abstractmethod
    def error(self, number: int, text: str) -> Exception:
        """Return an operational error of the driver."""

    def connection_of(self, cursor: Any) -> Any:
        """Return the connection of a cursor; None if the cursor is closed."""
        return cursor.connection

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
            ("select_db", self._use),
            ("cmd_init_db", self._use),
            ("ping", self._no_effect),
            ("close", self._no_effect),
        ):
            if hasattr(connection, name):
                surround(patches, connection, name, block)
        self.surround_cursor(patches, cursor)

    def surround_cursor(self, patches: Patches, cursor: type[Any]) -> None:
        """Surround what the cursors of a class send."""
        for name in ("execute", "executemany"):
            if name in vars(cursor):
                surround(patches, cursor, name, self._statement_of_cursor)
        if "callproc" in vars(cursor):
            surround(patches, cursor, "callproc", self._procedure)

    # Connections

    @contextmanager
    def opened(
        self, connection: Any, host: str | None, again: Callable[[], Any] | None
    ) -> Generator[None, None, None]:
        """Surround the opening of a connection.

        Args:
            connection: what is opened.
            host: the machine of the server; None for a socket in the file system, or this machine.
            again: opens another one like it; None for one that was opened before, and connects again.
        """
        again = again or self.opening(connection).again
        account, key = accounts.current, f"mysql on {host}"
        if account is not None and host:
            if account.phase in ("world", "snapshot"):
                account.know(key)
            elif not account.is_known(key):
                stand_in = "`sqlalchemy_world` and `django_world` stand"
                refuse_far(host, f"a connection of {self.name}", stand_in)
        token = _sending.set(True)
        try:
            with looking(is_busy):
                yield
        finally:
            _sending.reset(token)
        setattr(connection, _OPENING, Opening(self, again))
        if is_explored():
            seconds = _DYING_HOLDER if may_wait_for_locks() else _SUSPENDED_HOLDER
            both = f"SET innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}"
            _unwatched(lambda: _run(connection, both))
        note_connection(functools.partial(self.die, connection), shared=connection)

    def opening(self, connection: Any) -> Opening:
        """Return how a connection was opened."""
        known: Opening | None = getattr(connection, _OPENING, None)
        if known is None:
            known = Opening(self)
            setattr(connection, _OPENING, known)
        return known

    def die(self, connection: Any) -> None:
        """End a connection as the server ends it when its client is gone."""
        if not self.is_open(connection):
            return
        # The server itself needs a moment to find out that a client is gone.
        releases = [functools.partial(_run, connection, sql) for sql in _RELEASES]
        for end in (connection.rollback, *releases, connection.close):
            with suppress(Exception):
                _unwatched(end)

    def lost(self, connection: Any) -> Exception:
        """Break a connection, which rolls back what was not committed, and return the error of that."""
        self.die(connection)
        return self.error(2013, "Lost connection to MySQL server during query")

    # Statements

    def statement(self, connection: Any, sql: Any) -> AbstractContextManager[None]:
        """Return the block in which a statement is sent."""
        account, current = accounts.current, watcher.get()
        if (current is None and account is None) or _sending.get():
            return nullcontext()
        statement, opening = Statement(sql), self.opening(connection)
        if account is not None and account.phase != "comparison":
            _note_tables(account, connection, opening, statement)
        if current is not None and not holds_connection(connection):
            refuse_delivery(_FOREIGN.format(library=self.name))
        commits = statement.commits or (
            statement.changes and not opening.has_begun and self.autocommits(connection)
        )
        ends = opening.changed is not None and statement.commits_what_is_open
        opening.note(statement, commits=commits)
        if statement.changes or ends:
            act = self._act(connection, shown(statement.text), commits=commits or ends)
            return _sent(acting(act))
        return _sent(looking(is_busy))

    def commit(self, connection: Any) -> AbstractContextManager[None]:
        """Return the block of a commit, which is an act if there is something to commit."""
        current = watcher.get()
        if (current is None and accounts.current is None) or _sending.get():
            return nullcontext()
        if not holds_connection(connection):
            refuse_delivery(_FOREIGN.format(library=self.name))
        opening = self.opening(connection)
        changed = opening.changed is not None
        opening.end()
        return _sent(
            acting(self._act(connection, "commit", commits=True)) if changed else looking(is_busy)
        )

    def rollback(self, connection: Any) -> AbstractContextManager[None]:
        """Return the block of a rollback."""
        if not _sending.get():
            self.opening(connection).end()
        return self._no_effect()

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
            if is_explored() and not may_wait_for_locks():
                self._check_lock(connection, sql)
            yield

    def _check_lock(self, connection: Any, sql: Any) -> None:
        """Raise what a lock of a row raises, if a statement asks for a lock with a name that is taken.

        The server would say so when the time of the job is up, and not by an error.
        """
        lock = lock_of(sql)
        if lock is not None:
            ask = f"SELECT IS_USED_LOCK({lock}) <> CONNECTION_ID()"
            if _unwatched(lambda: _run(connection, ask))[0][0]:
                raise self.error(1205, "Lock wait timeout exceeded")

    def _procedure(
        self, cursor: Any, procname: str, *args: Any, **kwargs: Any
    ) -> AbstractContextManager[None]:
        return self._statement_of_cursor(cursor, f"CALL {procname}")

    def _begin(self, connection: Any) -> AbstractContextManager[None]:
        return self.statement(connection, "BEGIN")

    def _use(self, connection: Any, database: str) -> AbstractContextManager[None]:
        self.opening(connection).database = database
        return self._no_effect()

    def _no_effect(self, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        return nullcontext() if _sending.get() else _sent(looking(is_busy))

    def _act(self, connection: Any, text: str, *, commits: bool) -> Act:
        """Return an act; only one that commits can have happened although its answer is lost."""
        end = functools.partial(self.lost, connection)
        return Act(
            self.name,
            text,
            counts=False,
            refused=end,
            answer_lost=end if commits else None,
            busy=is_busy,
        )


def lost(connection: Any) -> Exception | None:
    """Break a connection of any driver; return its error, or None if no driver here has opened it."""
    opening: Opening | None = getattr(connection, _OPENING, None)
    return None if opening is None else opening.driver.lost(connection)


def end(connection: Any) -> None:
    """End a connection of any driver as the server does when its client is gone."""
    opening: Opening | None = getattr(connection, _OPENING, None)
    if opening is None:
        connection.close()
    else:
        opening.driver.die(connection)


def commits(connection: Any, sql: str) -> bool:
    """Return whether a statement that is not sent yet commits what it changes."""
    opening: Opening | None = getattr(connection, _OPENING, None)
    if Statement(sql).commits:
        return True
    return opening is not None and not opening.has_begun and opening.driver.autocommits(connection)


def _note_tables(account: Account, connection: Any, opening: Opening, statement: Statement) -> None:
    """Report the tables of a statement to the account of the history that is open."""
    if not opening.server:
        *server, database = _unwatched(lambda: _run(connection, _SERVER))[0]
        opening.server = tuple(server)
        opening.database = opening.database or database or ""
    if account.phase == "snapshot":
        _see_the_newest(account, connection, opening)
        for named in statement.named():
            account.read(_store(account, opening, named.database), named.name)
    else:
        _store(account, opening, None)
    if account.phase == "delivery":
        for written in statement.written():
            key = _store(account, opening, written.database)
            account.store_of(key).connect = opening.again
            account.wrote(key, written.name, shown(statement.text))


def _store(account: Account, opening: Opening, named: str | None) -> str:
    """Return the key of the store for a database: the one that is named, or the one that is in use."""
    database = named or opening.database
    host, port, *_ = opening.server
    place = f"{host}:{port}/{database}" if port else f"{host}/{database}"
    label = account.label("mysql", (opening.server, database), place)
    return account.store(f"mysql {label}", lambda: MysqlStore(label, database))


def _see_the_newest(account: Account, connection: Any, opening: Opening) -> None:
    """Let a snapshot see what deliveries have committed: a transaction of MySQL sees what was there at first.

    Raises:
        ExplorationError: when that cannot be.
    """
    if opening.turn is account.turn or opening.driver.autocommits(connection):
        return
    if opening.again is None:
        raise ExplorationError(_OLD_VIEW)
    if opening.changed is not None:
        raise ExplorationError(_UNCOMMITTED.format(text=opening.changed))
    _unwatched(lambda: _run(connection, "ROLLBACK"))
    opening.turn = account.turn


@contextmanager
def _sent(block: AbstractContextManager[None]) -> Generator[None, None, None]:
    """Let what a driver sends by several of its methods be one step."""
    token = _sending.set(True)
    try:
        with block:
            yield
    finally:
        _sending.reset(token)


def _unwatched(call: Callable[[], T]) -> T:
    """Make a call that does not belong to the job."""

    def do() -> T:
        _sending.set(True)
        return call()

    return contextvars.Context().run(do)


def _run(connection: Any, sql: str) -> list[Any]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        rows = list(cursor.fetchall()) if cursor.description else []
    # Those of a cursor that gives dictionaries.
    return [tuple(row.values()) if isinstance(row, dict) else row for row in rows]


def another(kind: type[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[], Any]:
    """Return what opens another connection to the same database, which commits each statement.

    Args:
        kind: the class of the connection.
        args: the arguments with which it was opened.
        kwargs: likewise.
    """
    options = {name: value for name, value in kwargs.items() if name not in _NOT_AGAIN}
    return lambda: _unwatched(lambda: kind(*args, **options, autocommit=True))
