"""What jobs do to databases by SQLAlchemy: its core and its ORM, waiting or awaiting."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

from ...harness.records.patches import Patches
from ..engine.acts import (
    Act,
    is_explored,
    looking,
    note_connection,
    perform_act,
    refuse_delivery,
    watcher,
)
from ..live.watching import Killed
from .sqlite import is_locked
from .statements import changes, impatience, is_busy, shown

library: Final = "sqlalchemy"

_FOREIGN: Final = (
    "The job used a connection or a session of SQLAlchemy that was begun before it was delivered, or by another "
    "delivery: each delivery is a process of its own, which cannot have it. Begin it within the job, with "
    "`with Session() as session` or `with engine.begin() as connection`, and keep none in a module."
)
_IN_MEMORY: Final = (
    "The job used a sqlite database in memory that lives in a single connection (sqlite:// with StaticPool or "
    "SingletonThreadPool): no two workers can share it, and it is gone when the connection of a killed worker is "
    "closed. Let the world put a database in a file in its place: `sqlalchemy_world(Base.metadata, "
    'bind=(module, "engine"))`.'
)
_DRIVER: Final = (
    "The job used the asynchronous driver {driver} of SQLAlchemy, whose connections cannot be ended at once when "
    "the worker is killed. In the world, use postgresql+psycopg:// or sqlite+aiosqlite://."
)
#: Asynchronous drivers with an effect source of their own, which ends their connections.
_ASYNCHRONOUS: Final = ("aiosqlite", "psycopg")
_CHANGED: Final = "pytest_jobs_changed"


def install(patches: Patches) -> None:
    """Hear of the statements of every engine; each delivery has a pool of its own, as a process has."""
    from sqlalchemy import event
    from sqlalchemy.engine import Dialect, Engine
    from sqlalchemy.engine.default import DefaultDialect

    pools = _Pools()
    patches.set(Engine, "raw_connection", _connecting(Engine.raw_connection, pools))
    patches.set(DefaultDialect, "do_commit", _committing(DefaultDialect.do_commit))
    for name in ("do_rollback", "do_close", "do_terminate", "do_ping"):
        patches.set(DefaultDialect, name, _part(vars(DefaultDialect)[name]))
    # Listening sets it for good.
    patches.set(Dialect, "_has_events", True)
    for name in ("do_execute", "do_executemany", "do_execute_no_params"):
        listener = _executing(name, pools)
        event.listen(Dialect, name, listener)
        patches.undo_by(functools.partial(event.remove, Dialect, name, listener))
    keep = _keeping_connections()
    event.listen(Dialect, "handle_error", keep)
    patches.undo_by(functools.partial(event.remove, Dialect, "handle_error", keep))


class _Pools:
    """The pools of the deliveries."""

    def __init__(self) -> None:
        self._pools: WeakKeyDictionary[Any, dict[int, _OwnPool]] = WeakKeyDictionary()

    def of(self, engine: Any) -> _OwnPool:
        """Return the pool that stands for the one of an engine in the delivery that is being made."""
        own = self._pools.setdefault(watcher.get(), {})
        pool = own.get(id(engine.pool))
        if pool is None:
            pool = own[id(engine.pool)] = _OwnPool(engine)
            note_connection(pool.end)
        return pool

    def have(self, connection: Any) -> bool:
        """Say whether a connection of the driver was opened by the delivery that is being made."""
        own = self._pools.get(watcher.get(), {})
        return any(pool.opened(connection) for pool in own.values())


class _OwnPool:
    """A pool of one delivery."""

    def __init__(self, engine: Any) -> None:
        from sqlalchemy import event

        #: What it stands for: it must not be freed as long as its id is in use.
        self._stands_for = engine.pool
        self._dialect = engine.dialect
        self._connections: list[Any] = []
        self._given: WeakSet[Any] = WeakSet()
        self._pool = engine.pool.recreate()
        # What became of the connections of a dead delivery is no news.
        self._pool.logger = logging.Logger("pytest_jobs.silent", logging.CRITICAL + 1)  # noqa: LOG001 - one that nobody finds
        event.listen(self._pool, "connect", self._opened, insert=True)

    def connect(self) -> Any:
        """Take a connection out of it."""
        given = self._pool.connect()
        self._given.add(given)
        return given

    def opened(self, connection: Any) -> bool:
        """Say whether it has opened a connection."""
        return any(one is connection for one in self._connections)

    def end(self) -> None:
        """End its connections without a commit; whoever has one cannot do anything with it any more."""
        for connection in self._connections:
            _end(connection)
        self._connections.clear()
        # They are closed.
        self._pool._close_connection = lambda *args, **kwargs: None
        for given in list(self._given):
            if given.is_valid:
                given.invalidate()

    def _opened(self, connection: Any, record: object) -> None:
        self._connections.append(connection)
        if self._dialect.name == "sqlite":
            self._check_shareable(connection)
        elif self._dialect.name == "postgresql" and self._dialect.driver != "psycopg":
            cursor = connection.cursor()
            cursor.execute(impatience())
            cursor.close()
            connection.commit()

    def _check_shareable(self, connection: Any) -> None:
        """Refuse a database that no other worker would see."""
        if not _has_connected(self._stands_for):
            return
        cursor = connection.cursor()
        cursor.execute("PRAGMA database_list")
        file = cursor.fetchone()[2]
        cursor.execute("SELECT count(*) FROM sqlite_master")
        tables = cursor.fetchone()[0]
        cursor.close()
        if not file and not tables:
            refuse_delivery(_IN_MEMORY)


def _connecting(connect: Callable[[Any], Any], pools: _Pools) -> Callable[[Any], Any]:
    @functools.wraps(connect)
    def connected(engine: Any) -> Any:
        if not is_explored():
            with looking(_is_busy):
                return connect(engine)
        if engine.dialect.is_async and engine.dialect.driver not in _ASYNCHRONOUS:
            refuse_delivery(_DRIVER.format(driver=engine.dialect.driver))
        with looking(_is_busy):
            return pools.of(engine).connect()

    return connected


def _executing(name: str, pools: _Pools) -> Callable[..., bool]:
    """Return what is asked before each statement, and carries it out while a delivery is watched."""

    def executed(cursor: Any, statement: str, *rest: Any) -> bool:
        context = rest[-1]
        if watcher.get() is None or context is None:
            return False
        connection = context.root_connection.connection
        if is_explored() and not pools.have(connection.dbapi_connection):
            refuse_delivery(_FOREIGN)
        execute = getattr(context.dialect, name)
        do = functools.partial(execute, cursor, statement, *rest)
        if not changes(statement):
            with looking(_is_busy):
                do()
            return True
        connection.info[_CHANGED] = True
        at_once = getattr(_driver(connection), "autocommit", False) is True
        perform_act(_act(context.dialect, connection, shown(statement), at_once), do)
        return True

    return executed


def _committing(commit: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    @functools.wraps(commit)
    def committed(dialect: Any, connection: Any) -> None:
        do = functools.partial(commit, dialect, connection)
        if watcher.get() is None:
            do()
        elif connection.info.pop(_CHANGED, False):
            perform_act(_act(dialect, connection, "commit", dialect.name != "sqlite"), do)
        else:
            with looking(_is_busy):
                do()

    return committed


def _keeping_connections() -> Callable[[Any], None]:
    """Return what keeps the connection of a dead delivery for its test, which goes on: it may hold all the data.

    SQLAlchemy closes one on which anything is raised that is no `Exception`. What was not committed
    is rolled back all the same.
    """

    def keep(context: Any) -> None:
        if isinstance(context.original_exception, Killed):
            context.is_disconnect = False

    return keep


def _part(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let something be no effect, and have no points however often it awaits something."""

    @functools.wraps(function)
    def done(*args: Any, **kwargs: Any) -> Any:
        if not is_explored():
            return function(*args, **kwargs)
        with looking(_is_busy):
            return function(*args, **kwargs)

    return done


def _act(dialect: Any, connection: Any, text: str, may_lose_answer: bool) -> Act:
    lose = functools.partial(_lost, dialect, connection)
    return Act(
        "sqlalchemy",
        text,
        counts=False,
        refused=lose,
        answer_lost=lose if may_lose_answer else None,
        busy=_is_busy,
    )


def _lost(dialect: Any, connection: Any) -> Exception:
    """Return the error of the driver when the database fails: a server takes the connection with it."""
    error: Callable[[str], Exception] = dialect.loaded_dbapi.OperationalError
    if dialect.name == "sqlite":
        return error("disk I/O error")
    if dialect.driver == "psycopg":
        from .psycopg import lost

        return lost(_driver(connection))
    _end(connection.dbapi_connection)
    return error("server closed the connection unexpectedly")


def _end(connection: Any) -> None:
    """End a connection of a driver that waits; those that are awaited have sources that do so."""
    if hasattr(connection, "driver_connection"):
        return
    for name in ("rollback", "close"):
        with suppress(Exception):
            getattr(connection, name)()


def _driver(connection: Any) -> Any:
    return getattr(connection, "driver_connection", None)


def _has_connected(pool: Any) -> bool:
    """Say whether a pool has been used, and so has connections that hold what is in memory."""
    if getattr(pool, "_all_conns", None) or "connection" in vars(pool):
        return True
    checked_in = getattr(pool, "checkedin", None)
    return checked_in is not None and bool(checked_in() + pool.checkedout())


def _is_busy(error: BaseException) -> bool:
    return is_locked(error) or is_busy(error)
