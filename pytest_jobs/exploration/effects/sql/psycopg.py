"""What jobs do to PostgreSQL by psycopg: by blocking connections and by awaited ones."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from operator import methodcaller
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

from ....harness.records.patches import Patches
from ...engine.acts import watcher
from ..wrapping import (
    OfDelivery,
    after_calls,
    answer_of,
    at_once,
    in_check,
    no_block,
    surround,
    within,
)
from .basis.driver import is_part, own_connection
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

        after_calls(patches, psycopg.BaseConnection, "__init__", self._made)
        blocking = vars(psycopg.Connection)["connect"].__func__
        patches.set(psycopg.Connection, "connect", classmethod(within(self._reaching, blocking)))
        patches.set(psycopg, "connect", psycopg.Connection.connect)
        one_step = in_check(self.no_effect, no_block)
        awaited = within(one_step, vars(psycopg.AsyncConnection)["connect"].__func__)
        awaited = within(self._reaching, awaited)
        patches.set(psycopg.AsyncConnection, "connect", classmethod(awaited))
        surround(patches, psycopg.AsyncConnection, "wait", one_step)
        for cursor, stream in (
            (psycopg.Cursor, self._stream),
            (psycopg.ServerCursor, self._stream),
            (psycopg.AsyncCursor, self._stream_async),
            (psycopg.AsyncServerCursor, self._stream_async),
        ):
            own = vars(cursor)
            for name in ("execute", "executemany"):
                if name in own:
                    surround(patches, cursor, name, self._statement)
            for name, method in (("stream", stream), ("copy", self._copy)):
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

    def _made(self, returned: None, connection: Any, pgconn: Any) -> None:
        if limit := set_lock_timeout():
            pgconn.exec_(limit.encode())
        self.opened(connection)

    def statement_of(self, sql: Any) -> Statement:
        if hasattr(sql, "as_string"):
            return Statement(sql.as_string(None))
        # A template string of Python 3.14.
        return Statement("".join(sql.strings) if hasattr(sql, "strings") else sql)

    def commits(self, connection: Any, statement: Statement) -> bool:
        own = own_connection(connection)
        return own.autocommit and not is_in_transaction(own)

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

        if watcher.get() is None:
            return nullcontext()
        own = {name: kwargs[name] for name in ("host", "hostaddr") if kwargs.get(name) is not None}
        with suppress(ProgrammingError):
            given = conninfo_to_dict(conninfo, **own)
            hosts = given.get("hostaddr") or given.get("host") or os.environ.get("PGHOST") or ""
            for host in str(hosts).split(","):
                self.check_reach(host)
        return nullcontext()

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

    def _copy(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(genuine)
        def copy(cursor: Any, statement: Any, *args: Any, **kwargs: Any) -> _Copy:
            block = genuine(cursor, statement, *args, **kwargs)
            return _Copy(block, self.no_effect(), self.statement(cursor.connection, statement))

        return copy


class _Copy:
    """A `copy`, which is a block of the job: what it changes happens at its end."""

    def __init__(
        self, block: Any, begin: AbstractContextManager[None], end: AbstractContextManager[None]
    ) -> None:
        self._begin, self._end = begin, end
        is_awaited = hasattr(block, "__aenter__")
        self._enter = block.__aenter__ if is_awaited else block.__enter__
        self._leave = block.__aexit__ if is_awaited else block.__exit__

    async def __aenter__(self) -> Any:
        with self._begin:
            return await answer_of(self._enter)

    async def __aexit__(self, *raised: object) -> None:
        # It is left in any case, and once, since it holds a lock of the connection.
        left = False
        try:
            if raised[0] is None:
                with self._end:
                    left = True
                    await answer_of(self._leave, *raised)
        finally:
            if not left:
                with suppress(Exception):
                    await answer_of(self._leave, *(raised if raised[0] else sys.exc_info()))

    __enter__ = at_once(__aenter__)
    __exit__ = at_once(__aexit__)


def is_in_transaction(connection: Any) -> bool:
    from psycopg.pq import TransactionStatus

    status: Any = connection.pgconn.transaction_status
    return status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)


def _options(pgconn: Any) -> dict[str, str]:
    given = ((option.keyword, option.val) for option in pgconn.info)
    return {name.decode(): value.decode() for name, value in given if value is not None}


#: Opens a connection as a pool does, with its settings.
_CONNECT: Final = methodcaller("_connect")


class _Pools:
    """The source for pools: each delivery has connections of its own in one, as a process has."""

    library: Final = "psycopg_pool"

    def __init__(self) -> None:
        #: By pool: the connections that the delivery has given back.
        self._free: OfDelivery[WeakKeyDictionary[Any, list[Any]]] = OfDelivery(WeakKeyDictionary)
        #: All that deliveries have taken.
        self._own: WeakSet[Any] = WeakSet()

    def install(self, patches: Patches) -> None:
        module: Any = sys.modules[self.library]
        for kind, of_kind in (
            (module.ConnectionPool, at_once),
            (module.AsyncConnectionPool, lambda function: function),
        ):
            patches.set(kind, "getconn", of_kind(self._taking(kind.getconn)))
            patches.set(kind, "putconn", of_kind(self._giving(kind.putconn)))

    def _free_in(self, pool: Any) -> list[Any] | None:
        """Return the free connections of this delivery; None if the pool is to give its own."""
        free = self._free.get()
        return None if free is None or pool.closed else free.setdefault(pool, [])

    def _taking(self, getconn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(getconn)
        async def taken(pool: Any, *args: Any, **kwargs: Any) -> Any:
            free = self._free_in(pool)
            if free is None:
                return await answer_of(getconn, pool, *args, **kwargs)
            connection = free.pop() if free else await answer_of(_CONNECT, pool)
            # So that `with connection:` does not close it.
            connection._pool = pool
            self._own.add(connection)
            return connection

        return taken

    def _giving(self, putconn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(putconn)
        async def given(pool: Any, connection: Any) -> None:
            if connection not in self._own:
                await answer_of(putconn, pool, connection)
            elif not connection.closed:
                if is_in_transaction(connection):
                    await answer_of(connection.rollback)
                connection._pool = None
                free = self._free_in(pool)
                if free is not None:
                    free.append(connection)

        return given


source: Final = _Psycopg()
pools: Final = _Pools()
