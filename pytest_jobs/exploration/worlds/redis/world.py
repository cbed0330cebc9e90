"""A redis that is new for each history."""

from __future__ import annotations

import fnmatch
import functools
import inspect
import re
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ....errors import ExplorationError
from ....harness.records.patches import Patches

if TYPE_CHECKING:
    from .servers import Server


_NUMBER: Final = re.compile(rb"-?(0|[1-9]\d{0,17})(\.\d+)?")
#: An id of a stream from here on is a time, in milliseconds.
_A_TIME: Final = 10**11


def dumped(client: Any, ignore: Sequence[str]) -> dict[str, Any]:
    """Return what is stored, by key.

    Args:
        client: one that returns bytes.
        ignore: patterns of keys that are left out.
    """
    names = {key: _text(key) for key in client.keys("*")}
    keys = sorted(
        key
        for key, name in names.items()
        if not any(fnmatch.fnmatchcase(str(name), pattern) for pattern in ignore)
    )
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.type(key).pttl(key)
        answers = pipeline.execute()
    state = {}
    for place, key in enumerate(keys):
        kind, left = answers[2 * place : 2 * place + 2]
        value = _READ.get(kind, _serialised)(client, key)
        state[str(names[key])] = value if left < 0 else (value, "expires")
    return state


def _string(client: Any, key: bytes) -> Any:
    return _value(client.get(key))


def _list(client: Any, key: bytes) -> Any:
    return [_value(item) for item in client.lrange(key, 0, -1)]


def _set(client: Any, key: bytes) -> Any:
    return {_value(member) for member in client.smembers(key)}


def _hash(client: Any, key: bytes) -> Any:
    return _fields(client.hgetall(key))


def _sorted_set(client: Any, key: bytes) -> Any:
    return [(_value(member), score) for member, score in client.zrange(key, 0, -1, withscores=True)]


def _stream(client: Any, key: bytes) -> Any:
    entries = [_entry(number, fields) for number, fields in client.xrange(key)]
    groups = {_text(group["name"]): group["pending"] for group in client.xinfo_groups(key)}
    return {"entries": entries, "pending": groups} if groups else entries


def _serialised(client: Any, key: bytes) -> Any:
    return client.dump(key)


_READ: Final[Mapping[bytes, Callable[[Any, bytes], Any]]] = {
    b"string": _string,
    b"list": _list,
    b"set": _set,
    b"hash": _hash,
    b"zset": _sorted_set,
    b"stream": _stream,
}


def _entry(number: bytes, fields: Mapping[bytes, bytes]) -> Any:
    made_of_clock = int(number.partition(b"-")[0]) >= _A_TIME
    return _fields(fields) if made_of_clock else (_text(number), _fields(fields))


def _fields(found: Mapping[bytes, bytes]) -> dict[Any, Any]:
    return {_text(name): _value(value) for name, value in found.items()}


def _value(found: bytes) -> Any:
    """Return a value as a job would read it: a number where it is written as one, such as a time."""
    if _NUMBER.fullmatch(found) and found != b"-0":
        return float(found) if b"." in found else int(found)
    return _text(found)


def _text(found: bytes) -> str | bytes:
    try:
        return found.decode()
    except UnicodeDecodeError:
        return found


class RedisWorld:
    """The redis of one history."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def client(self) -> Any:
        """A client that puts in what there is at first; it returns text, and is no client of a job."""
        return self._server.client

    def dump(self, ignore: str | Collection[str] = ()) -> dict[str, Any]:
        """Return everything that is stored, by key.

        Strings, and numbers that are stored as such, are themselves; lists are lists, sets are sets
        and hashes are dicts. A sorted set is a list of members and scores, a stream a list of
        entries, without the ids that are made of the clock. What expires stands in a pair with
        "expires"; when it does is left out.

        Args:
            ignore: patterns of keys that are left out, such as `lock:*`.
        """
        self._server.catch_up()
        patterns = (ignore,) if isinstance(ignore, str) else tuple(ignore)
        return dumped(self._server.raw, patterns)


@contextmanager
def redis_world(
    *, bind: tuple[Any, str] | None = None, server: str | None = None
) -> Generator[RedisWorld, None, None]:
    """Make an empty redis for a block: one of fakeredis, or a database of a real server.

    Expiry follows the virtual clock on both. A real server is told of it: before each command, what
    is left of every lease there is shortened by the time that has passed.

    Args:
        bind: the module or object, and the name under which it has its client, its connection pool
            or the function that makes a client. For the block that reaches this redis. A client
            remains the object that it is.
        server: the URL of a real server with the number of a database that is the world's own,
            such as `redis://localhost:6379/9`: it is emptied before and after each history. None
            for fakeredis.

    Returns:
        The redis, whose `.dump()` is its state and whose `.client` puts in what there is at first.

    Raises:
        ExplorationError: when there is nothing of that name to bind, or the URL names no database.
    """
    from .servers import opened

    patches = Patches()
    with opened(server) as made:
        try:
            if bind is not None:
                _bind(patches, *bind, made)
            yield RedisWorld(made)
        finally:
            patches.restore()


def _bind(patches: Patches, owner: Any, name: str, server: Server) -> None:
    if not hasattr(owner, name):
        raise ExplorationError(
            f"{owner!r} has no {name!r} to be bound: name the client of redis that the application uses, its "
            "connection pool, or the function that makes a client."
        )
    found = getattr(owner, name)
    if server.is_pool(found):
        patches.set(owner, name, server.pool_like(found))
    elif server.is_client(found):
        _lead_here(patches, found, server)
    elif callable(found):
        patches.set(owner, name, _making(found, f"{owner!r}.{name}", server))
    else:
        raise ExplorationError(_no_client(f"{name!r} of {owner!r}", found))


def _lead_here(patches: Patches, client: Any, server: Server) -> None:
    patches.set(client, "connection_pool", server.pool_like(client.connection_pool))
    if getattr(client, "connection", None) is not None:
        # That of a client with a single connection.
        patches.set(client, "connection", None)


def _making(make: Callable[..., Any], name: str, server: Server) -> Callable[..., Any]:
    @functools.wraps(make)
    def made(*args: Any, **kwargs: Any) -> Any:
        client: Any = make(*args, **kwargs)
        if not server.is_client(client):
            if inspect.iscoroutine(client):
                client.close()
            raise ExplorationError(_no_client(f"What {name} returned", client))
        client.connection_pool = server.pool_like(client.connection_pool)
        return client

    return made


def _no_client(what: str, found: object) -> str:
    return (
        f"{what} is {found!r}, which is no client of redis, no connection pool, and no function that returns a "
        "client. A client may be made when its module is imported, since it connects at its first command: "
        "`client = redis.Redis(...)`."
    )
