"""What jobs do to PostgreSQL by psycopg: by blocking connections and by awaited ones."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import (
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from operator import methodcaller
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

from ....harness.records.patches import Patches
from ...engine.acts import (
    Act,
    acting,
    holds_connection,
    is_explored,
    looking,
    note_connection,
    refuse_delivery,
    watcher,
)
from ...stores.account import accounts
from ..wrapping import surround, within
from .basis.postgresql import note_tables, refuse_far_server
from .basis.statements import changes, is_busy, set_lock_timeout, shown

library: Final = "psycopg"

_FOREIGN: Final = (
    "The job used a connection to PostgreSQL that was opened before it was delivered, or by an earlier delivery: "
    "each delivery is a process of its own, which cannot have it. Open the connection within the job, with "
    "`with psycopg.connect(...)`, or take it out of a pool of psycopg_pool or of an engine of SQLAlchemy."
)
#: The attribute of a connection with the parameters that it was opened with.
_PLACE: Final = "_pytest_jobs_place"
#: The attribute of a connection that has changed something since its last commit.
_CHANGED: Final = "_pytest_jobs_changed"


def install(patches: Patches) -> None:
    """Watch the statements of every connection that a delivery opens.

    Connections are noted where they are made, cursors are patched class by class: the server-side
    cursors override `execute` of the others.
    """
    import psycopg

    init = psycopg.BaseConnection.__init__

    @functools.wraps(init)
    def opened(connection: Any, pgconn: Any) -> None:
        init(connection, pgconn)
        if is_explored():
            pgconn.exec_(set_lock_timeout().encode())
        note_connection(functools.partial(die, connection), shared=connection)

    patches.set(psycopg.BaseConnection, "__init__", opened)
    blocking = vars(psycopg.Connection)["connect"].__func__
    patches.set(psycopg.Connection, "connect", classmethod(within(_reaching, blocking)))
    patches.set(psycopg, "connect", psycopg.Connection.connect)
    # What an awaited connection does is one step: how often it waits for its socket depends on time.
    connect = vars(psycopg.AsyncConnection)["connect"].__func__
    connect = within(_reaching, within(_one_step, connect))
    patches.set(psycopg.AsyncConnection, "connect", classmethod(connect))
    surround(patches, psycopg.AsyncConnection, "wait", _one_step)
    for cursor, statement_block, stream, copy in (
        (psycopg.Cursor, _statement, _stream, _copy),
        (psycopg.ServerCursor, _statement, _stream, _copy),
        (psycopg.AsyncCursor, _awaited_statement, _stream_async, _copy_async),
        (psycopg.AsyncServerCursor, _awaited_statement, _stream_async, _copy_async),
    ):
        own = vars(cursor)
        for name in ("execute", "executemany"):
            if name in own:
                surround(patches, cursor, name, statement_block)
        if "stream" in own:
            patches.set(cursor, "stream", stream(own["stream"]))
        if "copy" in own:
            patches.set(cursor, "copy", copy(own["copy"]))
    for connection, transaction, leave in (
        (psycopg.Connection, psycopg.Transaction, "__exit__"),
        (psycopg.AsyncConnection, psycopg.AsyncTransaction, "__aexit__"),
    ):
        surround(patches, connection, "cursor", _use)
        surround(patches, connection, "transaction", _use)
        surround(patches, connection, "commit", lambda connection: acting(_commit(connection)))
        surround(patches, transaction, leave, _end_of_transaction)


def die(connection: Any) -> None:
    """End a connection as the server ends it when its client is gone, and return when that is done.

    Args:
        connection: a connection of psycopg, blocking or awaited.
    """
    from psycopg.conninfo import make_conninfo
    from psycopg.pq import ConnStatus, PGconn, PipelineStatus, TransactionStatus

    pgconn = connection.pgconn
    if pgconn.status != ConnStatus.OK:
        return
    if pgconn.pipeline_status == PipelineStatus.OFF:
        if pgconn.transaction_status != TransactionStatus.IDLE:
            pgconn.exec_(b"ROLLBACK")
        pgconn.exec_(b"SELECT pg_advisory_unlock_all()")
        pgconn.finish()
        return
    # In a pipeline it takes no ROLLBACK. The server ends it soon after `finish`, so wait for that.
    options = {
        option.keyword.decode(): option.val.decode()
        for option in pgconn.info
        if option.val is not None
    }
    other = PGconn.connect(make_conninfo(**options).encode())
    query = b"SELECT pg_sleep(0.001) FROM pg_stat_activity WHERE pid = %d" % pgconn.backend_pid
    pgconn.finish()
    while other.exec_(query).ntuples:
        pass
    other.finish()


def lost(connection: Any) -> Exception:
    """Break a connection, which rolls back what was not committed, and return the error of that."""
    from psycopg import OperationalError

    die(connection)
    error: Exception = OperationalError("server closed the connection unexpectedly")
    return error


def _use(connection: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
    """Refuse the connection of another delivery."""
    if not holds_connection(connection):
        refuse_delivery(_FOREIGN)
    return nullcontext()


def _reaching(
    cls: Any, conninfo: str = "", *args: Any, **kwargs: Any
) -> AbstractContextManager[None]:
    """Refuse a server on another machine that the world does not use, before its name is looked up."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    if accounts.current is None or watcher.get() is None:
        return nullcontext()
    own = {name: kwargs[name] for name in ("host", "hostaddr") if kwargs.get(name) is not None}
    with suppress(ProgrammingError):
        given = conninfo_to_dict(conninfo, **own)
        hosts = given.get("hostaddr") or given.get("host") or os.environ.get("PGHOST") or ""
        for host in str(hosts).split(","):
            refuse_far_server(host, library)
    return nullcontext()


def _one_step(*args: Any, **kwargs: Any) -> AbstractContextManager[None]:
    return looking(is_busy) if is_explored() else nullcontext()


def _statement(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
    act = _act_of(cursor, query)
    return looking(is_busy) if act is None else acting(act)


def _awaited_statement(
    cursor: Any, query: Any, *args: Any, **kwargs: Any
) -> AbstractContextManager[None]:
    # A statement that only reads waits in `wait`, which is one step already.
    return acting(_act_of(cursor, query))


def _act_of(cursor: Any, query: Any) -> Act | None:
    """Return what a statement does; None when it only reads, or nobody watches."""
    if watcher.get() is None and accounts.current is None:
        return None
    connection = cursor.connection
    text = _text_of(query)
    _note_tables(connection, text)
    if watcher.get() is None:
        return None
    _use(connection)
    if not changes(text):
        return None
    setattr(connection, _CHANGED, True)
    commits = connection.autocommit and not _in_transaction(connection)
    return _act(connection, shown(text), commits=commits)


def _text_of(query: Any) -> str:
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    if isinstance(query, str):
        return query
    if hasattr(query, "as_string"):
        return str(query.as_string(None))
    # A template string of Python 3.14.
    return "".join(query.strings)


def _note_tables(connection: Any, text: str) -> None:
    """Report the tables of a statement to the account of the history that is open."""
    if accounts.current is None:
        return
    place = getattr(connection, _PLACE, None)
    if place is None:
        place = {
            option.keyword.decode(): option.val.decode()
            for option in connection.pgconn.info
            if option.val is not None
        }
        setattr(connection, _PLACE, place)
    note_tables(place, text)


def _commit(connection: Any) -> Act | None:
    """Return the act of a commit; None when there is nothing to commit, or nobody watches."""
    if watcher.get() is None or not _in_transaction(connection):
        return None
    if not getattr(connection, _CHANGED, False):
        return None
    setattr(connection, _CHANGED, False)
    return _act(connection, "commit", commits=True)


def _end_of_transaction(
    transaction: Any, kind: type[BaseException] | None, *args: Any
) -> AbstractContextManager[None]:
    """Return the block in which a `with connection.transaction()` is left: it commits if it is the outermost."""
    outermost = getattr(transaction, "_outer_transaction", True)
    commits = kind is None and not transaction.force_rollback and outermost
    return acting(_commit(transaction.connection) if commits else None)


def _act(connection: Any, text: str, *, commits: bool) -> Act:
    """Return an act; only one that commits can have happened although its answer is lost."""
    end = functools.partial(lost, connection)
    return Act(
        "psycopg",
        text,
        counts=False,
        refused=end,
        answer_lost=end if commits else None,
        busy=is_busy,
    )


def _in_transaction(connection: Any) -> bool:
    from psycopg.pq import TransactionStatus

    return connection.pgconn.transaction_status != TransactionStatus.IDLE  # type: ignore[no-any-return]


# `stream` gives rows one by one: where it changes something, all rows are fetched within the act.


def _stream(genuine: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(genuine)
    def stream(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Generator[Any, None, None]:
        rows = genuine(cursor, query, *args, **kwargs)
        act = _act_of(cursor, query)
        if act is not None:
            with acting(act):
                rows = list(rows)
        yield from rows

    return stream


def _stream_async(genuine: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(genuine)
    async def stream(
        cursor: Any, query: Any, *args: Any, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        rows = genuine(cursor, query, *args, **kwargs)
        act = _act_of(cursor, query)
        if act is None:
            async for row in rows:
                yield row
            return
        with acting(act):
            found = [row async for row in rows]
        for row in found:
            yield row

    return stream


# `copy` is a block of the job, and what it changes happens at its end. It is left in any case, since it holds
# a lock of the connection.


def _copy(genuine: Callable[..., Any]) -> Callable[..., Any]:
    @contextmanager
    def copy(cursor: Any, statement: Any, *args: Any, **kwargs: Any) -> Generator[Any, None, None]:
        block = genuine(cursor, statement, *args, **kwargs)
        act = _act_of(cursor, statement)
        with looking(is_busy):
            opened = block.__enter__()
        left = False
        try:
            yield opened
            with acting(act):
                left = True
                block.__exit__(None, None, None)
        except BaseException:
            if not left:
                with suppress(Exception):
                    block.__exit__(*sys.exc_info())
            raise

    return copy


def _copy_async(genuine: Callable[..., Any]) -> Callable[..., Any]:
    @asynccontextmanager
    async def copy(
        cursor: Any, statement: Any, *args: Any, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        block = genuine(cursor, statement, *args, **kwargs)
        act = _act_of(cursor, statement)
        opened = await block.__aenter__()
        left = False
        try:
            yield opened
            with acting(act):
                left = True
                await block.__aexit__(None, None, None)
        except BaseException:
            if not left:
                with suppress(Exception):
                    await block.__aexit__(*sys.exc_info())
            raise

    return copy


#: Opens a connection as a pool does, with its settings.
_CONNECT: Final = methodcaller("_connect")


class _Pools:
    """The source for pools: each delivery has connections of its own in one, as a process has."""

    library: Final = "psycopg_pool"

    def __init__(self) -> None:
        #: By delivery and pool: the connections that the delivery has given back.
        self._free: WeakKeyDictionary[Any, WeakKeyDictionary[Any, list[Any]]] = WeakKeyDictionary()
        #: All that deliveries have taken.
        self._own: WeakSet[Any] = WeakSet()

    def install(self, patches: Patches) -> None:
        module: Any = sys.modules[self.library]
        for kind, take, give in (
            (module.ConnectionPool, self._taking, self._giving),
            (module.AsyncConnectionPool, self._taking_async, self._giving_async),
        ):
            patches.set(kind, "getconn", take(kind.getconn))
            patches.set(kind, "putconn", give(kind.putconn))

    def _free_in(self, pool: Any) -> list[Any] | None:
        """Return the free connections of this delivery; None if the pool is to give its own."""
        if not is_explored() or pool.closed:
            return None
        return self._free.setdefault(watcher.get(), WeakKeyDictionary()).setdefault(pool, [])

    def _taken(self, pool: Any, connection: Any) -> Any:
        # So that `with connection:` does not close it.
        connection._pool = pool
        self._own.add(connection)
        return connection

    def _taking(self, getconn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(getconn)
        def taken(pool: Any, *args: Any, **kwargs: Any) -> Any:
            free = self._free_in(pool)
            if free is None:
                return getconn(pool, *args, **kwargs)
            return self._taken(pool, free.pop() if free else _CONNECT(pool))

        return taken

    def _taking_async(self, getconn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(getconn)
        async def taken(pool: Any, *args: Any, **kwargs: Any) -> Any:
            free = self._free_in(pool)
            if free is None:
                return await getconn(pool, *args, **kwargs)
            return self._taken(pool, free.pop() if free else await _CONNECT(pool))

        return taken

    def _giving(self, putconn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(putconn)
        def given(pool: Any, connection: Any) -> None:
            if connection not in self._own:
                putconn(pool, connection)
            elif not connection.closed:
                if _in_transaction(connection):
                    connection.rollback()
                self._keep(pool, connection)

        return given

    def _giving_async(self, putconn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(putconn)
        async def given(pool: Any, connection: Any) -> None:
            if connection not in self._own:
                await putconn(pool, connection)
            elif not connection.closed:
                if _in_transaction(connection):
                    await connection.rollback()
                self._keep(pool, connection)

        return given

    def _keep(self, pool: Any, connection: Any) -> None:
        connection._pool = None
        free = self._free_in(pool)
        if free is not None:
            free.append(connection)


pools: Final = _Pools()
