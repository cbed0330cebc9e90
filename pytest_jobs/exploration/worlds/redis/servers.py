"""The servers of a redis world: fakeredis, or a database of a real one."""

from __future__ import annotations

import asyncio
import functools
import time
import weakref
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import redis
import redis.asyncio

from ....errors import ExplorationError
from ...engine.acts import watcher

_NS_PER_MS: Final = 1_000_000
#: What is left of every lease is shortened; what has no time left is gone.
_SHORTEN: Final = """
local gap = tonumber(ARGV[1])
for _, key in ipairs(redis.call('KEYS', '*')) do
  if redis.call('TYPE', key).ok == 'hash' then
    for _, field in ipairs(redis.call('HKEYS', key)) do
      local left = redis.pcall('HPTTL', key, 'FIELDS', 1, field)
      if not left.err and left[1] >= 0 then
        redis.call('HPEXPIRE', key, math.max(left[1] - gap, 0), 'FIELDS', 1, field)
      end
    end
  end
  local left = redis.call('PTTL', key)
  if left >= 0 then
    redis.call('PEXPIRE', key, math.max(left - gap, 0))
  end
end
"""
_AT: Final = {"EXPIREAT": 1_000, "PEXPIREAT": 1}
_OPTIONS_AT: Final = {"EXAT": 1_000, "PXAT": 1}
_OF_SERVER: Final = frozenset(
    ("TIME", "EXPIRETIME", "PEXPIRETIME", "HEXPIREAT", "HPEXPIREAT", "HEXPIRETIME", "HPEXPIRETIME")
)


class ServerClock:
    """Lets a server know how much virtual time has passed, before anything is asked of it."""

    def __init__(self, keeper: Any, now_ns: Callable[[], int]) -> None:
        """Begin now.

        Args:
            keeper: a client of the server that nobody else uses.
            now_ns: returns the virtual time.
        """
        self._keeper = keeper
        self._now_ns = now_ns
        self._known_ms = self._now_ms()

    def catch_up(self) -> None:
        """Shorten what is left of every lease by the virtual time that has passed."""
        now = self._now_ms()
        gap, self._known_ms = now - self._known_ms, now
        if gap > 0:
            self._ask(lambda: self._keeper.eval(_SHORTEN, 0, gap))

    def translated(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return a command with its times in those of the server.

        Raises:
            ExplorationError: when the answer would be a time of the server.
        """
        name = _word(args[0]).partition(" ")[0]
        if name in _OF_SERVER:
            raise ExplorationError(
                f"{name} asks for the clock of the server, and the job lives by the virtual clock: let the world "
                "use fakeredis (no server=), or let the job ask for what is left (TTL) or for `time.time()`."
            )
        if name in _AT:
            return (*args[:2], self._of_server(args[2], _AT[name]), *args[3:])
        if name in ("SET", "GETEX"):
            return self._with_options(args)
        return args

    def connection_class(self, base: Any) -> Any:
        """Return a class of connections that catch up before they send anything."""
        clock = self

        def send_packed_command(self: Any, command: Any, check_health: bool = True) -> None:
            clock.catch_up()
            base.send_packed_command(self, command, check_health)

        return type(
            base.__name__,
            (base,),
            {"send_packed_command": send_packed_command, **self._packing(base)},
        )

    def async_connection_class(self, base: Any) -> Any:
        """Return the same for connections that are awaited."""
        clock = self

        async def send_packed_command(self: Any, command: Any, check_health: bool = True) -> None:
            clock.catch_up()
            await base.send_packed_command(self, command, check_health)

        return type(
            base.__name__,
            (base,),
            {"send_packed_command": send_packed_command, **self._packing(base)},
        )

    def _packing(self, base: Any) -> dict[str, Callable[..., Any]]:
        clock = self

        def send_command(self: Any, *args: Any, **kwargs: Any) -> Any:
            return base.send_command(self, *clock.translated(args), **kwargs)

        def pack_commands(self: Any, commands: Iterable[tuple[Any, ...]]) -> Any:
            return base.pack_commands(self, [clock.translated(tuple(args)) for args in commands])

        return {"send_command": send_command, "pack_commands": pack_commands}

    def _with_options(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        found = list(args)
        first = 3 if _word(args[0]) == "SET" else 2
        for place in range(first, len(args) - 1):
            scale = _OPTIONS_AT.get(_word(args[place]))
            if scale is not None:
                found[place + 1] = self._of_server(args[place + 1], scale)
        return tuple(found)

    def _of_server(self, when: Any, scale: int) -> int:
        """Return a virtual time in that of the server, in the same unit: seconds or milliseconds."""
        seconds, microseconds = self._ask(self._keeper.time)
        ahead_ms: int = self._now_ms() - (seconds * 1_000 + microseconds // 1_000)
        return int(when) - round(ahead_ms / scale)

    def _now_ms(self) -> int:
        return self._now_ns() // _NS_PER_MS

    def _ask(self, question: Callable[[], Any]) -> Any:
        """Ask the server what no job has asked."""
        token = watcher.set(None)
        try:
            return question()
        finally:
            watcher.reset(token)


def _word(value: Any) -> str:
    return value.decode("latin-1").upper() if isinstance(value, bytes) else str(value).upper()


#: What a pool keeps of the one in whose place it is; the rest says where the server is.
_KEPT: Final = ("decode_responses", "encoding", "encoding_errors", "protocol")


class Server:
    """Where a world keeps its redis."""

    def __init__(self, connections: Connections, clock: ServerClock | None) -> None:
        self._connections = connections
        self._clock = clock
        self._pools: list[redis.ConnectionPool] = []
        self.raw = redis.Redis(connection_pool=self._pool({}))

    @functools.cached_property
    def client(self) -> redis.Redis:
        """A client that returns text."""
        return redis.Redis(connection_pool=self._pool({"decode_responses": True}))

    def catch_up(self) -> None:
        """Let what has run out by the virtual clock be gone."""
        if self._clock is not None:
            self._clock.catch_up()

    def is_client(self, found: object) -> bool:
        """Say whether something is a client."""
        return isinstance(found, redis.Redis | redis.asyncio.Redis)

    def is_pool(self, found: object) -> bool:
        """Say whether something is a connection pool."""
        return isinstance(found, redis.ConnectionPool | redis.asyncio.ConnectionPool)

    def pool_like(self, pool: Any) -> Any:
        """Return a pool of connections to this server that reads and writes values as another does."""
        kept = {
            name: pool.connection_kwargs[name] for name in _KEPT if name in pool.connection_kwargs
        }
        if isinstance(pool, redis.asyncio.ConnectionPool):
            return PoolOfEachLoop(lambda: self._connections.async_pool(kept), kept)
        return self._pool(kept)

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools:
            pool.disconnect()

    def _pool(self, kept: dict[str, Any]) -> redis.ConnectionPool:
        pool = self._connections.pool(kept)
        self._pools.append(pool)
        return pool


class Connections(Protocol):
    """Makes pools of connections to a server."""

    def pool(self, kept: dict[str, Any]) -> redis.ConnectionPool:
        """Return a pool for clients that block."""
        ...

    def async_pool(self, kept: dict[str, Any]) -> redis.asyncio.ConnectionPool:
        """Return a pool for clients that are awaited."""
        ...


class PoolOfEachLoop(redis.asyncio.ConnectionPool):
    """Has connections of their own for each event loop: each delivery has its loop, as a process has."""

    def __init__(
        self, make: Callable[[], redis.asyncio.ConnectionPool], kept: dict[str, Any]
    ) -> None:
        super().__init__(**kept)
        self._make = make
        self._by_loop: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()

    async def get_connection(self, *args: Any, **kwargs: Any) -> Any:
        """Take a connection of the running loop."""
        return await self._here().get_connection(*args, **kwargs)

    async def release(self, connection: Any) -> None:
        """Put a connection back."""
        await self._here().release(connection)

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close the connections of the running loop."""
        await self._here().disconnect(inuse_connections)

    def _here(self) -> Any:

        loop = asyncio.get_running_loop()
        if loop not in self._by_loop:
            self._by_loop[loop] = self._make()
        return self._by_loop[loop]


class _Fakes:
    """Connections to a server of fakeredis of its own."""

    def __init__(self) -> None:
        import fakeredis

        self._fakeredis = fakeredis
        self._server = fakeredis.FakeServer()
        self._examples: dict[type, Any] = {}

    def pool(self, kept: dict[str, Any]) -> redis.ConnectionPool:
        pool: redis.ConnectionPool = self._like(self._fakeredis.FakeRedis, kept)
        return pool

    def async_pool(self, kept: dict[str, Any]) -> redis.asyncio.ConnectionPool:
        pool: redis.asyncio.ConnectionPool = self._like(self._fakeredis.FakeAsyncRedis, kept)
        return pool

    def _like(self, client_class: Any, kept: dict[str, Any]) -> Any:
        """Return a pool as such a client has it; a client takes longer to make than all else of a world."""
        if client_class not in self._examples:
            self._examples[client_class] = client_class(
                server=self._server, host="localhost"
            ).connection_pool
        example = self._examples[client_class]
        return type(example)(
            connection_class=example.connection_class, **{**example.connection_kwargs, **kept}
        )


class _Real:
    """Connections to a database of a real server, whose leases follow the virtual clock."""

    def __init__(self, url: str, clock: ServerClock) -> None:
        self._url = url
        self._clock = clock

    def pool(self, kept: dict[str, Any]) -> redis.ConnectionPool:
        pool = redis.ConnectionPool.from_url(self._url, **kept)
        pool.connection_class = self._clock.connection_class(pool.connection_class)
        return pool

    def async_pool(self, kept: dict[str, Any]) -> redis.asyncio.ConnectionPool:
        pool = redis.asyncio.ConnectionPool.from_url(self._url, **kept)
        pool.connection_class = self._clock.async_connection_class(pool.connection_class)
        return pool


@contextmanager
def opened(url: str | None) -> Generator[Server, None, None]:
    """Have a server with nothing in it for a block.

    Args:
        url: that of a real one, with the number of a database; None for fakeredis.
    """
    if url is None:
        yield Server(_Fakes(), None)
        return
    _check_database(url)
    keeper = redis.Redis.from_url(url)
    try:
        keeper.flushdb()
        clock = ServerClock(keeper, time.time_ns)
        server = Server(_Real(url, clock), clock)
        try:
            yield server
        finally:
            server.close()
            keeper.flushdb()
    finally:
        keeper.close()


def _check_database(url: str) -> None:
    parts = urlsplit(url)
    if not parts.path.strip("/").isdigit() and "db=" not in parts.query:
        raise ExplorationError(
            f"server={url!r} names no database, and the world empties the one that it uses before and after each "
            f"history: name one that is its own, such as {url.rstrip('/')}/9."
        )
