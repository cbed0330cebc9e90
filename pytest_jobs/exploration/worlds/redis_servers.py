"""The servers of a redis world: fakeredis, or a database of a real one."""

from __future__ import annotations

import asyncio
import functools
import time
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import redis
import redis.asyncio

from ...errors import ExplorationError
from ..forked import must_outlive
from .redis_clock import ServerClock

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
        _check_may_die()
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


def _check_may_die() -> None:
    if must_outlive.get():
        raise ExplorationError(
            "With crash_backend='fork' the worker is a process that really dies, and fakeredis dies with it: let "
            "redis_world use a real one (`server=`), or leave crash_backend= out."
        )


def _check_database(url: str) -> None:
    parts = urlsplit(url)
    if not parts.path.strip("/").isdigit() and "db=" not in parts.query:
        raise ExplorationError(
            f"server={url!r} names no database, and the world empties the one that it uses before and after each "
            f"history: name one that is its own, such as {url.rstrip('/')}/9."
        )
