"""What jobs do to PostgreSQL by psycopg, waiting or awaiting."""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final

from ...harness.records.patches import Patches
from ..acts import is_explored, looking, note_connection, perform_act, perform_act_async
from .psycopg_acts import act_of, check_own, commit_at_end_of, commit_of, die
from .statements import impatience, is_busy

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
