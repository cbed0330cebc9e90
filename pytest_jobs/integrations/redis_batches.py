"""Batches in redis, for jobs that several processes enqueue or perform."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from ..core.arguments.payload import Payload
from ..core.batches.stores import BatchFacts, another_batch, names_of

#: Does what it is given, which is named first; raises a `StoreError` when redis does not answer.
Ask: TypeAlias = Callable[[str, Callable[[], Any]], Any]

#: How long redis keeps a batch after anything has happened to it, in milliseconds: 30 days.
_KEPT_MS: Final = 30 * 86_400_000

# A batch is a hash: counters, the state of each job by its first letter, each callback as JSON, who was
# told to send it, and whether it was sent.
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
    """The batches of a `RedisStore`: every method is one script. Redis forgets a batch after 30 days.

    Args:
        client: a `redis.Redis`.
        prefix: what the keys in redis begin with.
        ask: asks redis.
    """

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
        """Announce jobs; see `BatchStore`."""
        written = [
            text
            for name, payload in (callbacks or {}).items()
            for text in (name, json.dumps(payload.to_dict()))
        ]
        begins = 0 if callbacks is None else 1
        names = names_of(callbacks or {})
        missing = self._do(
            "add jobs to",
            batch_id,
            _ADD,
            begins,
            len(written) // 2,
            adder,
            names,
            *written,
            *job_ids,
        )
        if isinstance(missing, str | bytes):
            raise another_batch(batch_id, _text(missing), names)
        return None if missing is None else [_text(each) for each in missing]

    def handed_over(self, batch_id: str, job_id: str) -> None:
        """Take note that the adapter has a job; see `BatchStore`."""
        self._do("note a job of", batch_id, _HANDED_OVER, job_id)

    def withdraw(self, batch_id: str, job_id: str) -> None:
        """Take a job out; see `BatchStore`."""
        self._do("take a job out of", batch_id, _WITHDRAW, job_id)

    def end(self, batch_id: str, job_id: str, *, performed: bool) -> Mapping[str, Payload] | None:
        """Take note that a job has ended for good; see `BatchStore`."""
        due = self._do("end a job of", batch_id, _END, job_id, "p" if performed else "f")
        return None if due is None else _callbacks(due)

    def settle(self, batch_id: str, asker: str) -> Mapping[str, Payload]:
        """Return the callbacks that are to be sent now; see `BatchStore`."""
        return _callbacks(self._do("settle", batch_id, _SETTLE, asker) or ())

    def sent(self, batch_id: str, name: str) -> None:
        """Take note that the adapter has a callback; see `BatchStore`."""
        self._do("note a callback of", batch_id, _SENT, name)

    def facts(self, batch_id: str) -> BatchFacts | None:
        """Return how far a batch is; see `BatchStore`."""
        total, pending, failed = self._ask(
            f"look at batch {batch_id}",
            lambda: self._client.hmget(self._key(batch_id), "total", "pending", "failed"),
        )
        return None if total is None else BatchFacts(int(total), int(pending), int(failed))

    def _do(self, what: str, batch_id: str, script: str, *arguments: str | int) -> Any:
        return self._ask(
            f"{what} batch {batch_id}",
            lambda: self._client.eval(script, 1, self._key(batch_id), _KEPT_MS, *arguments),
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
