"""What the effect sources of the awaited drivers of MySQL do alike."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import import_module
from typing import Any, Final, TypeVar, cast

from .....harness.records.patches import Patches
from .....harness.time.waiting import off_the_loop
from ....engine.acts import is_explored, looking, note_look, skippable
from ...wrapping import surround, surround_awaited
from .driver import end_session, is_part, sent, unwatched
from .mysql import RELEASES, Ask, Mysql, Question, Questions, options_again
from .statements import is_busy

T = TypeVar("T")

#: The numbers of two commands of the protocol.
_QUIT: Final = 1
_QUERY: Final = 3


class AwaitedDriver(Mysql):
    """The effect source for a driver whose calls are awaited. Its waits for the socket make no points."""

    @property
    def advice(self) -> str:
        return (
            "Open the connection or the pool within the job, with "
            f"`async with {self.name}.create_pool(...)`."
        )

    @abstractmethod
    def transport(self, connection: Any) -> Any:
        """Return the transport of a connection that is open."""

    def watch_connections(self, patches: Patches, kind: type[Any], connect: str) -> None:
        """Watch what opens, uses and closes connections.

        Args:
            patches: puts everything back.
            kind: the class of the connections.
            connect: the method that opens one that is made.
        """
        init, opens, query = kind.__init__, getattr(kind, connect), kind.query

        @functools.wraps(init)
        def made(connection: Any, *args: Any, **kwargs: Any) -> None:
            self.opening(connection).again = self._another(kwargs)
            init(connection, *args, **kwargs)

        @functools.wraps(opens)
        async def opened(connection: Any) -> Any:
            return await self._open(connection, functools.partial(opens, connection))

        @functools.wraps(query)
        async def queried(connection: Any, sql: Any, *args: Any, **kwargs: Any) -> Any:
            async def send() -> Any:
                await _answer(connection, self.check_lock(sql))
                return await query(connection, sql, *args, **kwargs)

            return await self.send(connection, sql, send)

        patches.set(kind, "__init__", made)
        patches.set(kind, connect, opened)
        patches.set(kind, "query", queried)
        self._watch_ends(patches, kind)
        # A connection that is closed refuses to make one, by an error of its own.
        surround(patches, kind, "cursor", self._own)
        for name, block in (
            ("commit", self.commit),
            ("rollback", self.rollback),
            ("select_db", self.use_database),
            ("ping", self.no_effect),
            ("set_charset", self.no_effect),
            ("show_warnings", self.no_effect),
        ):
            surround_awaited(patches, kind, name, block)
        for name, text_of in (
            ("begin", lambda: "BEGIN"),
            ("autocommit", lambda value: f"SET autocommit = {int(bool(value))}"),
            ("kill", lambda thread_id: "KILL"),
        ):
            self.watch_statement(patches, kind, name, lambda connection: connection, text_of)

    def watch_statement(
        self,
        patches: Patches,
        owner: type[Any],
        name: str,
        connection_of: Callable[[Any], Any],
        text_of: Callable[..., Any],
    ) -> None:
        """Let a coroutine method be a statement.

        Args:
            patches: puts it back.
            owner: the class.
            name: the name of the method.
            connection_of: returns the connection of an object of the class; None if it is closed.
            text_of: returns the text of the statement from the arguments.
        """
        method = self.sending(getattr(owner, name), connection_of, text_of)
        patches.set(owner, name, method)

    def sending(
        self,
        method: Callable[..., Awaitable[T]],
        connection_of: Callable[[Any], Any],
        text_of: Callable[..., Any],
    ) -> Callable[..., Awaitable[T]]:
        """Return a coroutine method that is a statement, as `watch_statement` has it."""

        @functools.wraps(method)
        async def call(user: Any, *args: Any, **kwargs: Any) -> T:
            send = functools.partial(method, user, *args, **kwargs)
            connection = connection_of(user)
            if connection is None:
                return await send()
            return await self.send(connection, text_of(*args, **kwargs), send)

        return call

    def watch_pool(self, patches: Patches, pool: type[Any], names: Iterable[str]) -> None:
        """Let what a pool does be one step.

        A dead delivery skips it, so that it does not wait for connections that nobody gives back.
        """
        for name in names:
            surround_awaited(patches, pool, name, self.no_effect)

    def one_step(self, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        """Return the block in which a connection waits for the server."""
        return looking(is_busy)

    async def send(self, connection: Any, sql: Any, send: Callable[[], Awaitable[T]]) -> T:
        """Send a statement.

        Args:
            connection: the connection.
            sql: the text of the statement.
            send: sends it.
        """
        if is_part():
            return await send()
        await _answer(connection, self.before_statement(connection))
        with skippable(), self.statement(connection, sql):
            return await send()
        return cast(T, None)

    def _own(self, connection: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        self.check_own(connection)
        return nullcontext()

    async def _open(self, connection: Any, connect: Callable[[], Awaitable[T]]) -> T:
        if self.is_open(connection):
            return await connect()
        self.check_reach(self.host(connection))
        with skippable(), sent(looking(is_busy)):
            opened = await connect()
            await _answer(connection, self.note_opened(connection))
            return opened
        return cast(T, None)

    @abstractmethod
    def host(self, connection: Any) -> str | None:
        """Return the machine to which a connection leads; None for a socket in the file system."""

    def _watch_ends(self, patches: Patches, kind: type[Any]) -> None:
        """Let what closes a connection return when the server has rolled back what was not committed."""
        close, ensure_closed = kind.close, kind.ensure_closed

        @functools.wraps(close)
        def closed(connection: Any) -> None:
            if is_explored() and self.is_open(connection):
                note_look(changes=True)
                self._end_session(connection)
            close(connection)

        @functools.wraps(ensure_closed)
        async def closed_by_message(connection: Any) -> None:
            if is_explored():
                closed(connection)
            else:
                await ensure_closed(connection)

        patches.set(kind, "close", closed)
        patches.set(kind, "ensure_closed", closed_by_message)

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

    def _another(self, kwargs: dict[str, Any]) -> Ask:
        """Return what asks another connection to the same database, on a loop of its own."""
        options = options_again(kwargs)

        async def asked(questions: tuple[Question, ...]) -> list[Any]:
            async with import_module(self.library).connect(**options) as connection:
                cursor = await connection.cursor()
                for sql, values in questions:
                    await cursor.execute(sql, values)
                return list(await cursor.fetchall())

        return lambda *questions: unwatched(lambda: _run_apart(asked(questions)))


async def _answer(connection: Any, questions: Questions) -> None:
    """Send what a source asks by the connection of the job."""
    rows: Any = None
    with suppress(StopIteration):
        while True:
            sql = questions.send(rows)
            with sent(looking(is_busy)):
                # A cursor would warn of what the server warns of.
                await connection.query(sql)
            result: Any = getattr(connection, "_result", None)
            rows = list(result.rows or ())


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
