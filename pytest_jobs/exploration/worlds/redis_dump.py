"""Everything that a redis holds, as plain values."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

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
