"""How what jobs do to redis is heard, and what goes wrong with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

from ...engine.acts import Act, looking, note_connection, watcher

#: Flagged `readonly` by redis 8, or without any effect on what is stored. What is not here counts as writing.
_READING_WORDS: Final = """
BITCOUNT BITFIELD_RO BITPOS DBSIZE DUMP EVALSHA_RO EVAL_RO EXISTS EXPIRETIME FCALL_RO GEODIST
GEOHASH GEOPOS GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GET GETBIT GETRANGE HEXISTS
HEXPIRETIME HGET HGETALL HKEYS HLEN HMGET HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSTRLEN HTTL HVALS
KEYS LCS LINDEX LLEN LOLWUT LPOS LRANGE MGET PEXPIRETIME PFCOUNT PTTL RANDOMKEY SCAN SCARD SDIFF
SINTER SINTERCARD SISMEMBER SMEMBERS SMISMEMBER SORT_RO SRANDMEMBER SSCAN STRLEN SUBSTR SUNION
TOUCH TTL TYPE VCARD VDIM VEMB VGETATTR VINFO VISMEMBER VLINKS VRANDMEMBER VSIM XLEN XPENDING
XRANGE XREAD XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER ZINTERCARD ZLEXCOUNT ZMSCORE ZRANDMEMBER ZRANGE
ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE
ZUNION
ASKING AUTH CLIENT COMMAND DISCARD ECHO HELLO INFO LASTSAVE LATENCY MEMORY MULTI OBJECT PING
PUBSUB QUIT READONLY READWRITE ROLE SELECT SLOWLOG TIME UNWATCH WAIT WAITAOF WATCH XINFO
"""
_READING: Final = frozenset(_READING_WORDS.split())
_READING_PARTS: Final = frozenset(
    ("ACL WHOAMI", "CONFIG GET", "FUNCTION LIST", "SCRIPT EXISTS", "SCRIPT LOAD")
)
#: Where in the command the seconds stand for which it waits.
_SECONDS_AT: Final = {
    "BLPOP": -1,
    "BRPOP": -1,
    "BRPOPLPUSH": -1,
    "BLMOVE": -1,
    "BZPOPMIN": -1,
    "BZPOPMAX": -1,
    "BLMPOP": 1,
    "BZMPOP": 1,
}
_SCRIPTS: Final = ("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO")
_LONGEST: Final = 80


@dataclass(frozen=True, slots=True)
class Command:
    """One command, as it is given to a client."""

    args: tuple[Any, ...]

    @property
    def words(self) -> list[str]:
        """Its name, which may be several words."""
        return as_text(self.args[0]).upper().split()

    @property
    def name(self) -> str:
        """The first word of its name."""
        return self.words[0]

    @property
    def reads(self) -> bool:
        """Whether it has no effect on what is stored, and nobody hears of it."""
        if self.name in _READING:
            return True
        second = self.words[1:] or [as_text(arg).upper() for arg in self.args[1:2]]
        return " ".join((self.name, *second)) in _READING_PARTS

    @property
    def publishes(self) -> bool:
        """Whether it sends a message, which nothing that is stored shows."""
        if self.name in ("EVAL", "EVAL_RO"):
            return sends_messages(self.args[1])
        return self.name in ("PUBLISH", "SPUBLISH")

    @property
    def value(self) -> tuple[Any, ...]:
        """What it is, where it is compared."""
        return (self.name.lower(), *self.args[1:])

    @property
    def waits(self) -> float | None:
        """For how many seconds it waits for others; 0 for ever, None for not at all."""
        place = _SECONDS_AT.get(self.name)
        if place is not None:
            return float(self.args[place])
        if self.name in ("XREAD", "XREADGROUP"):
            for word, following in zip(self.args[1:], self.args[2:], strict=False):
                if as_text(word).upper() == "STREAMS":
                    break
                if as_text(word).upper() == "BLOCK":
                    return float(following) / 1000
        return None

    def __str__(self) -> str:
        if self.name in _SCRIPTS and len(self.args) > 2:
            # Neither the script nor its arguments, such as the token of a lock, tell a reader anything.
            keys = self.args[3 : 3 + int(self.args[2])]
            return _cut(" ".join([self.name, *map(as_text, keys)]))
        return _cut(" ".join(map(as_text, self.args)))


def transaction_text(commands: Iterable[Command]) -> str:
    """Return what names a transaction."""
    return _cut(f"MULTI {'; '.join(map(str, commands))}")


def script_text(keys: Sequence[object]) -> str:
    """Return what names the run of a script."""
    return _cut(" ".join(["EVALSHA", *map(as_text, keys)]))


def sends_messages(script: object) -> bool:
    """Say whether a script may publish."""
    return "publish" in as_text(script).lower()


def is_empty(answer: object) -> bool:
    """Say whether the answer to a command that waits is that nothing came."""
    return answer is None or (isinstance(answer, list | dict) and not answer)


def as_text(value: object) -> str:
    """Return an argument as it is shown."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    return str(value)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


#: How long to look for a message that is on its way, in real seconds.
ON_ITS_WAY: Final = 0.02
_KIND: Final = "redis"
_FOR_EVER: Final = (
    "waits for ever: nothing in the world is left to come. Put what it waits for into redis in the "
    "world, or give it a timeout."
)
_WATCHED: Final = "A ConnectionError occurred while watching one or more keys"
_NO_OWNER: Final = (
    "waits for ever: whoever holds it is dead, and it has no timeout after which it is free again. "
    "Give it one (`timeout=`)."
)


def act_of(command: Command) -> Act:
    """Return the act of one command that writes."""
    return _act(str(command), counts=command.publishes, value=command.value)


def act_of_transaction(commands: Sequence[Command], *, watching: bool) -> Act:
    """Return the act of commands that happen together or not at all.

    Args:
        commands: what it consists of; of its messages the source takes note when they are sent.
        watching: whether keys are watched: a client then says of every failure that they changed.
    """
    text = transaction_text(commands)
    if watching:
        return Act(_KIND, text, counts=False, refused=_watch_error, answer_lost=_watch_error)
    return _act(text)


def act_of_script(script: object, keys: Sequence[object], args: Sequence[object]) -> Act:
    """Return the act of a script that a client loads where it is not known."""
    value = ("script", *keys, *args)
    return _act(script_text(keys), counts=sends_messages(script), value=value)


def act_of_lock(lock: Any) -> Act:
    """Return the act of taking a lock, however often that has to be tried."""
    return _act(f"lock {as_text(lock.name)}")


def messages_in(commands: Sequence[Command]) -> Iterator[Act]:
    """Give the acts of the messages that commands send."""
    return (act_of(command) for command in commands if command.publishes)


def waits_for_ever(error: BaseException) -> bool:
    """Say whether a command waits for what only another delivery can bring."""
    return str(error).endswith((_FOR_EVER, _NO_OWNER))


def nothing_to_come(command: Command) -> Exception:
    """Return the error of a command that would never come back."""
    from redis.exceptions import TimeoutError as RedisTimeoutError

    return RedisTimeoutError(f"{command} {_FOR_EVER}")


def no_message_to_come() -> Exception:
    """Return the error of a subscriber who would never hear anything."""
    from redis.exceptions import TimeoutError as RedisTimeoutError

    return RedisTimeoutError(f"A subscriber {_FOR_EVER}")


def remaining(name: object, left_ms: int, limit: float | None) -> float | None:
    """Return for how many seconds to wait for a lock; None when it is not free before a limit.

    Args:
        name: that of the lock.
        left_ms: what redis says is left of its lease: -1 when it has none, -2 when it is free.
        limit: how many seconds the wait may take; None for ever.

    Raises:
        LockError: when it is never free.
    """
    if left_ms == -1 and limit is None:
        raise _lock_without_owner(name)
    if left_ms == -1:
        return None
    # It runs out after the last millisecond, not with it.
    pause = max(left_ms, 0) / 1000 + 0.001
    return None if limit is not None and pause > limit else pause


def is_of_delivery() -> bool:
    """Say whether this is the thread of the delivery, in which sleeping only moves the clock."""
    here = threading.get_ident()
    return getattr(watcher.get(), "thread", here) == here


def pass_time(seconds: float) -> None:
    """Let time pass for the delivery."""
    if seconds > 0:
        time.sleep(seconds)


def give_way() -> None:
    """Let the delivery that is suspended, if there is one, go first: this one waits for it."""
    try:
        with looking(lambda error: True):
            raise BlockingIOError
    except BlockingIOError:
        return


def check_owned(packed: Any) -> None:
    """Refuse what is sent by other ways than those that are heard, such as those of a cluster."""
    current = watcher.get()
    if current is not None:
        whole = packed if isinstance(packed, bytes | str) else b"".join(packed)
        words = (whole if isinstance(whole, str) else whole.decode("utf-8", "replace")).split()
        shown = " ".join(word for word in words if word[0] not in "*$")
        current.outside(f"redis ({shown[:60]})")


def note_pipeline(pipeline: Any) -> None:
    """Let a pipeline that watches keys forget its connection when its delivery is over.

    Or it would connect again to watch them no more, whenever its memory is freed.
    """

    def forget() -> None:
        pipeline.connection = None
        pipeline.watching = False

    note_connection(forget)


class CheckedOut:
    """The connections that deliveries have in hand: a worker that dies takes them with it."""

    def __init__(self) -> None:
        self._connections: WeakSet[Any] = WeakSet()

    def note(self, connection: Any) -> None:
        """Note that a delivery took a connection out of a pool."""
        self._connections.add(connection)
        note_connection(lambda: self._close(connection))

    def discard(self, connection: Any) -> None:
        """Note that a connection is back."""
        self._connections.discard(connection)

    def _close(self, connection: Any) -> None:
        if connection in self._connections:
            connection.disconnect()


@contextmanager
def together(pipeline: Any, attribute: str) -> Generator[None, None, None]:
    """Let a pipeline be a transaction for a block: in one, no command waits."""
    before = getattr(pipeline, attribute)
    setattr(pipeline, attribute, True)
    try:
        yield
    finally:
        setattr(pipeline, attribute, before)


def _act(text: str, *, counts: bool = False, value: object = None) -> Act:
    return Act(
        _KIND,
        text,
        counts=counts,
        value=value if counts else None,
        busy=waits_for_ever,
        refused=_refused,
        answer_lost=_answer_lost,
    )


def _refused() -> Exception:
    from redis.exceptions import ConnectionError as RedisConnectionError

    return RedisConnectionError("Error 111 connecting to redis. Connection refused.")


def _answer_lost() -> Exception:
    from redis.exceptions import TimeoutError as RedisTimeoutError

    return RedisTimeoutError("Timeout reading from redis")


def _watch_error() -> Exception:
    from redis.exceptions import WatchError

    return WatchError(_WATCHED)


def _lock_without_owner(name: object) -> Exception:
    from redis.exceptions import LockError

    return LockError(f"The lock {name} {_NO_OWNER}")
