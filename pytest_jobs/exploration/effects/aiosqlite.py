"""What jobs do to sqlite databases by aiosqlite."""

from __future__ import annotations

import functools
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from ...harness.records.patches import Patches
from ..engine.acts import (
    Act,
    holds_connection,
    looking,
    note_connection,
    perform_act_async,
    refuse_delivery,
    watcher,
)
from .sqlite import failed, impatient, is_locked
from .statements import changes, shown

library: Final = "aiosqlite"

_STATEMENTS: Final = frozenset(
    ("execute", "executemany", "executescript", "_execute_insert", "_execute_fetchall")
)
_FOREIGN: Final = (
    "The job used a connection of aiosqlite that was opened before it was delivered, or by an earlier delivery: "
    "each delivery is a process of its own, which cannot have it. Open the connection within the job, with "
    "`async with aiosqlite.connect(...)`."
)
#: In seconds: how long the thread of a connection may take to let go.
_PATIENCE: Final = 60.0


def install(patches: Patches) -> None:
    """Hear of the statements of every connection that a delivery opens.

    All of them go through one method, which gives them to the thread of the connection.
    """
    from aiosqlite import Connection

    patches.set(Connection, "_connect", _connecting(Connection._connect))
    patches.set(Connection, "_execute", _executing(Connection._execute))
    patches.set(Connection, "close", _closing(Connection.close))
    patches.set(Connection, "_conn", property(_of_its_own(Connection._conn.fget)))


def _connecting(connect: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(connect)
    async def connected(connection: Any) -> Any:
        if watcher.get() is None or connection._connection is not None:
            return await connect(connection)
        connection._connector = _unheard(connection._connector)
        note_connection(functools.partial(_die, connection), shared=connection)
        with looking(is_locked):
            return await connect(connection)

    return connected


def _unheard(connector: Callable[[], Any]) -> Callable[[], Any]:
    """Let the thread of a connection, which a delivery began, do nothing that is heard a second time."""

    def connected() -> Any:
        watcher.set(None)
        return connector()

    return connected


def _executing(execute: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(execute)
    async def executed(connection: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
        if watcher.get() is None:
            return await execute(connection, function, *args, **kwargs)
        name = getattr(function, "__name__", "")
        if name in _STATEMENTS:
            args = (impatient(args[0]), *args[1:])
        text = _text(connection, name, args)
        if text is None:
            with looking(is_locked):
                return await execute(connection, function, *args, **kwargs)
        act = Act("sqlite", text, counts=False, refused=failed, answer_lost=None, busy=is_locked)
        return await perform_act_async(
            act, functools.partial(execute, connection, function, *args, **kwargs)
        )

    return executed


def _of_its_own(raw: Any) -> Callable[[Any], Any]:
    """Return what gives the connection of sqlite, and refuses that of another delivery."""

    def given(connection: Any) -> Any:
        if not holds_connection(connection):
            refuse_delivery(_FOREIGN)
        return raw(connection)

    return given


def _closing(close: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(close)
    async def closed(connection: Any) -> None:
        with looking():
            await close(connection)

    return closed


def _text(connection: Any, name: str, args: tuple[Any, ...]) -> str | None:
    """Return what a call of sqlite does; None when it only reads."""
    if name in _STATEMENTS:
        parts = args[0].split(";") if name == "executescript" else [args[0]]
        return shown(args[0]) if any(map(changes, parts)) else None
    return "commit" if name == "commit" and connection.in_transaction else None


def _die(connection: Any) -> None:
    """Let the thread of a connection roll back, close and end, as with the process."""
    if not connection._running:
        # It was closed, and its thread takes nothing any more.
        return
    raw, connection._connection = connection._connection, None
    connection._running = False
    ended = threading.Event()

    def die() -> Any:
        if raw is not None:
            with suppress(Exception):
                raw.die() if hasattr(raw, "die") else raw.close()
        ended.set()
        return _stop()

    if _thread(connection).is_alive():
        connection._tx.put_nowait((_NOBODY, die))
        ended.wait(_PATIENCE)


def _stop() -> object:
    from aiosqlite import core

    return core._STOP_RUNNING_SENTINEL


def _thread(connection: Any) -> Any:
    return getattr(connection, "_thread", connection)


class _Nobody:
    """Awaits nothing: the loop of a dead delivery does not run any more."""

    def get_loop(self) -> _Nobody:
        return self

    def call_soon_threadsafe(self, *args: object) -> None:
        pass


_NOBODY: Final = _Nobody()
