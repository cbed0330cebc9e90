"""What jobs do to PostgreSQL by psycopg, waiting or awaiting."""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final

from ...harness.records.patches import Patches
from ..engine.acts import (
    Act,
    holds_connection,
    is_explored,
    looking,
    note_connection,
    perform_act,
    perform_act_async,
    refuse_delivery,
    watcher,
)
from .statements import changes, impatience, is_busy, shown

_FOREIGN: Final = (
    "The job used a connection to PostgreSQL that was opened before it was delivered, or by an earlier delivery: "
    "each delivery is a process of its own, which cannot have it. Open the connection within the job, with "
    "`with psycopg.connect(...)`, or take it out of the pool of an engine of SQLAlchemy."
)
_CHANGED: Final = "_pytest_jobs_changed"


def check_own(connection: Any) -> None:
    """Refuse the connection of another delivery."""
    if not holds_connection(connection):
        refuse_delivery(_FOREIGN)


def die(connection: Any) -> None:
    """End a connection as the server ends it when its client is gone, and return when that is done.

    Args:
        connection: a connection of psycopg, of either kind.
    """
    from psycopg.pq import ConnStatus, PipelineStatus, TransactionStatus

    pgconn = connection.pgconn
    if pgconn.status != ConnStatus.OK:
        return
    if pgconn.pipeline_status != PipelineStatus.OFF:
        _die_in_pipeline(pgconn)
        return
    if pgconn.transaction_status != TransactionStatus.IDLE:
        pgconn.exec_(b"ROLLBACK")
    pgconn.exec_(b"SELECT pg_advisory_unlock_all()")
    pgconn.finish()


def lost(connection: Any) -> Exception:
    """Let a connection break, with what was not committed; return the error of it."""
    from psycopg import OperationalError

    die(connection)
    error: Exception = OperationalError("server closed the connection unexpectedly")
    return error


def _die_in_pipeline(pgconn: Any) -> None:
    """End a connection that takes no statement now: the server notices by itself."""
    from psycopg.conninfo import make_conninfo
    from psycopg.pq import PGconn

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


def act_of(cursor: Any, query: Any) -> Act | None:
    """Return what a statement does; None when it only reads, or nobody watches."""
    if watcher.get() is None:
        return None
    connection = cursor.connection
    check_own(connection)
    text = _text(query)
    if not changes(text):
        return None
    setattr(connection, _CHANGED, True)
    at_once = connection.autocommit and not _in_transaction(connection)
    return _act(connection, shown(text), may_lose_answer=at_once)


def commit_of(connection: Any) -> Act | None:
    """Return the act of a commit; None when nothing is there to be committed, or nobody watches."""
    if watcher.get() is None or not _in_transaction(connection):
        return None
    if not getattr(connection, _CHANGED, False):
        return None
    setattr(connection, _CHANGED, False)
    return _act(connection, "commit", may_lose_answer=True)


def commit_at_end_of(transaction: Any, kind: type[BaseException] | None) -> Act | None:
    """Return the act of leaving a block that is a transaction; None when it commits nothing."""
    outermost = getattr(transaction, "_outer_transaction", True)
    if kind is not None or transaction.force_rollback or not outermost:
        return None
    return commit_of(transaction.connection)


def _act(connection: Any, text: str, *, may_lose_answer: bool) -> Act:
    end = functools.partial(lost, connection)
    return Act(
        "psycopg",
        text,
        counts=False,
        refused=end,
        answer_lost=end if may_lose_answer else None,
        busy=is_busy,
    )


def _in_transaction(connection: Any) -> bool:
    from psycopg.pq import TransactionStatus

    return connection.pgconn.transaction_status != TransactionStatus.IDLE  # type: ignore[no-any-return]


def _text(query: Any) -> str:
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    if isinstance(query, str):
        return query
    as_string = getattr(query, "as_string", None)
    return str(as_string(None)) if as_string is not None else "".join(query.strings)


library: Final = "psycopg"


def install(patches: Patches) -> None:
    """Hear of the statements of every connection that a delivery opens.

    It hardly waits for a lock: the delivery that would release it is suspended.
    """
    import psycopg

    opening = psycopg.BaseConnection.__init__
    patches.set(psycopg.BaseConnection, "__init__", _opening(opening))
    connect = vars(psycopg.AsyncConnection)["connect"].__func__
    patches.set(psycopg.AsyncConnection, "connect", classmethod(_awaiting(connect)))
    patches.set(psycopg.AsyncConnection, "wait", _awaiting(psycopg.AsyncConnection.wait))
    for cursor, heard in (
        (psycopg.Cursor, _Heard),
        (psycopg.ServerCursor, _Heard),
        (psycopg.AsyncCursor, _HeardAsync),
        (psycopg.AsyncServerCursor, _HeardAsync),
    ):
        for name in ("execute", "executemany", "stream", "copy"):
            if name in vars(cursor):
                patches.set(cursor, name, getattr(heard, name)(vars(cursor)[name]))
    _hear_connection(patches, psycopg.Connection, psycopg.Transaction, "__exit__", _Heard)
    _hear_connection(
        patches, psycopg.AsyncConnection, psycopg.AsyncTransaction, "__aexit__", _HeardAsync
    )


def _opening(init: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(init)
    def opened(connection: Any, pgconn: Any) -> None:
        init(connection, pgconn)
        if is_explored():
            pgconn.exec_(impatience().encode())
        note_connection(functools.partial(die, connection), shared=connection)

    return opened


def _awaiting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let what is awaited be one step: how often it waits for its socket depends on time."""

    @functools.wraps(function)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        if not is_explored():
            return await function(*args, **kwargs)
        with looking(is_busy):
            return await function(*args, **kwargs)

    return awaited


class _Heard:
    """Wraps the methods of cursors, connections and transactions that wait."""

    @staticmethod
    def execute(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def executed(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            do = functools.partial(function, cursor, query, *args, **kwargs)
            act = act_of(cursor, query)
            if act is not None:
                return perform_act(act, do)
            with looking(is_busy):
                return do()

        return executed

    executemany = execute

    @staticmethod
    def stream(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def streamed(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            rows = function(cursor, query, *args, **kwargs)
            act = act_of(cursor, query)
            yield from rows if act is None else perform_act(act, lambda: list(rows))

        return streamed

    @staticmethod
    def copy(function: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def copied(
            cursor: Any, query: Any, *args: Any, **kwargs: Any
        ) -> Generator[Any, None, None]:
            block = function(cursor, query, *args, **kwargs)
            act = act_of(cursor, query)
            with looking(is_busy):
                copy = block.__enter__()
            ended = []

            def end() -> Any:
                ended.append(copy)
                return block.__exit__(None, None, None)

            try:
                yield copy
                _ = end() if act is None else perform_act(act, end)
            except BaseException:
                if not ended:
                    # It holds the lock of the connection.
                    with suppress(Exception):
                        block.__exit__(*sys.exc_info())
                raise

        return copied

    @staticmethod
    def commit(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def committed(connection: Any) -> Any:
            act = commit_of(connection)
            do = functools.partial(function, connection)
            return do() if act is None else perform_act(act, do)

        return committed

    @staticmethod
    def leave(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def left(transaction: Any, kind: Any, error: Any, traceback: Any) -> Any:
            do = functools.partial(function, transaction, kind, error, traceback)
            act = commit_at_end_of(transaction, kind)
            return do() if act is None else perform_act(act, do)

        return left


class _HeardAsync:
    """Wraps those that are awaited."""

    @staticmethod
    def execute(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def executed(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            do = functools.partial(function, cursor, query, *args, **kwargs)
            act = act_of(cursor, query)
            return await do() if act is None else await perform_act_async(act, do)

        return executed

    executemany = execute

    @staticmethod
    def stream(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def streamed(
            cursor: Any, query: Any, *args: Any, **kwargs: Any
        ) -> AsyncGenerator[Any, None]:
            rows = function(cursor, query, *args, **kwargs)
            act = act_of(cursor, query)
            if act is None:
                async for row in rows:
                    yield row
                return

            async def all_rows() -> list[Any]:
                return [row async for row in rows]

            for row in await perform_act_async(act, all_rows):
                yield row

        return streamed

    @staticmethod
    def copy(function: Callable[..., Any]) -> Callable[..., Any]:
        @asynccontextmanager
        async def copied(
            cursor: Any, query: Any, *args: Any, **kwargs: Any
        ) -> AsyncGenerator[Any, None]:
            block = function(cursor, query, *args, **kwargs)
            act = act_of(cursor, query)
            copy = await block.__aenter__()
            ended = []

            async def end() -> Any:
                ended.append(copy)
                return await block.__aexit__(None, None, None)

            try:
                yield copy
                _ = await end() if act is None else await perform_act_async(act, end)
            except BaseException:
                if not ended:
                    with suppress(Exception):
                        await block.__aexit__(*sys.exc_info())
                raise

        return copied

    @staticmethod
    def commit(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def committed(connection: Any) -> Any:
            act = commit_of(connection)
            do = functools.partial(function, connection)
            return await do() if act is None else await perform_act_async(act, do)

        return committed

    @staticmethod
    def leave(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def left(transaction: Any, kind: Any, error: Any, traceback: Any) -> Any:
            do = functools.partial(function, transaction, kind, error, traceback)
            act = commit_at_end_of(transaction, kind)
            return await do() if act is None else await perform_act_async(act, do)

        return left


def _hear_connection(
    patches: Patches, connection: Any, transaction: Any, leaving: str, heard: Any
) -> None:
    for name in ("cursor", "transaction"):
        patches.set(connection, name, _of_its_own(vars(connection)[name]))
    patches.set(connection, "commit", heard.commit(connection.commit))
    patches.set(transaction, leaving, heard.leave(vars(transaction)[leaving]))


def _of_its_own(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that refuses the connection of another delivery."""

    @functools.wraps(function)
    def used(connection: Any, *args: Any, **kwargs: Any) -> Any:
        check_own(connection)
        return function(connection, *args, **kwargs)

    return used
