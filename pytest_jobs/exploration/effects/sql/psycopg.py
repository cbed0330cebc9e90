"""What jobs do to PostgreSQL by psycopg: by blocking connections and by awaited ones."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
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
from ...engine.acts import is_explored, watcher
from ...stores.account import accounts
from ..wrapping import surround, within
from .basis.driver import is_part
from .basis.postgresql import Postgresql
from .basis.statements import Statement, set_lock_timeout


class _Psycopg(Postgresql):
    library = name = "psycopg"
    advice = (
        "Open the connection within the job, with `with psycopg.connect(...)`, or take it out of a pool of "
        "psycopg_pool or of an engine of SQLAlchemy."
    )

    def install(self, patches: Patches) -> None:
        """Watch the statements of every connection that a delivery opens.

        Connections are noted where they are made, cursors are patched class by class: the server-side
        cursors override `execute` of the others.
        """
        import psycopg

        init = psycopg.BaseConnection.__init__

        @functools.wraps(init)
        def made(connection: Any, pgconn: Any) -> None:
            init(connection, pgconn)
            if is_explored():
                pgconn.exec_(set_lock_timeout().encode())
            self.opened(connection)

        patches.set(psycopg.BaseConnection, "__init__", made)
        blocking = vars(psycopg.Connection)["connect"].__func__
        patches.set(psycopg.Connection, "connect", classmethod(within(self._reaching, blocking)))
        patches.set(psycopg, "connect", psycopg.Connection.connect)
        awaited = within(self._one_step, vars(psycopg.AsyncConnection)["connect"].__func__)
        awaited = within(self._reaching, awaited)
        patches.set(psycopg.AsyncConnection, "connect", classmethod(awaited))
        surround(patches, psycopg.AsyncConnection, "wait", self._one_step)
        for cursor, stream, copy in (
            (psycopg.Cursor, self._stream, self._copy),
            (psycopg.ServerCursor, self._stream, self._copy),
            (psycopg.AsyncCursor, self._stream_async, self._copy_async),
            (psycopg.AsyncServerCursor, self._stream_async, self._copy_async),
        ):
            own = vars(cursor)
            for name in ("execute", "executemany"):
                if name in own:
                    surround(patches, cursor, name, self._statement)
            for name, method in (("stream", stream), ("copy", copy)):
                if name in own:
                    patches.set(cursor, name, method(own[name]))
        for connection, transaction, leave in (
            (psycopg.Connection, psycopg.Transaction, "__exit__"),
            (psycopg.AsyncConnection, psycopg.AsyncTransaction, "__aexit__"),
        ):
            surround(patches, connection, "cursor", self.use)
            surround(patches, connection, "transaction", self.use)
            surround(patches, connection, "commit", self.commit)
            surround(patches, transaction, leave, self._end_of_transaction)

    def statement_of(self, sql: Any) -> Statement:
        if hasattr(sql, "as_string"):
            return Statement(sql.as_string(None))
        # A template string of Python 3.14.
        return Statement("".join(sql.strings) if hasattr(sql, "strings") else sql)

    def commits(self, connection: Any, statement: Statement) -> bool:
        return connection.autocommit and not is_in_transaction(connection)

    def has_changed(self, connection: Any) -> bool:
        # A rollback is not noted.
        return super().has_changed(connection) and is_in_transaction(connection)

    def place_of(self, connection: Any) -> Mapping[str, Any]:
        return _options(connection.pgconn)

    def die(self, connection: Any) -> None:
        from psycopg.conninfo import make_conninfo
        from psycopg.pq import ConnStatus, PGconn, PipelineStatus

        pgconn = connection.pgconn
        if pgconn.status != ConnStatus.OK:
            return
        if pgconn.pipeline_status == PipelineStatus.OFF:
            if is_in_transaction(connection):
                pgconn.exec_(b"ROLLBACK")
            pgconn.exec_(b"SELECT pg_advisory_unlock_all()")
            pgconn.finish()
            return
        # In a pipeline it takes no ROLLBACK. The server ends it soon after `finish`, so wait for that.
        other = PGconn.connect(make_conninfo(**_options(pgconn)).encode())
        query = b"SELECT pg_sleep(0.001) FROM pg_stat_activity WHERE pid = %d" % pgconn.backend_pid
        pgconn.finish()
        while other.exec_(query).ntuples:
            pass
        other.finish()

    # Blocks for calls

    def _reaching(
        self, cls: Any, conninfo: str = "", *args: Any, **kwargs: Any
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
                self.check_reach(host)
        return nullcontext()

    def _one_step(self, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        return self.no_effect() if is_explored() else nullcontext()

    def _statement(
        self, cursor: Any, query: Any, *args: Any, **kwargs: Any
    ) -> AbstractContextManager[None]:
        return self.statement(cursor.connection, query)

    def _end_of_transaction(
        self, transaction: Any, kind: type[BaseException] | None, *args: Any
    ) -> AbstractContextManager[None]:
        """Return the block in which a transaction is left: it commits if it is the outermost."""
        outermost = getattr(transaction, "_outer_transaction", True)
        if kind is None and not transaction.force_rollback and outermost:
            return self.commit(transaction.connection)
        return nullcontext()

    # `stream` gives rows one by one. In a check all are fetched within the statement, which may change something.

    def _stream(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(genuine)
        def stream(
            cursor: Any, query: Any, *args: Any, **kwargs: Any
        ) -> Generator[Any, None, None]:
            rows = genuine(cursor, query, *args, **kwargs)
            if not is_part():
                with self.statement(cursor.connection, query):
                    rows = list(rows)
            yield from rows

        return stream

    def _stream_async(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(genuine)
        async def stream(
            cursor: Any, query: Any, *args: Any, **kwargs: Any
        ) -> AsyncGenerator[Any, None]:
            with self.statement(cursor.connection, query):
                rows = [row async for row in genuine(cursor, query, *args, **kwargs)]
            for row in rows:
                yield row

        return stream

    # `copy` is a block of the job, and what it changes happens at its end. It is left in any case, since it holds
    # a lock of the connection.

    def _copy(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def copy(
            cursor: Any, statement: Any, *args: Any, **kwargs: Any
        ) -> Generator[Any, None, None]:
            block, left = genuine(cursor, statement, *args, **kwargs), False
            end = self.statement(cursor.connection, statement)
            with self.no_effect():
                opened = block.__enter__()
            try:
                yield opened
                with end:
                    left = True
                    block.__exit__(None, None, None)
            except BaseException:
                if not left:
                    with suppress(Exception):
                        block.__exit__(*sys.exc_info())
                raise

        return copy

    def _copy_async(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        @asynccontextmanager
        async def copy(
            cursor: Any, statement: Any, *args: Any, **kwargs: Any
        ) -> AsyncGenerator[Any, None]:
            block, left = genuine(cursor, statement, *args, **kwargs), False
            end = self.statement(cursor.connection, statement)
            with self.no_effect():
                opened = await block.__aenter__()
            try:
                yield opened
                with end:
                    left = True
                    await block.__aexit__(None, None, None)
            except BaseException:
                if not left:
                    with suppress(Exception):
                        await block.__aexit__(*sys.exc_info())
                raise

        return copy


def is_in_transaction(connection: Any) -> bool:
    from psycopg.pq import TransactionStatus

    return connection.pgconn.transaction_status != TransactionStatus.IDLE  # type: ignore[no-any-return]


def _options(pgconn: Any) -> dict[str, str]:
    """Return the parameters of a connection."""
    given = ((option.keyword, option.val) for option in pgconn.info)
    return {name.decode(): value.decode() for name, value in given if value is not None}


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
                if is_in_transaction(connection):
                    connection.rollback()
                self._keep(pool, connection)

        return given

    def _giving_async(self, putconn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(putconn)
        async def given(pool: Any, connection: Any) -> None:
            if connection not in self._own:
                await putconn(pool, connection)
            elif not connection.closed:
                if is_in_transaction(connection):
                    await connection.rollback()
                self._keep(pool, connection)

        return given

    def _keep(self, pool: Any, connection: Any) -> None:
        connection._pool = None
        free = self._free_in(pool)
        if free is not None:
            free.append(connection)


source: Final = _Psycopg()
pools: Final = _Pools()
