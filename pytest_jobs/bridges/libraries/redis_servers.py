"""Servers of fakeredis in the place of those that a project's clients of redis connect to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial, wraps
from importlib.util import find_spec
from threading import Lock
from typing import Any, Final, NamedTuple

from ...errors import BridgeError

#: The attribute of a pool of ours that says whose place it takes.
_ADDRESS: Final = "pytest_jobs_address"
#: The attribute that says which servers it leads to.
_SERVERS: Final = "pytest_jobs_servers"
#: Whether changes are reported later.
_waits: ContextVar[bool] = ContextVar("pytest_jobs_redis_waits", default=False)


def check_fakeredis(library: str, extra: str) -> None:
    """Check that fakeredis and its Lua are installed.

    Args:
        library: the name of the library that keeps its jobs in redis.
        extra: the extra that installs them.

    Raises:
        BridgeError: when one of them is missing.
    """
    for package in ("fakeredis", "lupa"):
        if not _is_installed(package):
            raise BridgeError(
                f"{package} is not installed, and the jobs of {library} are kept in fakeredis with its Lua: "
                f'pip install "pytest-jobs[{extra}]"'
            )


@cache
def _is_installed(package: str) -> bool:
    """Say whether a package is there. Each test asks, and looking for one that is not imported reads folders."""
    return find_spec(package) is not None


def is_stand_in(client: Any) -> bool:
    """Say whether a client, a pipeline or a pool is one of `RedisServers`, so that nothing of it leaves a test."""
    pool = getattr(client, "connection_pool", client)
    return _ADDRESS in getattr(pool, "__dict__", ())


@contextmanager
def reporting_afterwards(client: Any) -> Generator[None, None, None]:
    """Let a stand-in report what changes in a block when the block has ended, where somebody listens again."""
    token = _waits.set(True)
    try:
        yield
    finally:
        _waits.reset(token)
        vars(client.connection_pool)[_SERVERS].report()


class Member(NamedTuple):
    """A member of a list or of a sorted set on a server."""

    client: Any
    key: bytes
    value: str
    #: Its score in a sorted set; None in a list.
    score: float | None

    @classmethod
    def of(cls, client: Any, key: bytes, member: Any) -> Member:
        """Return a member of a list, or a pair of a sorted set."""
        value, score = member if isinstance(member, tuple) else (member, None)
        return cls(client, key, value.decode(), score)


class RedisServers:
    """The servers of one harness or sandbox. Each address gets an empty one, with its first client.

    A derived class may watch lists and sorted sets. After each command, pipeline or script, whoever sent it, it is
    told which members are new and which are gone.
    """

    def __init__(self) -> None:
        self._servers: dict[object, Any] = {}
        self._clients: dict[object, Any] = {}
        #: The watched keys that were written to, by their clients, and how to read each.
        self._written: dict[tuple[Any, bytes], Callable[[], list[Any]]] = {}
        self._members: dict[tuple[Any, bytes], list[Any]] = {}
        self._lock = Lock()

    def watches(self, key: bytes) -> bool:
        """Say whether a key is watched. Default: none."""
        return False

    def is_in_use(self) -> bool:
        """Say whether changes are to be reported now. If not, they wait for a command when they are."""
        return True

    def changed(self, gone: list[Member], new: list[Member]) -> None:
        """Take note of changes of watched keys; a member that moves is among both."""

    def client(self, real: Any) -> Any:
        """Return the client that takes the place of another, which may be a stand-in of another sandbox."""
        address = _address_of(real)
        client = self._clients.get(address)
        if client is None:
            with self._lock:  # Two threads may ask first.
                client = self._clients.get(address) or self._new_client(address, real)
        return client

    def _new_client(self, address: tuple[object, int], real: Any) -> Any:
        import fakeredis

        server, db = address
        if server not in self._servers:
            self._servers[server] = fakeredis.FakeServer()
        client = fakeredis.FakeStrictRedis(server=self._servers[server], db=db)
        self._watch(client, self._servers[server], db)
        vars(client.connection_pool).update({_ADDRESS: address, _SERVERS: self})
        _keep_address(client.connection_pool, getattr(real, "connection_pool", None))
        self._clients[address] = client
        return client

    def _watch(self, client: Any, server: Any, db: int) -> None:
        database, pool = server.dbs[db], client.connection_pool
        notify, release = database.notify_watch, pool.release

        def read(key: bytes) -> list[Any]:
            with server.lock:
                item = database.get(key)
                value: Any = () if item is None else item.value
                # A sorted set is a mapping to scores.
                return list(value.items() if hasattr(value, "items") else value)

        def written(key: bytes) -> None:
            # The server calls it before it writes, so the key is read when the command has ended.
            if self.watches(key):
                self._written[client, key] = partial(read, key)
            notify(key)

        def released(connection: Any) -> None:
            release(connection)
            self.report()

        database.notify_watch, pool.release = written, released

    def report(self) -> None:
        """Report what has changed since the last time."""
        if self._written and not _waits.get() and self.is_in_use():
            self.changed(*self._changes())

    def _changes(self) -> tuple[list[Member], list[Member]]:
        gone: list[Member] = []
        new: list[Member] = []
        with self._lock:
            places = []
            while self._written:
                places.append(self._written.popitem())
            for (client, key), read in reversed(places):
                before = self._members.get((client, key), [])
                now = self._members[client, key] = read()
                gone += [Member.of(client, key, each) for each in _less(before, now)]
                new += [Member.of(client, key, each) for each in _less(now, before)]
        return gone, new


def _less(these: list[Any], those: list[Any]) -> Iterable[Any]:
    """Return what one list has more than another, in its order."""
    # First what happens to a queue most often, at one of its ends: comparing costs less than counting.
    size, rest = len(those), len(these)
    if these[:size] == those:
        return these[size:]
    if size and these[-size:] == those:
        return these[:-size]
    if those[:rest] == these or (rest and those[-rest:] == these):
        return ()
    return (Counter(these) - Counter(those)).elements()


def _keep_address(pool: Any, real: Any) -> None:
    """Let a pool that connects to a fake server show the address of the real one to code that asks for it."""
    shown: dict[str, Any] | None = getattr(real, "connection_kwargs", None)
    if shown is None:
        return
    genuine, arguments = pool.connection_class, pool.connection_kwargs

    @wraps(genuine, updated=())
    def connect(**_: Any) -> Any:
        return genuine(**arguments)

    pool.connection_class, pool.connection_kwargs = connect, dict(shown)


def _address_of(client: Any) -> tuple[object, int]:
    """Return the server and the number of the database that a client connects to."""
    pool = getattr(client, "connection_pool", None)
    known: tuple[object, int] | None = getattr(pool, _ADDRESS, None)
    if known is not None:
        return known
    given = getattr(pool, "connection_kwargs", {})
    # A sentinel knows its server by the name of a service, a fake by its object, and a cluster has no pool.
    place = (
        getattr(pool, "service_name", None),
        *(given.get(name) for name in ("server", "host", "port", "path")),
    )
    return place, int(given.get("db") or 0)
