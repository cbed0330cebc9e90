"""What a key of redis has, as a job would read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_NUMBER: Final = re.compile(rb"-?(0|[1-9]\d{0,17})(\.\d+)?")
#: An id of a stream from here on was made by redis: it is a time in milliseconds.
_A_TIME: Final = 10**11


def value_of(client: Any, key: bytes, kind: bytes | None = None) -> Any:
    """Return the value of a key; None if there is no such key.

    Args:
        client: a client that returns bytes.
        key: the key.
        kind: its type, if it is known.
    """
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
