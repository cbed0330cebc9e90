"""The two kinds of drivers of MySQL: those that block, and those that are awaited."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from importlib import import_module
from typing import Any, Final

from .....harness.records.patches import Patches
from .....harness.time.waiting import off_the_loop
from ....engine.acts import looking, note_look
from ...wrapping import replace_in_check, surround, surround_awaited
from .driver import end_session, sent, unwatched
from .mysql import RELEASES, Ask, Mysql, Question, options_again
from .statements import is_busy

#: The numbers of two commands of the protocol.
_QUIT: Final = 1
_QUERY: Final = 3


class BlockingDriver(Mysql):
    """The effect source for a driver whose calls return when the server has answered."""

    is_awaited = False

    advice = (
        "Open the connection within the job, with `{name}.connect(...)`, or take it out of the pool of an engine "
        "of SQLAlchemy."
    )

    def watch_connections(
        self, patches: Patches, kind: type[Any], connect: str, query: str
    ) -> None:
        super().watch_connections(patches, kind, connect, query)
        surround(patches, kind, "close", self.no_effect)

    def is_open(self, connection: Any) -> bool:
        return bool(connection.open)

    def ask(self, connection: Any, sql: str) -> list[Any]:
        return unwatched(functools.partial(_run, connection, sql))

    def another(self, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ask:
        kind, options = type(connection), options_again(kwargs)

        def ask(questions: tuple[Question, ...]) -> list[Any]:
            with closing(kind(*args, **options)) as other, closing(other.cursor()) as cursor:
                for sql, values in questions:
                    cursor.execute(sql, values)
                return list(cursor.fetchall())

        return lambda *questions: unwatched(functools.partial(ask, questions))

    def die(self, connection: Any) -> None:
        self._end(connection, connection.close)

    def lost(self, connection: Any) -> Exception:
        # Not closed by the client: the driver finds out at its next statement, and cursors can be closed.
        self._end(connection, lambda: _run(connection, "KILL CONNECTION_ID()"))
        return super().lost(connection)

    def _end(self, connection: Any, last: Callable[[], object]) -> None:
        if not self.is_open(connection):
            return
        releases = [functools.partial(_run, connection, sql) for sql in RELEASES]
        for end in (connection.rollback, *releases, last):
            with suppress(Exception):
                unwatched(end)


def _run(connection: Any, sql: str) -> list[Any]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        rows = list(cursor.fetchall()) if cursor.description else []
    # Those of a cursor that gives dictionaries.
    return [tuple(row.values()) if isinstance(row, dict) else row for row in rows]


class AwaitedDriver(Mysql):
    """The effect source for a driver whose calls are awaited. Its waits for the socket make no points."""

    is_awaited = True

    advice = (
        "Open the connection or the pool within the job, with `async with {name}.create_pool(...)`."
    )

    @abstractmethod
    def transport(self, connection: Any) -> Any:
        """Return the transport of a connection that is open."""

    def watch_connections(
        self, patches: Patches, kind: type[Any], connect: str, query: str = "query"
    ) -> None:
        super().watch_connections(patches, kind, connect, query)
        # A connection that is closed refuses to make one, by an error of its own.
        surround(patches, kind, "cursor", self.use)
        # What closes a connection returns when the server has rolled back what was not committed.
        close = kind.close

        def closed(connection: Any) -> None:
            if self.is_open(connection):
                note_look(changes=True)
                self._end_session(connection)
            close(connection)

        async def closed_by_message(connection: Any) -> None:
            closed(connection)

        replace_in_check(patches, kind, "close", closed)
        replace_in_check(patches, kind, "ensure_closed", closed_by_message)

    def watch_pool(self, patches: Patches, pool: type[Any], names: Iterable[str]) -> None:
        """Let what a pool does be one step."""
        for name in names:
            surround_awaited(patches, pool, name, self.no_effect)

    async def ask(self, connection: Any, sql: str) -> list[Any]:
        with sent(looking(is_busy)):
            # A cursor would warn of what the server warns of.
            await connection.query(sql)
        result: Any = getattr(connection, "_result", None)
        return list(result.rows or ())

    def another(self, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ask:
        options = options_again(kwargs)

        async def ask(questions: tuple[Question, ...]) -> list[Any]:
            async with import_module(self.library).connect(**options) as other:
                cursor = await other.cursor()
                for sql, values in questions:
                    await cursor.execute(sql, values)
                return list(await cursor.fetchall())

        return lambda *questions: unwatched(lambda: _run_apart(ask(questions)))

    def die(self, connection: Any) -> None:
        if self.is_open(connection):
            self._end_session(connection)
            # Its event loop may be closed.
            with suppress(Exception):
                unwatched(connection.close)

    def lost(self, connection: Any) -> Exception:
        # These drivers close a connection themselves when they find it broken.
        self.die(connection)
        return super().lost(connection)

    def _end_session(self, connection: Any) -> None:
        with suppress(Exception):
            transport = self.transport(connection)
            # Without the keys of the encryption, all that a server understands is the end.
            is_plain = transport.get_extra_info("ssl_object") is None
            end_session(transport, *(_LAST_WORDS if is_plain else ()))


def _run_apart(coroutine: Any) -> list[Any]:
    """Run a coroutine on a loop of its own: the loop of a delivery stands still at its points."""
    import asyncio

    with off_the_loop():
        loop = asyncio.new_event_loop()
        try:
            return list(loop.run_until_complete(coroutine))
        finally:
            loop.close()


def _packet(command: int, text: bytes = b"") -> bytes:
    """Return a message of the protocol: its length, its number, and a command."""
    return (len(text) + 1).to_bytes(3, "little") + bytes((0, command)) + text


#: What a client says at last. The server itself needs a moment to find out that it is gone.
_LAST_WORDS: Final = (
    *(_packet(_QUERY, sql.encode()) for sql in ("ROLLBACK", *RELEASES)),
    _packet(_QUIT),
)
