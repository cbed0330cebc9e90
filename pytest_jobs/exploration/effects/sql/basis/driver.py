"""What a check does about every driver of SQL, and what each driver says of itself."""

from __future__ import annotations

import contextvars
import functools
import os
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from .....harness.records.patches import Patches
from ....engine.acts import (
    Act,
    acting,
    holds_connection,
    looking,
    note_connection,
    refuse_delivery,
    watcher,
)
from ....engine.sources import refuse_far
from ....stores.account import accounts
from ....stores.store import Store
from .statements import Statement, Table, act_of, is_busy, shown

T = TypeVar("T")

_FOREIGN: Final = (
    "The job used a connection {noun} that was opened before it was delivered, or by an earlier delivery: each "
    "delivery is a process of its own, which cannot have it. {advice}"
)
#: In seconds: how long a server may take to end a session.
_PATIENCE: Final = 5.0
#: Whether this runs within a statement or a commit that has been reported.
_sending: ContextVar[bool] = ContextVar("pytest_jobs_sending_sql", default=False)


class Driver:
    """What SQLAlchemy and Django ask of the driver of a connection.

    This class itself suits a blocking driver of a server: what it has not committed ends when it is closed.
    """

    #: Whether there is a server, so that an answer can be lost.
    has_server = True

    def __init__(self, name: str) -> None:
        #: The module as jobs import it, which reports show.
        self.name = name

    def limit(self, connection: Any) -> None:
        """Limit how long a connection waits for a lock, if the source of the driver has not done so already."""

    def note_tables(self, connection: Any, sql: Any) -> None:
        """Report the tables of a statement, if the source of the driver does not see each statement."""

    def statement_of(self, sql: Any) -> Statement:
        return Statement(sql)

    def commits(self, connection: Any, statement: Statement) -> bool:
        """Return whether a statement that is not sent yet commits what it changes.

        The connection may be the adapter that SQLAlchemy puts around the one of the driver.
        """
        return getattr(connection, "autocommit", False) is True

    def die(self, connection: Any) -> None:
        """End a connection as the server ends it when its client is gone."""
        for name in ("rollback", "close"):
            with suppress(Exception):
                getattr(connection, name)()

    def lost(self, connection: Any) -> Exception:
        """Break a connection, which rolls back what was not committed, and return the error of that."""
        self.die(connection)
        kind = getattr(sys.modules.get(self.name), "OperationalError", ConnectionError)
        error: Exception = kind("server closed the connection unexpectedly")
        return error


class Opening:
    """How a connection was opened, and what it has done since."""

    def __init__(self) -> None:
        #: The last statement that changed something and is not committed.
        self.changed: str | None = None
        #: Whether a statement has begun a transaction.
        self.has_begun = False
        #: The server and the database, as the dialect has them; None for not known yet.
        self.place: Any = None
        #: The name of the database that is in use, where statements can change it.
        self.database = ""
        #: Asks another connection to the same database. None for a connection that was open before the check.
        self.again: Any = None
        #: The phase of a history in which it was last used by a snapshot.
        self.turn: object = None

    def note(self, statement: Statement, *, commits: bool) -> None:
        if statement.changes and not commits:
            self.changed = shown(statement.text)
        elif commits or statement.rolls_back or statement.commits_what_is_open:
            self.end()
        if statement.begins:
            self.has_begun = True

    def end(self) -> None:
        self.changed, self.has_begun = None, False


class TablesStore(Store):
    """One database of a server, whose tables statements name."""

    noun = "table"

    def __init__(self, label: str) -> None:
        self.label = self.short = label
        #: What reads it as the last connection does that a delivery used.
        self.again: Any = None
        #: Each table as a statement has named it.
        self.tables: dict[str, Table] = {}


def note_tables(statement: Statement, key_of: Callable[[str | None], str], again: Any) -> None:
    """Report the tables of a statement to the account of the history that is open.

    A `TablesStore` has a key for each schema that is named, and one for the schema that is in use.
    """
    account = accounts.current
    if account is None:
        return
    key_of(None)
    if account.phase == "snapshot":
        for table in statement.named():
            account.read(key_of(table.schema), table.name)
    elif account.phase == "delivery":
        for table in statement.written():
            key = key_of(table.schema)
            store = account.store_of(key)
            store.again = again
            store.tables.setdefault(table.name, table)
            account.wrote(key, table.name, shown(statement.text))


class WatchedDriver(Driver, ABC):
    """The effect source for one driver: `Postgresql` and `Mysql` are the two dialects."""

    #: The module in which everything is patched.
    library: str
    #: The module as jobs import it.
    name: str
    #: The dialect, as it identifies a server.
    dialect: str
    #: What follows "a connection" in a message.
    noun: str
    #: What a job is to write that uses the connection of another process; `{name}` stands for the module.
    advice: str

    def __init__(self) -> None:
        super().__init__(self.name)
        self._openings: WeakKeyDictionary[Any, Opening] = WeakKeyDictionary()

    @abstractmethod
    def install(self, patches: Patches) -> None:
        """Watch the connections and the statements of the driver."""

    @abstractmethod
    def report(self, connection: Any, statement: Any) -> None:
        """Report the tables of a statement to the account of the history that is open, if any."""

    def has_changed(self, connection: Any) -> bool:
        return self.opening(connection).changed is not None

    def opening(self, connection: Any) -> Opening:
        return self._openings.setdefault(connection, Opening())

    def opened(self, connection: Any) -> Opening:
        """Note that a connection has been opened, or once more."""
        self._openings[connection] = opening = Opening()
        note_connection(functools.partial(self.die, connection), shared=connection)
        return opening

    def check_reach(self, host: str | None) -> None:
        """Refuse a server on another machine that the world does not use; None is this machine."""
        account, key = accounts.current, f"{self.dialect} on {host}"
        if account is None or not host or host.startswith(("/", "@")):
            return
        if account.phase in ("world", "snapshot"):
            account.know(key)
        elif not account.is_known(key):
            stand_in = "`sqlalchemy_world` and `django_world` stand"
            refuse_far(host, f"a connection of {self.name}", stand_in)

    def check_own(self, connection: Any) -> None:
        check_own(connection, self.noun, self.advice.format(name=self.name))

    # Blocks for calls

    def use(self, connection: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        """Return the block of a call that does not reach the server: it is refused to another delivery."""
        self.check_own(connection)
        return nullcontext()

    def statement(
        self, connection: Any, query: Any, *args: Any, **kwargs: Any
    ) -> AbstractContextManager[None]:
        if is_part():
            return nullcontext()
        self.check_own(connection)
        statement, opening = self.statement_of(query), self.opening(connection)
        self.report(connection, statement)
        commits = statement.changes and self.commits(connection, statement)
        ends = opening.changed is not None and statement.commits_what_is_open
        opening.note(statement, commits=commits)
        if statement.changes or ends:
            act = self._act(connection, shown(statement.text), commits=commits or ends)
            return one_step(acting(act))
        return one_step(looking(is_busy))

    def commit(self, connection: Any) -> AbstractContextManager[None]:
        """Return the block of a commit, which is an effect if there is something to commit."""
        if is_part():
            return nullcontext()
        self.check_own(connection)
        changed = self.has_changed(connection)
        self.opening(connection).end()
        return one_step(
            acting(self._act(connection, "commit", commits=True)) if changed else looking(is_busy)
        )

    def rollback(self, connection: Any) -> AbstractContextManager[None]:
        if not _sending.get():
            self.opening(connection).end()
        return self.no_effect()

    def no_effect(self, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        """Return the block of a call that changes nothing.

        It is one step, however often an awaited driver waits for its socket in it: that depends on time. A dead
        delivery skips it, so that it does not wait for a connection that nobody gives back to a pool.
        """
        return nullcontext() if _sending.get() else one_step(looking(is_busy))

    def _act(self, connection: Any, text: str, *, commits: bool) -> Act:
        return act_of(self.name, text, functools.partial(self.lost, connection), commits=commits)


@functools.cache
def driver_named(package: str) -> Driver | None:
    """Return the row of a package, from its own file or from one with several rows; None if there is none."""
    room, _, _ = __name__.rpartition(".basis.")
    name = package.lower()
    for file, attribute in ((name, "source"), ("mysql", name), ("c_drivers", name)):
        if find_spec(f"{room}.{file}") is not None:
            row = getattr(import_module(f"{room}.{file}"), attribute, None)
            if isinstance(row, Driver):
                return row
    return None


def driver_of(connection: Any) -> Driver:
    """Return the row of a connection; one that says what holds of most drivers if it has none."""
    return _driver_of(own_connection(connection).__class__)


@functools.cache
def _driver_of(kind: type[Any]) -> Driver:
    # The application may have a class of its own, which derives from one of the driver.
    packages = [base.__module__.partition(".")[0] for base in kind.__mro__]
    return next(filter(None, map(driver_named, packages)), Driver(packages[0]))


def own_connection(connection: Any) -> Any:
    """Return the connection of the driver, without the adapter of SQLAlchemy."""
    return getattr(connection, "driver_connection", connection)


def check_own(connection: Any, noun: str, advice: str) -> None:
    """Refuse the connection of another delivery."""
    if not holds_connection(connection):
        refuse_delivery(_FOREIGN.format(noun=noun, advice=advice))


def is_part() -> bool:
    """Return whether a statement belongs to one that has been reported, or nobody watches it."""
    return _sending.get() or (watcher.get() is None and accounts.current is None)


@contextmanager
def one_step(block: AbstractContextManager[None]) -> Generator[None, None, None]:
    """Let a block be one step, whichever methods of a driver it calls."""
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


def end_session(transport: Any, *messages: bytes) -> None:
    """Let a server end the session of an awaited connection, past the event loop, which does not run any more.

    The messages are what a client sends that ends a session. Without any, the connection is shut.
    """

    def end() -> None:
        descriptor = transport.get_extra_info("socket").fileno()
        with closing(socket.socket(fileno=os.dup(descriptor))) as wire:
            wire.settimeout(_PATIENCE)
            for message in messages:
                wire.sendall(message)
            if not messages:
                wire.shutdown(socket.SHUT_WR)
            # The server closes its end when it has released the locks.
            while wire.recv(65_536):
                pass

    with suppress(Exception):
        contextvars.Context().run(end)
