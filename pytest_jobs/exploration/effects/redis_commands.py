"""The commands of redis: which only read, which wait, and how they are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

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
