"""What jobs do to databases by SQLAlchemy: its engines and its sessions, blocking or awaited.

There are two sources here, since `sqlalchemy.orm` may be imported later or never: this module itself is the one
for engines, `sessions` the one for sessions.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final
from weakref import WeakSet

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.engine.default import DefaultDialect

from ...core.foundation.libraries import sqlalchemy_is_known
from ...harness.records.patches import Patches
from ..engine.acts import Act, acting, looking, note_connection, refuse_delivery, watcher
from .sql.basis.driver import driver_named, driver_of, own_connection
from .sql.basis.statements import act_of, changes, is_busy, shown, transaction_of
from .wrapping import OfDelivery, in_check, no_block, replace_in_check, surround

if not sqlalchemy_is_known():
    # A job that uses it is refused with this, and no other.
    raise ImportError(f"SQLAlchemy {sqlalchemy.__version__} is older than 2.0")

library: Final = "sqlalchemy"

_FOREIGN_CONNECTION: Final = (
    "The job used a connection or a session of SQLAlchemy that was begun before it was delivered, or by another "
    "delivery: each delivery is a process of its own, which cannot have it. Begin it within the job, with "
    "`with Session() as session` or `with engine.begin() as connection`, and keep none in a module."
)
_FOREIGN_SESSION: Final = (
    "The job used a session of SQLAlchemy that another delivery is in the middle of using: each delivery is a "
    "process of its own, which cannot have it. Make it within the job, with `with Session() as session`, or keep "
    "it in a scoped_session, which makes one for each worker."
)
_IN_MEMORY: Final = (
    "The job used a sqlite database in memory that lives in a single connection (sqlite:// with StaticPool or "
    "SingletonThreadPool): no two workers can share it, and it is gone when the connection of a killed worker is "
    "closed. Let the world put a database in a file in its place: `sqlalchemy_world(Base.metadata, "
    'bind=(module, "engine"))`.'
)
_AWAITED_DRIVER: Final = (
    "The job used the asynchronous driver {driver} of SQLAlchemy, whose connections cannot be ended at once when "
    "the worker is killed. In the world, use postgresql+psycopg://, mysql+aiomysql:// or sqlite+aiosqlite://."
)
_DRIVER: Final = (
    "The job used the driver {driver} of SQLAlchemy, which a check does not know: neither how its connections "
    "wait for a lock, nor what a killed worker leaves of them. In the world, use postgresql+psycopg://, "
    "mysql+pymysql:// or sqlite://."
)
#: In the `info` of a connection: it has changed something since its last commit.
_CHANGED: Final = "pytest_jobs_changed"


def install(patches: Patches) -> None:
    """Watch the statements and commits of every engine.

    `raw_connection` is the one place where an engine takes a connection out of its pool, and there each
    delivery gets a pool of its own, as a process has. Statements come by the events `do_execute` and so on,
    which every dialect has. There is no such event for commits, so these are patched.
    """
    pools = _Pools()

    def connected(engine: Any) -> Any:
        _check_driver(engine.dialect)
        with looking(is_busy):
            return pools.of(engine).connect()

    replace_in_check(patches, Engine, "raw_connection", connected)
    surround(patches, DefaultDialect, "do_commit", _commit)
    # One step, however often an awaited driver waits for something in it.
    for name in ("do_rollback", "do_close", "do_terminate", "do_ping"):
        surround(patches, DefaultDialect, name, lambda *args, **kwargs: looking(is_busy))
    # The first listener sets this for good, so it is put back here.
    patches.set(Dialect, "_has_events", True)
    for name in ("do_execute", "do_executemany", "do_execute_no_params"):
        _listen(patches, Dialect, name, _statement_listener(name, pools))


def _check_driver(dialect: Any) -> None:
    if dialect.is_async:
        package, why = dialect.driver, _AWAITED_DRIVER
    else:
        package, why = dialect.loaded_dbapi.__name__.partition(".")[0], _DRIVER
    if driver_named(package) is None:
        refuse_delivery(why.format(driver=dialect.driver))


class _Pools:
    def __init__(self) -> None:
        #: By the id of the pool for which each stands in.
        self._own: OfDelivery[dict[int, _OwnPool]] = OfDelivery(dict)

    def of(self, engine: Any) -> _OwnPool:
        """Return the pool that stands in for the pool of an engine in this delivery."""
        own = self._own.mine()
        pool = own.get(id(engine.pool))
        if pool is None:
            pool = own[id(engine.pool)] = _OwnPool(engine)
            note_connection(pool.end)
        return pool

    def lack(self, connection: Any) -> bool:
        """Say whether a delivery of a check uses a connection of the driver that it has not opened."""
        own = self._own.get()
        return own is not None and not any(pool.opened(connection) for pool in own.values())


class _OwnPool:
    def __init__(self, engine: Any) -> None:
        #: The pool that it stands in for. It must not be freed as long as its id is in use.
        self._stands_for = engine.pool
        self._connections: list[Any] = []
        self._given: WeakSet[Any] = WeakSet()
        self._pool = engine.pool.recreate()
        # It would log what happened to the connections of a dead delivery.
        self._pool.logger = logging.Logger("pytest_jobs.silent", logging.CRITICAL + 1)  # noqa: LOG001 - one that nobody finds
        event.listen(self._pool, "connect", self._on_connect, insert=True)

    def connect(self) -> Any:
        given = self._pool.connect()
        self._given.add(given)
        return given

    def opened(self, connection: Any) -> bool:
        return any(one is connection for one in self._connections)

    def end(self) -> None:
        """End its connections without a commit, and make them useless to the code that still has them."""
        for connection in self._connections:
            driver_of(connection).die(own_connection(connection))
        self._connections.clear()
        # Invalidating would close them a second time.
        self._pool._close_connection = lambda *args, **kwargs: None
        for given in list(self._given):
            if given.is_valid:
                given.invalidate()

    def _on_connect(self, connection: Any, record: Any) -> None:
        self._connections.append(connection)
        driver = driver_of(connection)
        driver.limit(connection)
        if not driver.has_server:
            self._check_shareable(connection)

    def _check_shareable(self, connection: Any) -> None:
        """Refuse a database that no other worker would see."""
        replaced = self._stands_for
        # The attributes are those of the pools that keep one connection: for each thread, and for all.
        was_used = bool(getattr(replaced, "_all_conns", None)) or "connection" in vars(replaced)
        if not was_used and hasattr(replaced, "checkedin"):
            was_used = bool(replaced.checkedin() + replaced.checkedout())
        if not was_used:
            # It has no connection that could hold data in memory.
            return
        cursor = connection.cursor()
        cursor.execute("PRAGMA database_list")
        file = cursor.fetchone()[2]
        cursor.execute("SELECT count(*) FROM sqlite_master")
        tables = cursor.fetchone()[0]
        cursor.close()
        if not file and not tables:
            refuse_delivery(_IN_MEMORY)


def _statement_listener(name: str, pools: _Pools) -> Callable[..., bool]:
    """Return a listener that runs the statements of watched deliveries, so that it can surround them."""

    def execute(cursor: Any, statement: str, *rest: Any) -> bool:
        context = rest[-1]
        if watcher.get() is None or context is None:
            return False
        connection = context.root_connection.connection
        if pools.lack(connection.dbapi_connection):
            refuse_delivery(_FOREIGN_CONNECTION)
        if changes(statement):
            connection.info[_CHANGED] = True
            driver = driver_of(connection)
            commits = driver.commits(connection.dbapi_connection, driver.statement_of(statement))
            block = acting(_act(connection, shown(statement), commits=commits))
        else:
            block = looking(is_busy, transaction_of(own_connection(connection)))
        with block:
            getattr(context.dialect, name)(cursor, statement, *rest)
        return True

    return execute


def _commit(dialect: Any, connection: Any) -> AbstractContextManager[None]:
    if watcher.get() is not None and connection.info.pop(_CHANGED, False):
        return acting(_act(connection, "commit", commits=driver_of(connection).has_server))
    return looking(is_busy)


def _let_be(*args: Any) -> None:
    """Listen, and do nothing. SQLAlchemy raises what a listener of errors returns."""


def _listen(patches: Patches, target: Any, name: str, listener: Callable[..., object]) -> None:
    event.listen(target, name, listener)
    patches.undo_by(lambda: event.remove(target, name, listener))


def _act(connection: Any, text: str, *, commits: bool) -> Act:
    def lost() -> Exception:
        broken = driver_of(connection).lost(own_connection(connection))
        # The adapter of an awaited driver may report it by an error of its own.
        report = getattr(connection.dbapi_connection, "_handle_exception", None)
        try:
            if report is not None:
                report(broken)
        except Exception as error:
            return error
        return broken

    transaction = transaction_of(own_connection(connection))
    return act_of("sqlalchemy", text, lost, commits=commits, transaction=transaction)


class _Sessions:
    """The source for sessions: each belongs to the delivery that uses it, and ends with it."""

    library: Final = "sqlalchemy.orm"
    #: Every use of a session begins with one of these.
    _USES: Final = (
        *("add", "commit", "connection", "delete", "execute", "flush", "get", "merge", "query"),
        *("refresh", "scalar", "scalars"),
    )

    def install(self, patches: Patches) -> None:
        """Watch the sessions, and the registries that keep a session for each thread or task."""
        from sqlalchemy.event.attr import _CompoundListener, _EmptyListener
        from sqlalchemy.orm import Session
        from sqlalchemy.util import ScopedRegistry, ThreadLocalRegistry

        # By what SQLAlchemy calls a session: in a world, one object may be that of several deliveries.
        owners: dict[int, Any] = {}
        asked: OfDelivery[set[int]] = OfDelivery(set)

        def check(session: Any) -> None:
            current = watcher.get()
            if owners.get(session.hash_key, current) is not current:
                refuse_delivery(_FOREIGN_SESSION)

        def end(session: Any) -> None:
            # While a session flushes it cannot be closed, and nobody else can use it.
            if not session._flushing:
                session.close()
                owners.pop(session.hash_key, None)

        def began(session: Any, transaction: Any) -> None:
            if transaction.parent is None:
                check(session)
                owners[session.hash_key] = watcher.get()
                note_connection(functools.partial(end, session))

        def used(session: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
            check(session)
            return nullcontext()

        def asks(registry: Any) -> AbstractContextManager[None]:
            """Let a registry forget the session that it is about to make for this delivery."""
            known = asked.get()
            if known is not None and id(registry) not in known:
                known.add(id(registry))
                note_connection(registry.clear)
            return nullcontext()

        _listen(patches, Session, "after_transaction_create", in_check(began, _let_be))
        # Without and with listeners of one session.
        for kind in (_EmptyListener, _CompoundListener):
            patches.set(kind, "__call__", _telling(kind.__call__))
        for name in self._USES:
            surround(patches, Session, name, in_check(used, no_block))
        for registry in (ScopedRegistry, ThreadLocalRegistry):
            surround(patches, registry, "__call__", asks)


def _telling(call: Callable[..., None]) -> Callable[..., None]:
    """Return what calls the listeners of an event. Those of `after_commit` are callbacks, which may fail."""

    def told(listeners: Any, *args: Any, **kwargs: Any) -> None:
        current = watcher.get()
        if current is None or listeners.name != "after_commit":
            call(listeners, *args, **kwargs)
            return
        for listener in listeners:
            with current.calling_back():
                listener(*args, **kwargs)

    return told


sessions = _Sessions()
