"""The commands of redis: what each does, how a report shows it, and how it fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from redis import exceptions

from ...engine.acts import Act

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
_READING_PAIRS: Final = frozenset(
    ("ACL WHOAMI", "CONFIG GET", "FUNCTION LIST", "SCRIPT EXISTS", "SCRIPT LOAD")
)
#: Commands that wait, and the place of the argument that says for how many seconds.
_SECONDS_AT: Final = {
    **dict.fromkeys(("BLPOP", "BRPOP", "BRPOPLPUSH", "BLMOVE", "BZPOPMIN", "BZPOPMAX"), -1),
    **dict.fromkeys(("BLMPOP", "BZMPOP"), 1),
}
_SCRIPTS: Final = ("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO")
_LONGEST: Final = 80
_KIND: Final = "redis"
_FOR_EVER: Final = (
    "waits for ever: nothing in the world is left to come. Put what it waits for into redis in the "
    "world, or give it a timeout."
)
_NO_OWNER: Final = (
    "waits for ever: whoever holds it is dead, and it has no timeout after which it is free again. "
    "Give it one (`timeout=`)."
)


class Command:
    """One command, as it is given to a client."""

    def __init__(self, args: tuple[Any, ...]) -> None:
        self.args = args
        #: The name may be several words, such as CONFIG GET.
        self._words = as_text(args[0]).upper().split()
        self.name = self._words[0]

    @property
    def reads(self) -> bool:
        """Whether it has no effect on what is stored, and sends no message."""
        if self.name in _READING:
            return True
        second = self._words[1:] or [as_text(arg).upper() for arg in self.args[1:2]]
        return " ".join((self.name, *second)) in _READING_PAIRS

    @property
    def publishes(self) -> bool:
        """Whether it sends a message, which no stored value shows."""
        if self.name in ("EVAL", "EVAL_RO"):
            return _sends_messages(self.args[1])
        return self.name in ("PUBLISH", "SPUBLISH")

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

    def act(self) -> Act:
        """Return its effect: messages are compared, since no stored value shows them."""
        value = (self.name.lower(), *self.args[1:])
        return _act(str(self), counts=self.publishes, value=value)

    def __str__(self) -> str:
        if self.name in _SCRIPTS and len(self.args) > 2:
            # Neither the script nor its arguments, such as the token of a lock, help a reader.
            keys = self.args[3 : 3 + int(self.args[2])]
            return _cut(" ".join([self.name, *map(as_text, keys)]))
        return _cut(" ".join(map(as_text, self.args)))


def act_together(word: str, commands: Sequence[Command], *, watching: bool) -> Act:
    """Return the effect of commands that are sent together; their messages are noted one by one.

    Where keys are watched, the client reports every failure as a change of these keys.
    """
    text = _cut(f"{word} {'; '.join(map(str, commands))}")
    if not watching:
        return _act(text)

    def watch_error() -> Exception:
        return exceptions.WatchError("A ConnectionError occurred while watching one or more keys")

    return Act(_KIND, text, counts=False, refused=watch_error, answer_lost=watch_error)


def act_of_script(script: object, keys: Sequence[object], args: Sequence[object]) -> Act:
    """Return the effect of a script that the client runs by its hash, and loads when the server lacks it."""
    text = _cut(" ".join(["EVALSHA", *map(as_text, keys)]))
    return _act(text, counts=_sends_messages(script), value=("script", *keys, *args))


def act_of_lock(lock: Any) -> Act:
    """Return the effect of taking a lock, however often that has to be tried."""
    return _act(f"lock {as_text(lock.name)}")


def nothing_to_come(waiting: object) -> Exception:
    """Return the error of a command, or of a subscriber, that would wait for ever."""
    return exceptions.TimeoutError(f"{waiting} {_FOR_EVER}")


def lock_without_owner(name: object) -> Exception:
    """Return the error of a lock that will never be free."""
    # Some versions of redis-py declare no types here.
    made: Callable[[str], Exception] = exceptions.LockError
    return made(f"The lock {name} {_NO_OWNER}")


def waits_for_ever(error: BaseException) -> bool:
    """Say whether an error says that only another delivery could end the waiting."""
    return str(error).endswith((_FOR_EVER, _NO_OWNER))


def as_text(value: object) -> str:
    """Return an argument as a report shows it."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    return str(value)


def _act(text: str, *, counts: bool = False, value: object = None) -> Act:
    return Act(
        _KIND,
        text,
        counts=counts,
        value=value if counts else None,
        busy=waits_for_ever,
        refused=lambda: exceptions.ConnectionError(
            "Error 111 connecting to redis. Connection refused."
        ),
        answer_lost=lambda: exceptions.TimeoutError("Timeout reading from redis"),
    )


def _sends_messages(script: object) -> bool:
    return "publish" in as_text(script).lower()


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
