"""The keys of a redis database: which of them a command reads or writes, and what they have."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from itertools import pairwise
from typing import Any, Final
from weakref import WeakKeyDictionary

import redis

from ....harness.records.patches import Patches
from ...engine.sources import guarded_host
from ...stores.account import Account, accounts
from ...stores.store import Store
from .commands import Command, as_text

#: Which of the words after their name are keys, or how those are found. A command that is not here has one key.
_PLACES: Final[Sequence[tuple[slice | str, str]]] = (
    (
        slice(0),
        """
PUBLISH SPUBLISH PING INFO CLIENT SCRIPT FLUSHDB FLUSHALL SELECT HELLO CONFIG MULTI EXEC DISCARD
UNWATCH TIME DBSIZE SUBSCRIBE COMMAND AUTH QUIT WAIT ECHO FUNCTION LASTSAVE ROLE RANDOMKEY ACL
""",
    ),
    (
        slice(None),
        """
DEL UNLINK MGET EXISTS TOUCH SINTER SUNION SDIFF WATCH PFCOUNT PFMERGE SINTERSTORE SUNIONSTORE
SDIFFSTORE
""",
    ),
    (slice(None, None, 2), "MSET MSETNX"),
    (slice(2), "RENAME RENAMENX RPOPLPUSH LMOVE SMOVE BRPOPLPUSH BLMOVE COPY ZRANGESTORE"),
    (slice(-1), "BLPOP BRPOP BZPOPMIN BZPOPMAX"),
    (slice(1, 2), "XGROUP XINFO OBJECT MEMORY"),
    ("counted", "EVAL EVALSHA FCALL EVAL_RO EVALSHA_RO FCALL_RO"),
    ("streams", "XREAD XREADGROUP"),
    ("pattern", "SCAN"),
)
_PLACE_OF: Final = {name: place for place, names in _PLACES for name in names.split()}
_EXPIRY: Final = frozenset(("EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT", "PERSIST"))
_EXPIRING: Final = frozenset(("EX", "PX", "EXAT", "PXAT"))
#: A key that is gone, and that was only written in these ways, was a lock or had run out.
_PASSING: Final = frozenset(("lock", "script", "delete", "expiry", "expiring"))
_PATTERN: Final = frozenset("*?[")


def keys_of(command: Command) -> Sequence[str]:
    """Return the keys of a command, or the pattern of those that it looks for."""
    words = [as_text(arg) for arg in command.args[1:]]
    # Such as OBJECT ENCODING, which may be given as one word.
    words = as_text(command.args[0]).split()[1:] + words
    place = _PLACE_OF.get(command.name, slice(1))
    if isinstance(place, slice):
        return words[place]
    if place == "counted":
        return words[2 : 2 + int(words[1])]
    if place == "pattern":
        return [after for word, after in pairwise(words) if word.upper() == "MATCH"] or ["*"]
    begin = [word.upper() for word in words].index("STREAMS") + 1
    return words[begin : begin + (len(words) - begin) // 2]


def way_of(command: Command) -> str:
    """Return how a command writes its keys, as far as a lock or a lease does that too."""
    options = {as_text(arg).upper() for arg in command.args[3:]}
    if command.name in ("DEL", "UNLINK"):
        return "delete"
    if _PLACE_OF.get(command.name) == "counted":
        return "script"
    if command.name in _EXPIRY:
        return "expiry"
    if command.name == "SETNX" or (command.name == "SET" and "NX" in options):
        return "lock"
    if command.name in ("SETEX", "PSETEX") or (command.name == "SET" and options & _EXPIRING):
        return "expiring"
    return "write"


class RedisStore(Store):
    """One database of a server."""

    noun = "key"

    def __init__(self, label: str, pool: Any, *, is_bound: bool) -> None:
        self.label = self.short = label
        self._pool = pool
        self._is_bound = is_bound

    def is_bound(self, name: str) -> bool:
        return self._is_bound

    def shows(self, read: str, name: str) -> bool:
        return bool(_PATTERN & set(read)) and fnmatch.fnmatchcase(name, read)

    def left_out(self, name: str, ways: Collection[str]) -> str | None:
        try:
            with client_like(self._pool) as client:
                left = client.pttl(name)
        except redis.ConnectionError:  # Nothing has come to a server that is away.
            return None
        if left >= 0:
            return "expires"
        return "" if left == -2 and _PASSING.issuperset(ways) else None

    def content(self, name: str, renamed: Callable[[Any], Any]) -> Any:
        with suppress(redis.ConnectionError), client_like(self._pool) as client:
            return renamed(value_of(client, name.encode()))
        return None


@contextmanager
def client_like(pool: Any) -> Generator[Any, None, None]:
    """Have a blocking client of its own for a block, to the database of a pool, which returns bytes."""
    given: dict[str, Any] = dict(pool.connection_kwargs)
    if isinstance(pool, redis.ConnectionPool):
        given["decode_responses"] = False
        given.pop("retry", None)  # It would sleep between its tries.
        own = type(pool)(connection_class=pool.connection_class, **given)
    elif (server := fake_servers.of(pool)) is not None:
        import fakeredis

        own = fakeredis.FakeRedis(server=server, db=given.get("db", 0)).connection_pool
    else:
        known = ("host", "port", "db", "username", "password")
        own = redis.ConnectionPool(**{name: given[name] for name in known if name in given})
    try:
        yield redis.Redis(connection_pool=own)
    finally:
        own.disconnect()


class _FakeServers:
    """The source for fakeredis: its servers by their pools, and the first account that used each."""

    library: Final = "fakeredis"

    def __init__(self) -> None:
        self._first: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._by_pool: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    def install(self, patches: Patches) -> None:
        """Let a server that a history is the first to name end with the history.

        `FakeRedis()` draws the name of its server, and the histories of a check draw the same random values. A
        server that the test has named before stays the same.
        """
        import fakeredis

        server_class: Any = fakeredis.FakeServer
        genuine = server_class.get_server
        known: dict[str, Any] = server_class._servers_map
        own: WeakKeyDictionary[Account, dict[str, Any]] = WeakKeyDictionary()

        @functools.wraps(genuine)
        def get_server(key: str, *args: Any, **kwargs: Any) -> Any:
            account = accounts.current
            if account is None or key in known:
                return genuine(key, *args, **kwargs)
            of_history = own.setdefault(account, {})
            if key not in of_history:
                of_history[key] = genuine(key, *args, **kwargs)
                del known[key]
            return of_history[key]

        patches.set(server_class, "get_server", staticmethod(get_server))

    def of(self, pool: Any) -> Any:
        """Return the server of a pool; None if it is a real one."""
        given = pool.connection_kwargs
        if given.get("server") is not None:
            return given["server"]
        kind = pool.connection_class
        if not any(
            base.__module__.startswith("fakeredis.") for base in getattr(kind, "__mro__", ())
        ):
            return None
        if pool not in self._by_pool:
            # `FakeRedis()` without a server names one by its host, and only its connections know which.
            self._by_pool[pool] = dict(kind(**given).repr_pieces())["server"]
        return self._by_pool[pool]

    def is_new(self, server: Any, account: Account) -> bool:
        return self._first.setdefault(server, account.number) == account.number


fake_servers = _FakeServers()


def address_of(given: Mapping[str, Any]) -> str:
    """Return where the server of a pool is, by the arguments of its connections."""
    return given.get("path") or f"{given.get('host', 'localhost')}:{given.get('port', 6379)}"


def guarded_server(given: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Return a block in which a connection to another machine fails the check, before its name is looked up.

    The world may use a server there, and so may its job.
    """
    account = accounts.current
    if account is None or "path" in given or account.is_known(f"redis on {address_of(given)}"):
        return nullcontext()
    host = str(given.get("host", "localhost"))
    return guarded_host(host, "a connection of redis", "`redis_world` stands")


def note_keys(client: Any, *commands: Command) -> None:
    """Report the keys that commands read and write to the account of the history that is open."""
    account = accounts.current
    if account is None or account.phase == "comparison":
        return
    pool = getattr(client.connection_pool, "same_server", client.connection_pool)
    given = pool.connection_kwargs
    server, db = fake_servers.of(pool), given.get("db") or 0
    is_new = server is not None and fake_servers.is_new(server, account)
    where = address_of(given)
    if account.phase in ("world", "snapshot"):
        account.know(f"redis on {where}")
    place = (where if server is None else id(server), db)
    otherwise = f"{where}/{db}" if server is None else ""
    label = account.label("redis", place, otherwise, is_own=is_new)
    store = account.store(f"redis {label}", lambda: RedisStore(label, pool, is_bound=is_new))
    for command in commands:
        for key in keys_of(command):
            if account.phase == "snapshot":
                account.read(store, key)
            elif not command.reads:
                account.wrote(store, key, str(command), way_of(command))


_NUMBER: Final = re.compile(rb"-?(0|[1-9]\d{0,17})(\.\d+)?")
#: An id of a stream from here on was made by redis: it is a time in milliseconds.
_A_TIME: Final = 10**11


def value_of(client: Any, key: bytes, kind: bytes | None = None) -> Any:
    """Return the value of a key; None if there is no such key."""
    read_as: bytes = client.type(key) if kind is None else kind
    if read_as == b"none":
        return None
    read = _READERS.get(read_as)
    # What has no reader is compared as redis itself would save it.
    return client.dump(key) if read is None else read(client, key)


def text_of(found: bytes) -> str | bytes:
    """Return a value as text; what is no text stays as it is."""
    try:
        return found.decode()
    except UnicodeDecodeError:
        return found


def _stream(client: Any, key: bytes) -> Any:
    entries: list[Any] = []
    for number, fields in client.xrange(key):
        chosen_by_job = int(number.partition(b"-")[0]) < _A_TIME
        values = _hash(fields)
        entries.append((text_of(number), values) if chosen_by_job else values)
    groups = {text_of(group["name"]): group["pending"] for group in client.xinfo_groups(key)}
    return {"entries": entries, "pending": groups} if groups else entries


def _hash(found: Mapping[bytes, bytes]) -> dict[Any, Any]:
    return {text_of(name): _value(value) for name, value in found.items()}


def _value(found: bytes) -> Any:
    """Return a value as a job would read it: a number, such as a time, where it is written as one."""
    if _NUMBER.fullmatch(found) and found != b"-0":
        return float(found) if b"." in found else int(found)
    return text_of(found)


#: By the type of a key: what reads its value.
_READERS: Final[Mapping[bytes, Callable[[Any, bytes], Any]]] = {
    b"string": lambda client, key: _value(client.get(key)),
    b"list": lambda client, key: [_value(item) for item in client.lrange(key, 0, -1)],
    b"set": lambda client, key: {_value(member) for member in client.smembers(key)},
    b"hash": lambda client, key: _hash(client.hgetall(key)),
    b"zset": lambda client, key: [
        (_value(member), score) for member, score in client.zrange(key, 0, -1, withscores=True)
    ],
    b"stream": _stream,
}
