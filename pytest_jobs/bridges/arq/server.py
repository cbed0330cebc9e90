"""Stands in for the Redis server: the commands that arq uses, in memory, without waiting for anything."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Final

from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError, WatchError

from ...errors import BridgeError
from ..toolkit import LibraryBridge

_MS: Final = 1_000_000
_SECOND: Final = 1_000_000_000


#: A sorted set, a member, and its score.
Member = tuple[str, str, float]
#: Called with the client that has sent a command, with the members that are gone, and those that are new.
Changed = Callable[[Any, list[Member], list[Member]], None]


class Server:
    """Texts, and sorted sets of members with scores. Each may expire, by the clock of the harness.

    After each command and pipeline it says which members of sorted sets are gone, and which are new.
    """

    def __init__(self, now_ns: Callable[[], int], changed: Changed) -> None:
        self._now_ns = now_ns
        self._changed_members = changed
        self._gone: list[Member] = []
        self._new: list[Member] = []
        self._values: dict[str, Any] = {}
        self._expires_ns: dict[str, int] = {}
        #: How often each key was changed, for `WATCH`.
        self.changes: dict[str, int] = {}

    def do(self, *command: Any) -> Any:
        """Execute a command, and return what `redis.Redis` returns for it.

        Raises:
            BridgeError: when arq does not use the command.
        """
        # Clients keep the server, and do not ask the bridge for it.
        LibraryBridge.when_asked()
        name, *args = command
        method = getattr(self, f"do_{str(name).lower()}", None)
        if method is None:
            raise BridgeError(
                f"The application sends {name} through its ArqRedis. No Redis server is contacted in a harness, "
                "and the stand-in of pytest-jobs knows the commands of arq itself: use a redis.asyncio.Redis of "
                "your own for other data."
            )
        return method(*args)

    def value(self, key: Any) -> Any:
        """Return what is kept under a key; None when there is nothing or it has expired."""
        key = _text(key)
        expires_ns = self._expires_ns.get(key)
        if expires_ns is not None and expires_ns <= self._now_ns():
            self._remove(key)
        return self._values.get(key)

    def put(self, key: Any, value: Any, expires_ns: int | None = None) -> None:
        """Keep a value under a key."""
        key = _text(key)
        self._values[key] = value
        self._expires_ns.pop(key, None)
        if expires_ns is not None:
            self._expires_ns[key] = expires_ns
        self._changed(key)

    def expires_ns(self, key: Any) -> int | None:
        """Return when a key expires, in nanoseconds since the epoch."""
        return self._expires_ns.get(_text(key))

    def say(self, client: Any) -> None:
        """Say what has changed in sorted sets since the last time."""
        if self._gone or self._new:
            gone, new, self._gone, self._new = self._gone, self._new, [], []
            is_there = [each for each in new if self.do_zscore(*each[:2]) == each[2]]
            self._changed_members(client, gone, is_there)

    def _moved(self, key: Any, member: str, before: float | None, now: float | None) -> None:
        if before is not None and before != now:
            self._gone.append((_text(key), member, before))
        if now is not None and before != now:
            self._new.append((_text(key), member, now))

    def _changed(self, key: str) -> None:
        self.changes[key] = self.changes.get(key, 0) + 1

    def _remove(self, key: str) -> bool:
        self._expires_ns.pop(key, None)
        self._changed(key)
        value = self._values.pop(key, None)
        for member, score in value.items() if isinstance(value, dict) else ():
            self._moved(key, member, score, None)
        return value is not None

    # Keys and texts

    def do_ping(self) -> bool:
        return True

    def do_get(self, key: Any) -> bytes | None:
        value = self.value(key)
        if value is not None and not isinstance(value, bytes):
            raise ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")
        return value

    def do_set(self, key: Any, value: Any, *options: Any) -> bool | None:
        words = [str(option).upper() for option in options]
        exists = self.value(key) is not None
        if (exists and "NX" in words) or (not exists and "XX" in words):
            return None
        durations_ns = [
            int(options[words.index(word) + 1]) * unit
            for word, unit in (("EX", _SECOND), ("PX", _MS))
            if word in words
        ]
        if any(duration_ns <= 0 for duration_ns in durations_ns):
            # arq asks for it when a job is deferred until more than a day ago.
            raise ResponseError("invalid expire time in 'set' command")
        self.put(key, _bytes(value))
        for duration_ns in durations_ns:
            self._expire(key, duration_ns)
        return True

    def do_setex(self, key: Any, seconds: Any, value: Any) -> bool | None:
        return self.do_set(key, value, "EX", seconds)

    def do_psetex(self, key: Any, ms: Any, value: Any) -> bool | None:
        return self.do_set(key, value, "PX", ms)

    def do_exists(self, *keys: Any) -> int:
        return sum(self.value(key) is not None for key in keys)

    def do_del(self, *keys: Any) -> int:
        return sum(self._remove(_text(key)) for key in keys if self.value(key) is not None)

    def do_incrby(self, key: Any, amount: Any) -> int:
        number = int(self.do_get(key) or 0) + int(amount)
        # The key still expires at the same time.
        self.put(key, _bytes(number), self.expires_ns(key))
        return number

    def do_expire(self, key: Any, seconds: Any) -> bool:
        return self._expire(key, int(seconds) * _SECOND)

    def do_pexpire(self, key: Any, ms: Any) -> bool:
        return self._expire(key, int(ms) * _MS)

    def _expire(self, key: Any, duration_ns: int) -> bool:
        if self.value(key) is None:
            return False
        self._expires_ns[_text(key)] = self._now_ns() + duration_ns
        return True

    def do_keys(self, pattern: Any) -> list[bytes]:
        live = [key for key in list(self._values) if self.value(key) is not None]
        return [key.encode() for key in live if fnmatchcase(key, _text(pattern))]

    # Sorted sets

    def _scores(self, key: Any) -> dict[str, float]:
        scores: dict[str, float] = self.value(key) or {}
        return scores

    def _ordered(self, key: Any) -> list[tuple[bytes, float]]:
        pairs = sorted(self._scores(key).items(), key=lambda pair: (pair[1], pair[0]))
        return [(member.encode(), score) for member, score in pairs]

    def do_zadd(self, key: Any, *pairs: Any) -> int:
        scores = dict(self._scores(key))
        before = len(scores)
        for score, member in zip(pairs[::2], pairs[1::2], strict=True):
            self._moved(key, _text(member), scores.get(_text(member)), float(score))
            scores[_text(member)] = float(score)
        self.put(key, scores, self.expires_ns(key))
        return len(scores) - before

    def do_zincrby(self, key: Any, amount: Any, member: Any) -> float:
        score = self._scores(key).get(_text(member), 0.0) + float(amount)
        self.do_zadd(key, score, member)
        return score

    def do_zrem(self, key: Any, *members: Any) -> int:
        gone = {_text(member) for member in members}
        scores = self._scores(key)
        left = {member: score for member, score in scores.items() if member not in gone}
        for member in [each for each in scores if each in gone] if left else ():
            self._moved(key, member, scores[member], None)
        if left:
            self.put(key, left, self.expires_ns(key))
        else:
            self._remove(_text(key))
        return len(scores) - len(left)

    def do_zscore(self, key: Any, member: Any) -> float | None:
        return self._scores(key).get(_text(member))

    def do_zcard(self, key: Any) -> int:
        return len(self._scores(key))

    def do_zrange(self, key: Any, start: Any, end: Any, *options: Any) -> list[Any]:
        first, last = int(start), int(end)
        found = self._ordered(key)[first : len(self._scores(key)) if last == -1 else last + 1]
        return found if "WITHSCORES" in options else [member for member, _ in found]

    def do_zremrangebyscore(self, key: Any, lowest: Any, highest: Any) -> int:
        low, high = float(lowest), float(highest)
        gone = [member for member, score in self._ordered(key) if low <= score <= high]
        return self.do_zrem(key, *gone) if gone else 0


class ServerPipeline(Pipeline):
    """A pipeline to the stand-in. It has no connection."""

    def __init__(self, server: Server, client: Any, transaction: bool = True) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, None)
        self._server, self._client = server, client
        self._watched: dict[str, int | None] = {}

    async def immediate_execute_command(self, *command: Any, **options: Any) -> Any:
        if command[0] == "WATCH":
            self.watching = True
            changes = self._server.changes
            self._watched.update({_text(key): changes.get(_text(key)) for key in command[1:]})
            return True
        return self._server.do(*command)

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Execute what was collected.

        Raises:
            WatchError: when a watched key was changed.
        """
        try:
            changes = self._server.changes
            if any(changes.get(key) != seen for key, seen in self._watched.items()):
                raise WatchError("Watched variable changed.")
            answers = [self._server.do(*command) for command, _ in self.command_stack]
        finally:
            self._watched.clear()
            await self.reset()  # type: ignore[no-untyped-call]
        self._server.say(self._client)
        return answers


def _text(key: Any) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
