"""A redis that is new for each history."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ....harness.records.patches import Patches

if TYPE_CHECKING:
    from .servers import Server


class RedisWorld:
    """The redis of one history."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def client(self) -> Any:
        """A client that puts in what there is at first; it returns text, and is not a client of a job."""
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
        patterns = (ignore,) if isinstance(ignore, str) else tuple(ignore)
        self._server.catch_up()
        client: Any = self._server.raw
        # Late, since this is imported where there is no redis.
        from ...effects.redis.keys import text_of, value_of

        names = {key: text_of(key) for key in client.keys("*")}
        keys = sorted(
            key
            for key, name in names.items()
            if not any(fnmatch.fnmatchcase(str(name), pattern) for pattern in patterns)
        )
        with client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.type(key).pttl(key)
            answers = pipeline.execute()
        state = {}
        for place, key in enumerate(keys):
            kind, left = answers[2 * place : 2 * place + 2]
            value = value_of(client, key, kind)
            state[str(names[key])] = value if left < 0 else (value, "expires")
        return state


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
    from .servers import bind_to, opened

    with opened(server) as made, Patches() as patches:
        if bind is not None:
            bind_to(patches, *bind, made)
        yield RedisWorld(made)
