"""Locks, places and batches in redis, for jobs that several processes enqueue or perform.

Every method of a store is one Lua script, so that no other process comes in between. The scripts stand above the
class that sends them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from ..core.batches.stores import another_batch, names_of
from ..core.foundation.payload import Payload
from ..core.foundation.protocols import BatchFacts, Held, Waiting, Wanted
from ..errors import DeclarationError, StoreError
from ..harness.records.texts import error_text

if TYPE_CHECKING:
    from redis import Redis

T = TypeVar("T")
#: Runs a question that its first argument describes; raises a `StoreError` when redis does not answer.
Ask: TypeAlias = Callable[[str, Callable[[], Any]], Any]

_NS_PER_MICROSECOND: Final = 1_000
#: How long redis keeps a batch after the last thing that happened to it, in milliseconds: 30 days.
_BATCH_KEPT_MS: Final = 30 * 86_400_000
#: How long redis keeps a key beyond the last of its places, for clocks that differ, in milliseconds.
_KEPT_MS: Final = 3_600_000


def check_client(client: object, taker: str, asks: str) -> None:
    """Refuse anything else than a blocking client of redis.

    Args:
        client: what was passed.
        taker: the class that takes it, for messages.
        asks: who uses the client, as in `a store asks`.

    Raises:
        DeclarationError: for another object, and for a client of `redis.asyncio`.
    """
    execute = getattr(client, "execute_command", None)
    if execute is None:
        raise DeclarationError(
            f"{taker}({client!r}) is given no client of redis: write "
            f"{taker}(redis.Redis.from_url('redis://localhost', socket_timeout=5))."
        )
    if iscoroutinefunction(execute):
        raise DeclarationError(
            f"{taker}({client!r}) is given a client of redis.asyncio, and {asks} without awaiting, for jobs are "
            "enqueued in plain functions too: give it a redis.Redis."
        )


# Batches

# A batch is a hash with these fields: three counters; `job:ID`, the first letter of a job's state; `withdrawn:ID`;
# `names`, which tells batches apart; and for each callback `callback:NAME` as JSON, `asker:NAME`, the job that
# sends it, and `sent:NAME`.
_DUE: Final = """
local function due(asker)
  local found = {}
  if redis.call('HGET', batch, 'pending') ~= '0' then
    return found
  end
  for _, name in ipairs({'complete', 'success'}) do
    if name == 'complete' or redis.call('HGET', batch, 'failed') == '0' then
      redis.call('HSETNX', batch, 'asker:' .. name, asker)
      local callback = redis.call('HGET', batch, 'callback:' .. name)
      if callback and redis.call('HGET', batch, 'asker:' .. name) == asker
          and redis.call('HEXISTS', batch, 'sent:' .. name) == 0 then
        found[#found + 1] = name
        found[#found + 1] = callback
      end
    end
  end
  return found
end
"""
_BEGIN: Final = """
local batch, kept = KEYS[1], ARGV[1]
if redis.call('EXISTS', batch) == 0 then
  return false
end
redis.call('PEXPIRE', batch, kept)
"""
_ADD: Final = """
local batch, kept, may_begin = KEYS[1], ARGV[1], ARGV[2]
local adder, names, first = ARGV[4], ARGV[5], 6 + 2 * tonumber(ARGV[3])
local begins = redis.call('EXISTS', batch) == 0
if begins and may_begin == '0' then
  return false
end
local others = redis.call('HGET', batch, 'names')
if may_begin == '1' and others and others ~= names then
  return others
end
local finished = redis.call('HEXISTS', batch, 'asker:complete') == 1
    and redis.call('HGET', batch, 'job:' .. adder) ~= 'f'
local unknown, missing = {}, {}
for i = first, #ARGV do
  local state = redis.call('HGET', batch, 'job:' .. ARGV[i])
  if finished and not state then
    if redis.call('HEXISTS', batch, 'withdrawn:' .. ARGV[i]) == 0 then
      return false
    end
  elseif not state then
    unknown[#unknown + 1] = ARGV[i]
    missing[#missing + 1] = ARGV[i]
  elseif state == 'a' then
    missing[#missing + 1] = ARGV[i]
  end
end
if begins then
  redis.call('HSET', batch, 'total', 0, 'pending', 0, 'failed', 0)
  redis.call('HSET', batch, 'names', names)
  for i = 6, first - 1, 2 do
    redis.call('HSET', batch, 'callback:' .. ARGV[i], ARGV[i + 1])
  end
end
for _, id in ipairs(unknown) do
  redis.call('HSET', batch, 'job:' .. id, 'a')
end
redis.call('HINCRBY', batch, 'total', #unknown)
redis.call('HINCRBY', batch, 'pending', #unknown)
redis.call('PEXPIRE', batch, kept)
return missing
"""
_HANDED_OVER: Final = (
    _BEGIN
    + """
local job = 'job:' .. ARGV[2]
if redis.call('HGET', batch, job) == 'a' then
  redis.call('HSET', batch, job, 'e')
end
return 1
"""
)
_WITHDRAW: Final = (
    _BEGIN
    + """
local job = 'job:' .. ARGV[2]
if redis.call('HGET', batch, job) == 'a' then
  redis.call('HDEL', batch, job)
  redis.call('HSET', batch, 'withdrawn:' .. ARGV[2], 1)
  redis.call('HINCRBY', batch, 'total', -1)
  redis.call('HINCRBY', batch, 'pending', -1)
end
return 1
"""
)
_END: Final = (
    _BEGIN
    + _DUE
    + """
local job, ended = 'job:' .. ARGV[2], ARGV[3]
local before = redis.call('HGET', batch, job)
if not before then
  return false
end
if before ~= 'p' then
  if before ~= 'f' then
    redis.call('HINCRBY', batch, 'pending', -1)
  end
  redis.call('HINCRBY', batch, 'failed', (ended == 'f' and 1 or 0) - (before == 'f' and 1 or 0))
  redis.call('HSET', batch, job, ended)
end
return due(ARGV[2])
"""
)
_SETTLE: Final = _BEGIN + _DUE + "return due(ARGV[2])"
_SENT: Final = _BEGIN + "return redis.call('HSET', batch, 'sent:' .. ARGV[2], 1)"


class RedisBatches:
    """The batches of a `RedisStore`; see `BatchStore`. Redis forgets a batch after 30 days."""

    def __init__(self, client: Any, prefix: str, ask: Ask) -> None:
        self._client = client
        self._prefix = prefix
        self._ask = ask

    def add(
        self,
        batch_id: str,
        job_ids: Sequence[str],
        callbacks: Mapping[str, Payload] | None,
        adder: str = "",
    ) -> Sequence[str] | None:
        written: list[str] = []
        for name, payload in (callbacks or {}).items():
            written += [name, json.dumps(payload.to_dict())]
        may_begin = 0 if callbacks is None else 1
        names = names_of(callbacks or {})
        counts = (may_begin, len(written) // 2)
        missing = self._do("add jobs to", batch_id, _ADD, *counts, adder, names, *written, *job_ids)
        if isinstance(missing, str | bytes):
            raise another_batch(batch_id, _text(missing), names)
        return None if missing is None else [_text(each) for each in missing]

    def handed_over(self, batch_id: str, job_id: str) -> None:
        self._do("note a job of", batch_id, _HANDED_OVER, job_id)

    def withdraw(self, batch_id: str, job_id: str) -> None:
        self._do("take a job out of", batch_id, _WITHDRAW, job_id)

    def end(self, batch_id: str, job_id: str, *, performed: bool) -> Mapping[str, Payload] | None:
        due = self._do("end a job of", batch_id, _END, job_id, "p" if performed else "f")
        return None if due is None else _callbacks(due)

    def settle(self, batch_id: str, asker: str) -> Mapping[str, Payload]:
        return _callbacks(self._do("settle", batch_id, _SETTLE, asker) or ())

    def sent(self, batch_id: str, name: str) -> None:
        self._do("note a callback of", batch_id, _SENT, name)

    def facts(self, batch_id: str) -> BatchFacts | None:
        key = self._key(batch_id)
        total, pending, failed = self._ask(
            f"look at batch {batch_id}",
            lambda: self._client.hmget(key, "total", "pending", "failed"),
        )
        return None if total is None else BatchFacts(int(total), int(pending), int(failed))

    def _do(self, what: str, batch_id: str, script: str, *arguments: str | int) -> Any:
        key = self._key(batch_id)
        return self._ask(
            f"{what} batch {batch_id}",
            lambda: self._client.eval(script, 1, key, _BATCH_KEPT_MS, *arguments),
        )

    def _key(self, batch_id: str) -> str:
        return f"{self._prefix}batch:{batch_id}"


def _callbacks(due: Sequence[object]) -> dict[str, Payload]:
    return {
        _text(name): Payload.from_dict(json.loads(_text(written)))
        for name, written in zip(due[::2], due[1::2], strict=True)
    }


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


# Places

# A place is a member of a sorted set; its score is the microsecond in which it ends, since a double does not hold
# nanoseconds. A job that waits is a member of another sorted set, scored by rank; its name there begins with a
# number, so that jobs of one rank keep their order. A hash leads from the id of the job to that name.
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
_ACQUIRE_DIGEST: Final = hashlib.sha1(_ACQUIRE.encode(), usedforsecurity=False).hexdigest()
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
        """Take a place; see `pytest_jobs.core.foundation.protocols.Store`."""
        wanted = Wanted(key, owner, now_ns, ttl_ns, limit, rank, renew)
        return _held(key, self._do(f"take {key}", key, _ACQUIRE, *_arguments(wanted)))

    def acquire_all(self, wanted: Sequence[Wanted]) -> Sequence[Held | None]:
        """Take places in one round trip; see `pytest_jobs.core.foundation.protocols.AcquiresMany`."""

        def take() -> list[Any]:
            with self._client.pipeline(transaction=False) as pipeline:
                # Redis knows the script by its digest once the first of them has run.
                run, script = pipeline.eval, _ACQUIRE
                for each in wanted:
                    run(script, 3, *self._keys(each.key), *_arguments(each))
                    run, script = pipeline.evalsha, _ACQUIRE_DIGEST
                answers: list[Any] = pipeline.execute()
                return answers

        answers = self._ask(f"take {len(wanted)} places", take)
        return [_held(each.key, first) for each, first in zip(wanted, answers, strict=True)]

    def release(
        self, key: str, owner: str, *, now_ns: int, ttl_ns: int | None = None
    ) -> str | None:
        """Give a place back; see `pytest_jobs.core.foundation.protocols.Store`."""
        arguments = (owner, _microseconds(now_ns), _end(now_ns, ttl_ns), _KEPT_MS)
        following = self._do(f"give {key} back", key, _RELEASE, *arguments)
        return None if following is None else _text(following)

    def held(self, now_ns: int) -> tuple[Held, ...]:
        """Return the places that are taken, of all keys: for consoles, since it goes through every key."""
        after = f"({_microseconds(now_ns)}"

        def read() -> list[Held]:
            return [
                Held(key, _text(owner), _end_of(end))
                for name, key in self._known("places")
                for owner, end in self._client.zrangebyscore(name, after, "+inf", withscores=True)
            ]

        return tuple(self._ask("read the places", read))

    def waiting(self) -> tuple[Waiting, ...]:
        """Return the jobs that wait, of all keys."""

        def read() -> list[Waiting]:
            return [
                Waiting(key, _text(entry).partition(":")[2])
                for name, key in self._known("queue")
                for entry in self._client.zrange(name, 0, -1)
            ]

        return tuple(self._ask("read who waits", read))

    def _known(self, part: str) -> list[tuple[str, str]]:
        """Return the name in redis of one part of every key, and the key."""
        start = f"{self._prefix}{part}:"
        pattern = "".join(f"\\{each}" if each in "*?[]\\" else each for each in start)
        names = {_text(name) for name in self._client.scan_iter(match=f"{pattern}*")}
        return [(name, name.removeprefix(start)) for name in sorted(names)]

    def _do(self, what: str, key: str, script: str, *arguments: str | int) -> Any:
        return self._ask(what, lambda: self._client.eval(script, 3, *self._keys(key), *arguments))

    def _keys(self, key: str) -> list[str]:
        return [f"{self._prefix}{part}:{key}" for part in ("places", "queue", "names")]

    def _ask(self, what: str, ask: Callable[[], T]) -> T:
        from redis.exceptions import RedisError

        try:
            return ask()
        except RedisError as error:
            raise StoreError(
                f"Could not {what}: redis answers with {error_text(error).rstrip('.')}. Jobs that need the store "
                "are neither enqueued nor begun until it is back."
            ) from error

    def __repr__(self) -> str:
        return f"<RedisStore {self._prefix}>"


def _arguments(wanted: Wanted) -> tuple[str | int, ...]:
    """Return what _ACQUIRE takes."""
    now_ns, rank = wanted.now_ns, "" if wanted.rank is None else wanted.rank
    times = (_microseconds(now_ns), _end(now_ns, wanted.ttl_ns))
    return (wanted.owner, *times, wanted.limit, rank, _KEPT_MS, int(wanted.renew))


def _held(key: str, first: Sequence[object]) -> Held | None:
    return Held(key, _text(first[0]), _end_of(first[1])) if first else None


def _microseconds(ns: int) -> int:
    return ns // _NS_PER_MICROSECOND


def _end(now_ns: int, ttl_ns: int | None) -> str | int:
    return "+inf" if ttl_ns is None else _microseconds(now_ns + ttl_ns)


def _end_of(score: object) -> int | None:
    end = float(_text(score))
    return None if end == float("inf") else int(end) * _NS_PER_MICROSECOND
