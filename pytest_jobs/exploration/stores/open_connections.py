"""Connections of sqlite that are open when a check begins, such as one of a module: no patch reaches them."""

from __future__ import annotations

import contextvars
import functools
import gc
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet, ref

from ...harness.records.attributes import derived_from, identity
from ..engine.acts import audit_hook, may_wait_for_locks, note_connection, note_look, watcher
from .account import accounts
from .sqlite import Authorizer, Reporting, databases_of, is_open, roll_back

_OPENED: Final = "sqlite3.connect/handle"
#: A connection keeps its statements in such a cache of itself as a function.
_CACHE: Final = type(functools.lru_cache(len))
_READS: Final = ("select", "pragma", "explain")


class OpenConnections:
    """Looks for the connections that this process has.

    An object rather than a ContextVar, since all checks have it in common. It keeps no connection: the tests
    may want one to be freed.
    """

    def __init__(self) -> None:
        #: The statement caches of those that are known, which live as long as these. A connection itself cannot
        #: be weakly referenced. None if there may be more connections.
        self._statements: dict[ref[Any], None] | None = None

    def look(self) -> list[sqlite3.Connection]:
        audit_hook.call(self._note, (_OPENED,), instead_of="connections")
        if self._statements is not None:
            caches = [cache for known in list(self._statements) if (cache := known()) is not None]
            return [cache.__wrapped__ for cache in caches if is_open(cache.__wrapped__)]
        kinds = (sqlite3.Connection, *derived_from(sqlite3.Connection))
        # Each object refers to its class. To look at all objects from Python takes many times as long.
        found = [
            one
            for one in gc.get_referrers(*kinds)
            if issubclass(type(one), sqlite3.Connection)
            and not issubclass(type(one), Reporting)
            and is_open(one)
        ]
        keys = {identity(one) for one in found}
        caches = [
            one
            for one in gc.get_referrers(*found)
            if type(one) is _CACHE and identity(one.__wrapped__) in keys
        ]
        if len(caches) == len(found):
            self._statements = {}
            _add(self._statements, caches)
        return found

    def _note(self, event: str, args: tuple[Any, ...]) -> None:
        # Deliveries and worlds only open connections that report by themselves.
        if accounts.current is not None or isinstance(args[0], Reporting):
            return
        # It is known by now. To look among all objects takes the longer, the more there are.
        caches = [one for one in gc.get_referents(args[0]) if type(one) is _CACHE]
        if self._statements is not None:
            _add(self._statements, caches)
        if not caches:
            self._statements = None


def _add(known: dict[ref[Any], None], caches: list[Any]) -> None:
    """Know some statement caches for as long as they live."""
    known.update((ref(cache, lambda gone: known.pop(gone, None)), None) for cache in caches)


open_connections = OpenConnections()


def follow_connections(undo_by: Callable[[Callable[[], object]], object]) -> None:
    """Let the account of each history know what is done by connections that are open by now."""
    for connection in open_connections.look():
        # One of another thread raises, which no delivery can use.
        with suppress(sqlite3.ProgrammingError):
            followed = _Followed(connection)
            undo_by(accounts.at_each_turn(followed.ask_again))
            undo_by(followed.end)


class _Followed:
    """A connection of which the account of a history knows the tables, as far as its callbacks name them.

    Its statements are no effects of their own: nothing of Python runs between them and the line of the job.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._authorizer = Authorizer(lambda: connection, {})
        #: The deliveries that have used it.
        self._users: WeakSet[Any] = WeakSet()
        #: The number of the account of the last world that has used it.
        self._used_by_world_of = 0
        #: The callbacks of the application.
        self._other_tracer: Any = None
        self._other_authorizer: Any = None
        self._other_tracer = _replaced(connection, "set_trace_callback", self._executing)
        self._other_authorizer = _replaced(connection, "set_authorizer", self._allow)
        self._authorizer.name(databases_of(connection))

    def end(self) -> None:
        with suppress(sqlite3.ProgrammingError):
            sqlite3.Connection.set_trace_callback(self._connection, self._other_tracer)
            sqlite3.Connection.set_authorizer(self._connection, self._other_authorizer)

    def ask_again(self) -> None:
        """Let sqlite ask about prepared statements too, since another phase has begun."""
        with suppress(sqlite3.ProgrammingError):
            sqlite3.Connection.set_authorizer(self._connection, self._allow)

    def _allow(self, *asked: Any) -> int:
        account = accounts.current
        # Another thread of this process, such as a server of the test, may write there as well.
        is_of_job = watcher.get() is not None
        if account is not None and (account.phase != "delivery" or is_of_job):
            # A look amid the question would replace this authorizer, and the process would die.
            with account.not_remembering():
                self._authorizer.allow(*asked)
        if self._other_authorizer is None:
            return sqlite3.SQLITE_OK
        allowed: int = self._other_authorizer(*asked)
        return allowed

    def _executing(self, sql: str) -> None:
        if self._other_tracer is not None:
            self._other_tracer(sql)
        account, current = accounts.current, watcher.get()
        if account is not None and account.phase in ("world", "snapshot"):
            self._used_by_world_of = account.number
        if account is None or account.phase != "delivery" or current is None:
            return
        if current not in self._users:
            self._users.add(current)
            # Another one may be suspended. It may have used it too, but not begun a transaction. What the world
            # does not use is refused in the end, or left out.
            is_shared = may_wait_for_locks() or self._connection.in_transaction
            is_of_world = self._used_by_world_of == account.number
            shared = self._connection if is_shared and is_of_world else None
            note_connection(functools.partial(roll_back, self._connection), shared=shared)
            if _is_bound_to_thread(self._connection):
                account.note_bound_to_thread(self._authorizer.name_of_database())
        note_look(changes=not sql.lstrip().lower().startswith(_READS))


def _is_bound_to_thread(connection: sqlite3.Connection) -> bool:
    """Return whether only the thread that has opened a connection may use it, which sqlite says to others only."""
    refused: list[BaseException] = []

    def use() -> None:
        try:
            sqlite3.Connection.cursor(connection).close()
        except sqlite3.ProgrammingError as error:
            refused.append(error)

    # A thread of a delivery would report what it does.
    thread = threading.Thread(target=contextvars.Context().run, args=(use,))
    thread.start()
    thread.join()
    return bool(refused)


def _replaced(connection: sqlite3.Connection, setter: str, callback: Callable[..., Any]) -> Any:
    """Replace a callback of a connection; return the callback of the application, which sqlite does not give."""
    before = gc.get_referents(connection)
    getattr(sqlite3.Connection, setter)(connection, callback)
    after = {id(one) for one in gc.get_referents(connection)}
    return next((one for one in before if id(one) not in after and callable(one)), None)
