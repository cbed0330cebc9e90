"""Copies of the databases of redis and fakeredis that clients use, each made when a job first uses it."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

from ....bridges.libraries.redis_servers import is_stand_in
from ....harness.jobs import current_jobs
from ....harness.records.texts import counted
from ...effects.redis.keys import address_of, client_like, fake_servers
from ...effects.wrapping import in_check, no_block, surround
from ...engine.acts import refuse_delivery
from ...engine.sources import BesideMocks, is_near_name
from ...stores.account import accounts
from ..base.store import Building, IsIgnored, UsedStores, unwatched, without_passing
from .servers import Server, is_of_world, opened, redirect
from .world import RedisWorld

_CLIENTS: Final = ("redis.client", "redis.asyncio.client")
#: The classes there, and what each use of a server begins with.
_USES: Final = (
    ("Redis", "execute_command"),
    ("Pipeline", "immediate_execute_command"),
    ("Pipeline", "execute"),
    ("PubSub", "execute_command"),
)
_NO_FAKE: Final = (
    "The job uses redis, and each history gets a copy in fakeredis, which is not installed. Install "
    "`pytest-jobs[redis]`."
)
_NOT_COPIED: Final = (
    "The job uses redis, and the key {key!r} of the test cannot be copied to fakeredis, so that each history "
    "would find what the last one has left. Build it in a world that has copies of everything else: `with here() "
    "as state, redis_world(bind=(module, 'client')) as redis: yield lambda: {{**state(), 'redis': redis.dump()}}`."
)


class _Place(NamedTuple):
    server: object
    db: int


class _Content:
    def __init__(self, pool: Any, server: object) -> None:
        #: Kept, since its id stands for it.
        self._server = server
        #: The commands that make the same, and for how many seconds each key that expires is left.
        self._commands: list[tuple[Any, ...]] = []
        self._left: dict[bytes, float] = {}
        #: Why it cannot be copied; "" if it can.
        self.refusal = ""
        with client_like(pool) as client:
            for key in sorted(client.keys("*")):
                commands = (
                    [("RESTORE", key, 0, client.dump(key))]
                    if server is not None
                    else _same(client, key)
                )
                if not commands:
                    self.refusal = _NOT_COPIED.format(key=key.decode(errors="replace"))
                self._commands += commands
                left = client.pttl(key)
                if left >= 0:
                    self._left[key] = left / 1000
        self.count = len({command[1] for command in self._commands})
        with ExitStack() as stack:
            self.state = RedisWorld(self.fresh(stack, time.time())).dump()

    def fresh(self, stack: ExitStack, begin: float) -> Server:
        """Return a server that has it, where what expires is left as long as it is in the test."""
        server = stack.enter_context(opened(None))
        with server.raw.pipeline(transaction=False) as pipeline:
            run: Any = pipeline.execute_command
            for command in self._commands:
                run(*command)
            for key, left in self._left.items():
                pipeline.pexpireat(key, int((begin + left) * 1000))
            pipeline.execute()
        return server


class Databases:
    """The databases that a job has used in any history, and what they have in the test."""

    def __init__(self) -> None:
        #: A search begins some hours later if a day ends soon, when keys of the test would have expired.
        self._made_at = datetime.now(UTC)
        self._contents: UsedStores[_Place, _Content] = UsedStores()

    @contextmanager
    def fresh(self, building: Building) -> Generator[Callable[[], dict[str, Any]], None, None]:
        self._contents.begin_history()
        with ExitStack() as stack:
            history = _History(self._content_of, stack, alone=building.is_whole)
            history.install()
            yield lambda: self._state(history, building.is_ignored)

    def described(self) -> str:
        count = sum(content.count for content in self._contents.values())
        return f"redis: {counted(count, 'key')}" if self._contents else ""

    def _content_of(self, place: _Place, pool: Any, server: object) -> _Content:
        if place not in self._contents:
            with current_jobs().clock.showing(self._made_at):
                self._contents[place] = _Content(pool, server)
        return self._contents[place]

    def _state(self, history: _History, is_ignored: IsIgnored) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for number, (place, content) in enumerate(self._contents.items(), 1):
            server = history.servers.get(place)
            keys = content.state if server is None else RedisWorld(server).dump()
            if self._contents.is_shown(place) or keys != content.state:
                name = "redis" if number == 1 else f"redis {number}"
                shown = {key: keys[key] for key in keys if not is_ignored(key)}
                # The dump has what expires in a pair.
                passing = [key for key in shown if isinstance(shown[key], tuple)]
                state |= without_passing(name, "key", shown, passing)
        return state


class _History:
    """The clients of one history, which lead to copies from their first use on."""

    def __init__(
        self, content_of: Callable[..., _Content], stack: ExitStack, *, alone: bool
    ) -> None:
        self._content_of = content_of
        self._stack = stack
        self._alone = alone
        self._begin = time.time()
        self._patches = stack.enter_context(BesideMocks())
        self.servers: dict[_Place, Server] = {}
        #: By the pool for which each stands in.
        self._pools: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        #: The servers of fakeredis that the other parts of the world make.
        self._of_world: WeakSet[Any] = WeakSet()

    def install(self) -> None:
        for name in _CLIENTS:
            module = sys.modules.get(name)
            for kind, method in () if module is None else _USES:
                # Outermost, since it is noted before a connection is taken which server a command is for.
                lead = in_check(self._lead, no_block)
                surround(self._patches, getattr(module, kind), method, lead)
        fakeredis = sys.modules.get("fakeredis")
        if self._alone or fakeredis is None:
            return
        init = fakeredis.FakeServer.__init__

        @functools.wraps(init)
        def made(server: Any, *args: Any, **kwargs: Any) -> None:
            init(server, *args, **kwargs)
            self._of_world.add(server)

        self._patches.set(fakeredis.FakeServer, "__init__", in_check(init, made))

    def _lead(self, client: Any, *args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        pool = client.connection_pool
        # The servers in which a bridge keeps messages are no part of the state.
        if not is_of_world(pool) and not is_stand_in(client):
            if pool not in self._pools:
                server = self._server_instead(pool)
                if server is None:
                    return nullcontext()
                self._pools[pool] = server.pool_like(pool)
            redirect(self._patches, client, self._pools[pool])
        return nullcontext()

    def _server_instead(self, pool: Any) -> Server | None:
        given = pool.connection_kwargs
        fake = fake_servers.of(pool)
        if fake is None:
            host = given.get("path") or given.get("host", "localhost")
            is_near = "path" in given or is_near_name(host, asks_for_address=True)
            account = accounts.current
            known = account is not None and account.is_known(f"redis on {address_of(given)}")
            if (known and not self._alone) or not is_near:
                # The other part of the world has it. A far one is refused when it is connected to.
                return None
            place = _Place((host, given.get("port", 6379)), int(given.get("db") or 0))
        elif fake in self._of_world:
            return None
        else:
            place = _Place(id(fake), int(given.get("db") or 0))
        if place not in self.servers:
            if find_spec("fakeredis") is None:
                refuse_delivery(_NO_FAKE)
            with unwatched():
                content = self._content_of(place, pool, fake)
            if content.refusal:
                refuse_delivery(content.refusal)
            with unwatched():
                self.servers[place] = content.fresh(self._stack, self._begin)
        return self.servers[place]


def _same(client: Any, key: bytes) -> list[tuple[Any, ...]]:
    """Return what makes a key of a real server in fakeredis, which cannot read a dump; nothing if nothing does."""
    kind = client.type(key).decode()
    if kind == "string":
        return [("SET", key, client.get(key))]
    if kind == "list":
        return [("RPUSH", key, *client.lrange(key, 0, -1))]
    if kind == "set":
        return [("SADD", key, *sorted(client.smembers(key)))]
    if kind == "hash":
        pairs = [part for pair in client.hgetall(key).items() for part in pair]
        return [("HSET", key, *pairs)]
    if kind == "zset":
        found = client.zrange(key, 0, -1, withscores=True)
        return [("ZADD", key, *(part for member, score in found for part in (repr(score), member)))]
    if kind == "stream" and not client.xinfo_groups(key):
        return [
            ("XADD", key, number, *(part for pair in fields.items() for part in pair))
            for number, fields in client.xrange(key)
        ]
    return []
