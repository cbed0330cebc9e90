"""Locks, places and batches in redis, for jobs that several processes enqueue or perform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..core.locks.stores import Held, Waiting
from ..errors import StoreError
from .outages import said
from .redis_batches import RedisBatches
from .redis_clients import check_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redis import Redis

T = TypeVar("T")

_NS_PER_MICROSECOND: Final = 1_000
#: How long redis keeps a key beyond the last of its places, for clocks that differ, in milliseconds.
_KEPT_MS: Final = 3_600_000

# A place is a member of a sorted set, its score the microsecond in which it ends: nanoseconds would be
# more than a double holds. Who waits is a member of another, scored by rank, and ordered by its name,
# which begins with a number; a hash knows that name.
_ACQUIRE: Final = """
local places, queue, names = KEYS[1], KEYS[2], KEYS[3]
local owner, now, ends, limit, rank = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
redis.call('ZREMRANGEBYSCORE', places, '-inf', now)
local has = redis.call('ZSCORE', places, owner)
if has or redis.call('ZCARD', places) < limit then
  if not has or ARGV[7] == '1' then
    redis.call('ZADD', places, ends, owner)
  end
  local name = redis.call('HGET', names, owner)
  if name then
    redis.call('ZREM', queue, name)
    redis.call('HDEL', names, owner)
  end
else
  if rank ~= '' and redis.call('HEXISTS', names, owner) == 0 then
    local name = string.format('%016d:%s', redis.call('HINCRBY', names, '', 1), owner)
    redis.call('ZADD', queue, rank, name)
    redis.call('HSET', names, owner, name)
  end
  return redis.call('ZRANGE', places, 0, 0, 'WITHSCORES')
end
local last = redis.call('ZRANGE', places, -1, -1, 'WITHSCORES')[2]
if last == 'inf' then
  redis.call('PERSIST', places)
else
  redis.call('PEXPIRE', places, math.ceil((tonumber(last) - tonumber(now)) / 1000) + tonumber(ARGV[6]))
end
return {}
"""
_RELEASE: Final = """
local places, queue, names = KEYS[1], KEYS[2], KEYS[3]
local owner, now, ends = ARGV[1], ARGV[2], ARGV[3]
local name = redis.call('HGET', names, owner)
if name then
  redis.call('ZREM', queue, name)
  redis.call('HDEL', names, owner)
end
redis.call('ZREMRANGEBYSCORE', places, '-inf', now)
local following = false
if redis.call('ZREM', places, owner) == 1 then
  local first = redis.call('ZRANGE', queue, 0, 0)[1]
  if first then
    following = string.sub(first, 18)
    redis.call('ZREM', queue, first)
    redis.call('HDEL', names, following)
    redis.call('ZADD', places, ends, following)
    if ends == '+inf' then
      redis.call('PERSIST', places)
    else
      redis.call('PEXPIRE', places, math.ceil((tonumber(ends) - tonumber(now)) / 1000) + tonumber(ARGV[4]))
    end
  end
end
if redis.call('ZCARD', queue) == 0 then
  redis.call('DEL', names)
end
return following
"""


class RedisStore:
    """A store in redis: every method is one script, so that nothing comes between.

    Times are those of the processes that ask, so their clocks are to agree to within what a ttl allows.

    Args:
        client: a `redis.Redis`, of redis-py; give it a `socket_timeout`, so that a server that hangs is
            an error.
        prefix: what the keys in redis begin with.

    Raises:
        DeclarationError: when the client is none, or one whose answers are awaited.
    """

    def __init__(self, client: Redis, *, prefix: str = "pytest_jobs:") -> None:
        check_client(client, "RedisStore", "a store asks")
        self._client: Any = client
        self._prefix = prefix
        #: Keeps the batches.
        self.batches = RedisBatches(client, prefix, self._ask)

    def acquire(
        self,
        key: str,
        owner: str,
        *,
        now_ns: int,
        ttl_ns: int | None = None,
        limit: int = 1,
        rank: int | None = None,
        renew: bool = False,
    ) -> Held | None:
        """Take a place; see `pytest_jobs.core.locks.stores.Store`."""
        arguments = [
            owner,
            _microseconds(now_ns),
            _end(now_ns, ttl_ns),
            limit,
            "" if rank is None else rank,
            _KEPT_MS,
            int(renew),
        ]
        found = self._ask(
            f"take {key}", lambda: self._client.eval(_ACQUIRE, 3, *self._keys(key), *arguments)
        )
        return Held(key, _text(found[0]), _end_of(found[1])) if found else None

    def release(
        self, key: str, owner: str, *, now_ns: int, ttl_ns: int | None = None
    ) -> str | None:
        """Give a place back; see `pytest_jobs.core.locks.stores.Store`."""
        arguments = [owner, _microseconds(now_ns), _end(now_ns, ttl_ns), _KEPT_MS]
        following = self._ask(
            f"give {key} back",
            lambda: self._client.eval(_RELEASE, 3, *self._keys(key), *arguments),
        )
        return None if following is None else _text(following)

    def held(self, now_ns: int) -> tuple[Held, ...]:
        """Return the places that are taken, of all keys: for consoles, since it goes through every key."""
        return self._ask("read the places", lambda: tuple(self._every_place(now_ns)))

    def waiting(self) -> tuple[Waiting, ...]:
        """Return the jobs that wait, of all keys."""
        return self._ask("read who waits", lambda: tuple(self._every_waiting()))

    def _every_place(self, now_ns: int) -> Iterator[Held]:
        for name, key in self._known("places"):
            alive = self._client.zrangebyscore(
                name, f"({_microseconds(now_ns)}", "+inf", withscores=True
            )
            for owner, end in alive:
                yield Held(key, _text(owner), _end_of(end))

    def _every_waiting(self) -> Iterator[Waiting]:
        for name, key in self._known("queue"):
            for entry in self._client.zrange(name, 0, -1):
                yield Waiting(key, _text(entry).partition(":")[2])

    def _known(self, part: str) -> list[tuple[str, str]]:
        """Return the names in redis of one part of every key, with the key."""
        start = f"{self._prefix}{part}:"
        names = {_text(name) for name in self._client.scan_iter(match=f"{_literal(start)}*")}
        return [(name, name.removeprefix(start)) for name in sorted(names)]

    def _keys(self, key: str) -> list[str]:
        return [f"{self._prefix}{part}:{key}" for part in ("places", "queue", "names")]

    def _ask(self, what: str, ask: Callable[[], T]) -> T:
        from redis.exceptions import RedisError

        try:
            return ask()
        except RedisError as error:
            raise StoreError(
                f"Could not {what}: redis answers with {said(error)}. Jobs that need the store "
                "are neither enqueued nor begun until it is back."
            ) from error

    def __repr__(self) -> str:
        return f"<RedisStore {self._prefix}>"


def _microseconds(ns: int) -> int:
    return ns // _NS_PER_MICROSECOND


def _end(now_ns: int, ttl_ns: int | None) -> str | int:
    return "+inf" if ttl_ns is None else _microseconds(now_ns + ttl_ns)


def _end_of(score: object) -> int | None:
    end = float(_text(score))
    return None if end == float("inf") else int(end) * _NS_PER_MICROSECOND


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _literal(pattern: str) -> str:
    return "".join(f"\\{each}" if each in "*?[]\\" else each for each in pattern)
