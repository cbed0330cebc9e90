"""What the effect sources of all drivers of MySQL do alike."""

from __future__ import annotations

import contextvars
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from typing import Any, Final, TypeAlias, TypeVar

from .....errors import ExplorationError
from .....harness.records.patches import Patches
from ....engine.acts import (
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
from ....engine.sources import refuse_far
from ....stores.account import Account, accounts
from .mysql_statements import Statement, lock_of
from .mysql_store import Ask, MysqlStore
from .statements import is_busy, shown

T = TypeVar("T")
#: Yields statements that a source sends for itself, and is sent the rows of each.
Questions: TypeAlias = Generator[str, list[Any], None]

_FOREIGN: Final = (
    "The job used a connection to MySQL that was opened before it was delivered, or by an earlier delivery: each "
    "delivery is a process of its own, which cannot have it. {advice}"
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
    (
        *("autocommit", "buffered", "cursor_class", "cursor_cls", "cursorclass", "defer_connect"),
        *("loop", "raw"),
    )
)
#: What ends with the session. The server itself needs a moment to find out that a client is gone.
RELEASES: Final = ("UNLOCK TABLES", "DO RELEASE_ALL_LOCKS()")
_SERVER: Final = "SELECT @@hostname, @@port, @@datadir, DATABASE()"
#: Whether this runs within a statement or a commit that has been reported.
_sending: ContextVar[bool] = ContextVar("pytest_jobs_sending_to_mysql", default=False)


class Opening:
    """How a connection was opened, and what it has done since."""

    def __init__(self, driver: Driver, again: Ask | None = None) -> None:
        self.driver = driver
        #: Asks another connection to the same database. None for a connection that was open before the check.
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
    """The effect source for one driver: `BlockingDriver` and `AwaitedDriver` are the two kinds."""

    #: The module in which everything is patched.
    library: str
    #: The module as jobs import it, which reports show.
    name: str

    @property
    @abstractmethod
    def advice(self) -> str:
        """What a job is to write that uses the connection of another process."""

    @abstractmethod
    def install(self, patches: Patches) -> None:
        """Watch the connections and the statements of the driver."""

    @abstractmethod
    def is_open(self, connection: Any) -> bool: ...

    def autocommits(self, connection: Any) -> bool:
        """Return whether the connection commits each statement that is in no transaction."""
        return bool(connection.get_autocommit())

    @abstractmethod
    def error(self, number: int, text: str) -> Exception:
        """Return an operational error of the driver."""

    @abstractmethod
    def die(self, connection: Any) -> None:
        """End a connection as the server ends it when its client is gone."""

    def connection_of(self, cursor: Any) -> Any:
        """Return the connection of a cursor; None if the cursor is closed."""
        return cursor.connection

    # Connections

    def check_reach(self, host: str | None) -> None:
        """Refuse a server on another machine that the world does not use.

        Args:
            host: the machine of the server; None for a socket in the file system, or this machine.
        """
        account, key = accounts.current, f"mysql on {host}"
        if account is not None and host:
            if account.phase in ("world", "snapshot"):
                account.know(key)
            elif not account.is_known(key):
                stand_in = "`sqlalchemy_world` and `django_world` stand"
                refuse_far(host, f"a connection of {self.name}", stand_in)

    def note_opened(self, connection: Any, again: Ask | None) -> Questions:
        """Note that a connection has been opened, and yield what is to be sent through it at first.

        Args:
            connection: the connection.
            again: asks another one like it; None for one that was opened before, and connects again.
        """
        again = again or self.opening(connection).again
        setattr(connection, _OPENING, Opening(self, again))
        note_connection(functools.partial(self.die, connection), shared=connection)
        if is_explored():
            seconds = _DYING_HOLDER if may_wait_for_locks() else _SUSPENDED_HOLDER
            yield f"SET innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}"
        yield from self._find_server(connection)

    def opening(self, connection: Any) -> Opening:
        """Return how a connection was opened."""
        known: Opening | None = getattr(connection, _OPENING, None)
        if known is None:
            known = Opening(self)
            setattr(connection, _OPENING, known)
        return known

    @abstractmethod
    def lost(self, connection: Any) -> Exception:
        """Break a connection, which rolls back what was not committed, and return the error of that."""
        return self.error(2013, "Lost connection to MySQL server during query")

    def check_own(self, connection: Any) -> None:
        """Refuse the connection of another delivery."""
        if watcher.get() is not None and not holds_connection(connection):
            refuse_delivery(_FOREIGN.format(advice=self.advice))

    # Statements

    def before_statement(self, connection: Any) -> Questions:
        """Yield what is to be sent before a statement, so that its tables are known and a snapshot is new."""
        if is_part():
            return
        self.check_own(connection)
        yield from self._find_server(connection)
        if accounts.current is not None and accounts.current.phase == "snapshot":
            yield from self._see_the_newest(accounts.current, connection)

    def _find_server(self, connection: Any) -> Questions:
        account, opening = accounts.current, self.opening(connection)
        if account is not None and account.phase != "comparison" and not opening.server:
            [[*server, database]] = yield _SERVER
            opening.server = tuple(server)
            opening.database = opening.database or database or ""

    def _see_the_newest(self, account: Account, connection: Any) -> Questions:
        """Let a snapshot see what deliveries have committed: a transaction of MySQL sees what was there at first.

        Raises:
            ExplorationError: when that cannot be.
        """
        opening = self.opening(connection)
        if opening.turn is account.turn or self.autocommits(connection):
            return
        if opening.again is None:
            raise ExplorationError(_OLD_VIEW)
        if opening.changed is not None:
            raise ExplorationError(_UNCOMMITTED.format(text=opening.changed))
        yield "ROLLBACK"
        opening.turn = account.turn

    def check_lock(self, sql: Any) -> Questions:
        """Raise what a lock of a row raises, if a statement asks for a lock with a name that is taken.

        The server would say so when the time of the job is up, and not by an error.
        """
        lock = lock_of(sql) if is_explored() and not may_wait_for_locks() else None
        if lock is not None:
            [[is_taken]] = yield f"SELECT IS_USED_LOCK({lock}) <> CONNECTION_ID()"
            if is_taken:
                raise self.error(1205, "Lock wait timeout exceeded")

    def statement(self, connection: Any, sql: Any) -> AbstractContextManager[None]:
        """Return the block in which a statement is sent."""
        if is_part():
            return nullcontext()
        statement, opening = Statement(sql), self.opening(connection)
        _note_tables(opening, statement)
        commits = statement.commits or (
            statement.changes and not opening.has_begun and self.autocommits(connection)
        )
        ends = opening.changed is not None and statement.commits_what_is_open
        opening.note(statement, commits=commits)
        if statement.changes or ends:
            act = self._act(connection, shown(statement.text), commits=commits or ends)
            return sent(acting(act))
        return sent(looking(is_busy))

    def commit(self, connection: Any) -> AbstractContextManager[None]:
        """Return the block of a commit, which is an act if there is something to commit."""
        if is_part():
            return nullcontext()
        self.check_own(connection)
        opening = self.opening(connection)
        changed = opening.changed is not None
        opening.end()
        return sent(
            acting(self._act(connection, "commit", commits=True)) if changed else looking(is_busy)
        )

    def rollback(self, connection: Any) -> AbstractContextManager[None]:
        """Return the block of a rollback."""
        if not _sending.get():
            self.opening(connection).end()
        return self.no_effect()

    def use(self, connection: Any, database: str) -> AbstractContextManager[None]:
        """Return the block in which a connection turns to another database."""
        self.opening(connection).database = database
        return self.no_effect()

    def no_effect(self, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        """Return the block of a call that changes nothing."""
        return nullcontext() if _sending.get() else sent(looking(is_busy))

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


def _note_tables(opening: Opening, statement: Statement) -> None:
    """Report the tables of a statement to the account of the history that is open."""
    account = accounts.current
    if account is None or account.phase == "comparison":
        return
    if account.phase == "snapshot":
        for named in statement.named():
            account.read(_store(account, opening, named.database), named.name)
    else:
        _store(account, opening, None)
    if account.phase == "delivery":
        for written in statement.written():
            key = _store(account, opening, written.database)
            account.store_of(key).ask = opening.again
            account.wrote(key, written.name, shown(statement.text))


def _store(account: Account, opening: Opening, named: str | None) -> str:
    """Return the key of the store for a database: the one that is named, or the one that is in use."""
    database = named or opening.database
    host, port, *_ = opening.server
    place = f"{host}:{port}/{database}" if port else f"{host}/{database}"
    label = account.label("mysql", (opening.server, database), place)
    return account.store(f"mysql {label}", lambda: MysqlStore(label, database))


def is_part() -> bool:
    """Return whether a statement belongs to one that has been reported, or nobody watches it."""
    return _sending.get() or (watcher.get() is None and accounts.current is None)


@contextmanager
def sent(block: AbstractContextManager[None]) -> Generator[None, None, None]:
    """Let what a driver sends by several of its methods be one step."""
    token = _sending.set(True)
    try:
        with block:
            yield
    finally:
        # A coroutine that is thrown away ends in the context of whoever does it.
        with suppress(ValueError):
            _sending.reset(token)


def unwatched(call: Callable[[], T]) -> T:
    """Make a call that does not belong to the job."""

    def do() -> T:
        _sending.set(True)
        return call()

    return contextvars.Context().run(do)


def options_again(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of another connection to the same database, which commits each statement.

    Args:
        kwargs: those with which a connection was opened.
    """
    options = {name: value for name, value in kwargs.items() if name not in _NOT_AGAIN}
    return {**options, "autocommit": True}
