"""The servers of redis worlds: fakeredis, or a database of a real one."""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import redis
import redis.asyncio

from ....errors import ExplorationError
from ....harness.records.patches import Patches
from ..base.store import unwatched

#: Makes a pool for blocking or for awaited clients, by how it reads and writes values.
MakePool: TypeAlias = Callable[[bool, dict[str, Any]], Any]

_NS_PER_MS: Final = 1_000_000
_CLIENTS: Final = (redis.Redis, redis.asyncio.Redis)
#: The options that a pool keeps when it is redirected to another server: how it reads and writes values.
_KEPT: Final = ("decode_responses", "encoding", "encoding_errors", "protocol")


@contextmanager
def opened(url: str | None) -> Generator[Server, None, None]:
    """Open an empty database of a real server for a block, or fakeredis without a URL."""
    if url is None:
        yield Server(_fakes(), None)
        return
    parts = urlsplit(url)
    if not parts.path.strip("/").isdigit() and "db=" not in parts.query:
        raise ExplorationError(
            f"server={url!r} names no database, and the world empties the one that it uses before and after each "
            f"history: name one that is its own, such as {url.rstrip('/')}/9."
        )
    keeper = redis.Redis.from_url(url)
    try:
        keeper.flushdb()
        clock = ServerClock(keeper, time.time_ns)
        server = Server(_real(url, clock), clock)
        try:
            yield server
        finally:
            server.close()
            keeper.flushdb()
    finally:
        keeper.close()


#: The attribute of a pool that a world has made.
_OF_WORLD: Final = "pytest_jobs_of_world"


def is_of_world(pool: Any) -> bool:
    return hasattr(pool, _OF_WORLD) or isinstance(pool, PoolOfEachLoop)


def redirect(patches: Patches, client: Any, pool: Any) -> None:
    """Let a client use another pool. It stays the object that it is, since other modules may have imported it."""
    patches.set(client, "connection_pool", pool)
    if getattr(client, "connection", None) is not None:
        # The connection of a client that has a single one goes past the pool.
        patches.set(client, "connection", None)


class Server:
    """The redis of a world, and the pools of connections to it."""

    def __init__(self, make: MakePool, clock: ServerClock | None) -> None:
        self._make = make
        self._clock = clock
        self._pools: list[redis.ConnectionPool] = []
        #: A client that returns bytes.
        self.raw = redis.Redis(connection_pool=self._pool({}))

    @functools.cached_property
    def client(self) -> redis.Redis:
        return redis.Redis(connection_pool=self._pool({"decode_responses": True}))

    def catch_up(self) -> None:
        """Remove what has expired by the virtual clock."""
        if self._clock is not None:
            self._clock.catch_up()

    def pool_like(self, pool: Any) -> Any:
        """Return a pool of connections to this server that reads and writes values as another pool does."""
        kept = {
            name: pool.connection_kwargs[name] for name in _KEPT if name in pool.connection_kwargs
        }
        if isinstance(pool, redis.asyncio.ConnectionPool):
            same_server = self.raw.connection_pool
            return PoolOfEachLoop(lambda: self._make(True, kept), kept, same_server)
        return self._pool(kept)

    def close(self) -> None:
        for pool in self._pools:
            pool.disconnect()

    def _pool(self, kept: dict[str, Any]) -> redis.ConnectionPool:
        pool: redis.ConnectionPool = self._make(False, kept)
        self._pools.append(pool)
        return pool


def bind_to(patches: Patches, owner: Any, name: str, server: Server) -> None:
    if not hasattr(owner, name):
        raise ExplorationError(
            f"{owner!r} has no {name!r} to be bound: name the client of redis that the application uses, its "
            "connection pool, or the function that makes a client."
        )
    found = getattr(owner, name)
    if isinstance(found, redis.ConnectionPool | redis.asyncio.ConnectionPool):
        patches.set(owner, name, server.pool_like(found))
    elif isinstance(found, _CLIENTS):
        redirect(patches, found, server.pool_like(found.connection_pool))
    elif callable(found):
        patches.set(owner, name, _making(found, f"{owner!r}.{name}", server))
    else:
        raise ExplorationError(_no_client(f"{name!r} of {owner!r}", found))


def _making(make: Callable[..., Any], name: str, server: Server) -> Callable[..., Any]:
    """Return a function that makes clients as another does, and redirects each to the server of the world."""

    @functools.wraps(make)
    def made(*args: Any, **kwargs: Any) -> Any:
        client: Any = make(*args, **kwargs)
        if not isinstance(client, _CLIENTS):
            if inspect.iscoroutine(client):
                client.close()
            raise ExplorationError(_no_client(f"What {name} returned", client))
        client.connection_pool = server.pool_like(client.connection_pool)
        return client

    return made


def _no_client(what: str, found: object) -> str:
    return (
        f"{what} is {found!r}, which is not a client of redis, no connection pool, and no function that returns a "
        "client. A client may be made when its module is imported, since it connects at its first command: "
        "`client = redis.Redis(...)`."
    )


class PoolOfEachLoop(redis.asyncio.ConnectionPool):
    """A pool with connections of their own for each event loop: each delivery has a loop, as a process has."""

    def __init__(
        self,
        make: Callable[[], redis.asyncio.ConnectionPool],
        kept: dict[str, Any],
        same_server: redis.ConnectionPool,
    ) -> None:
        super().__init__(**kept)
        #: A blocking pool of connections to the same server.
        self.same_server = same_server
        self._make = make
        self._by_loop: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    async def get_connection(self, *args: Any, **kwargs: Any) -> Any:
        return await self._here().get_connection(*args, **kwargs)

    async def release(self, connection: Any) -> None:
        await self._here().release(connection)

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await self._here().disconnect(inuse_connections)

    def _here(self) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in self._by_loop:
            self._by_loop[loop] = self._make()
        return self._by_loop[loop]


def _fakes() -> MakePool:
    """Return what makes pools of connections to a server of fakeredis of its own."""
    import fakeredis

    server = fakeredis.FakeServer()

    @functools.cache
    def example(is_awaited: bool) -> Any:
        # Only one client is made of each class: that takes longer than all the rest of a world.
        client_class: Any = fakeredis.FakeAsyncRedis if is_awaited else fakeredis.FakeRedis
        return client_class(server=server, host="localhost").connection_pool

    def make(is_awaited: bool, kept: dict[str, Any]) -> Any:
        like = example(is_awaited)
        options = {**like.connection_kwargs, **kept}
        pool = type(like)(connection_class=like.connection_class, **options)
        setattr(pool, _OF_WORLD, True)
        return pool

    return make


def _real(url: str, clock: ServerClock) -> MakePool:
    """Return what makes pools of connections to a database of a real server that follow a clock."""

    def make(is_awaited: bool, kept: dict[str, Any]) -> Any:
        kind: Any = redis.asyncio.ConnectionPool if is_awaited else redis.ConnectionPool
        pool = kind.from_url(url, **kept)
        pool.connection_class = clock.connection_class(pool.connection_class)
        setattr(pool, _OF_WORLD, True)
        return pool

    return make


#: Shortens what is left of every lease. What has no time left is removed.
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
#: Commands with a time that is counted from 1970, and how many milliseconds its unit has.
_AT: Final = {"EXPIREAT": 1_000, "PEXPIREAT": 1}
#: Options with such a time, of SET and GETEX.
_OPTIONS_AT: Final = {"EXAT": 1_000, "PXAT": 1}
#: Commands that ask for the clock of the server, which is another than that of the test.
_OF_SERVER: Final = frozenset(
    ("TIME", "EXPIRETIME", "PEXPIRETIME", "HEXPIREAT", "HPEXPIREAT", "HEXPIRETIME", "HPEXPIRETIME")
)


class ServerClock:
    """Lets a real server follow the virtual clock: its leases are shortened before anything is asked of it."""

    def __init__(self, keeper: Any, now_ns: Callable[[], int]) -> None:
        self._keeper = keeper
        self._now_ns = now_ns
        #: The virtual time up to which the leases were shortened.
        self._known_ms = self._now_ms()

    def catch_up(self) -> None:
        """Shorten what is left of every lease by the virtual time that has passed."""
        now = self._now_ms()
        gap, self._known_ms = now - self._known_ms, now
        if gap > 0:
            with unwatched():
                self._keeper.eval(_SHORTEN, 0, gap)

    def translated(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return a command with its times in those of the server."""
        word = _word(args[0])
        name = word.partition(" ")[0]
        if name in _OF_SERVER:
            raise ExplorationError(
                f"{name} asks for the clock of the server, and the job lives by the virtual clock: let the world "
                "use fakeredis (no server=), or let the job ask for what is left (TTL) or for `time.time()`."
            )
        if name in _AT:
            return (*args[:2], self._of_server(args[2], _AT[name]), *args[3:])
        found = list(args)
        if name in ("SET", "GETEX"):
            # The options follow the key, and in SET the value.
            for place in range(3 if word == "SET" else 2, len(args) - 1):
                scale = _OPTIONS_AT.get(_word(args[place]))
                if scale is not None:
                    found[place + 1] = self._of_server(args[place + 1], scale)
        return tuple(found)

    def connection_class(self, base: Any) -> Any:
        """Return a class of connections, blocking or awaited, that let the server catch up before they send."""
        clock = self

        def send_packed_command(self: Any, command: Any, check_health: bool = True) -> Any:
            clock.catch_up()
            return base.send_packed_command(self, command, check_health)

        def send_command(self: Any, *args: Any, **kwargs: Any) -> Any:
            return base.send_command(self, *clock.translated(args), **kwargs)

        def pack_commands(self: Any, commands: Iterable[tuple[Any, ...]]) -> Any:
            return base.pack_commands(self, [clock.translated(tuple(args)) for args in commands])

        replaced = {
            "send_packed_command": send_packed_command,
            "send_command": send_command,
            "pack_commands": pack_commands,
        }
        return type(base.__name__, (base,), replaced)

    def _of_server(self, when: Any, scale: int) -> int:
        """Return a virtual time in that of the server, in its unit, which has so many milliseconds."""
        with unwatched():
            seconds, microseconds = self._keeper.time()
        ahead_ms: int = self._now_ms() - (seconds * 1_000 + microseconds // 1_000)
        return int(when) - round(ahead_ms / scale)

    def _now_ms(self) -> int:
        return self._now_ns() // _NS_PER_MS


def _word(value: Any) -> str:
    return value.decode("latin-1").upper() if isinstance(value, bytes) else str(value).upper()
