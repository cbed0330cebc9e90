"""Servers of fakeredis in the place of those that a project's clients of redis connect to."""

from __future__ import annotations

from functools import cache, wraps
from importlib.util import find_spec
from typing import Any, Final

from ...errors import BridgeError

#: The attribute of a pool of ours that says whose place it takes.
_ADDRESS: Final = "pytest_jobs_address"


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


class RedisServers:
    """The servers of one harness or sandbox. Each address gets an empty one, with its first client."""

    def __init__(self) -> None:
        self._servers: dict[object, Any] = {}
        self._clients: dict[object, Any] = {}

    def client(self, real: Any) -> Any:
        """Return the client that takes the place of another, which may be a stand-in of another sandbox."""
        server, db = address = _address_of(real)
        client = self._clients.get(address)
        if client is None:
            import fakeredis

            if server not in self._servers:
                self._servers[server] = fakeredis.FakeServer()
            client = fakeredis.FakeStrictRedis(server=self._servers[server], db=db)
            vars(client.connection_pool)[_ADDRESS] = address
            _keep_address(client.connection_pool, getattr(real, "connection_pool", None))
            self._clients[address] = client
        return client


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
