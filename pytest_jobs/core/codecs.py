"""How the values that JSON lacks are written into JSON and read back."""

from __future__ import annotations

import base64
import pathlib
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

Walk = Callable[[Any], Any]


class Codec(NamedTuple):
    """One type of value. The walk encodes or decodes what is inside."""

    tag: str
    encode: Callable[[Any, Walk], Any]
    decode: Callable[[Any, Walk], Any]


def _sorted_elements(values: Any, walk: Walk) -> list[Any]:
    return sorted((walk(value) for value in values), key=repr)


def _encode_moment(value: datetime | time, walk: Walk) -> Any:
    zone = value.tzinfo.key if isinstance(value.tzinfo, ZoneInfo) else None
    return [value.isoformat(), zone, value.fold] if zone or value.fold else value.isoformat()


def _moment_decoder(kind: type[datetime | time]) -> Callable[[Any, Walk], datetime | time]:
    def decode(data: Any, walk: Walk) -> datetime | time:
        if isinstance(data, str):
            return kind.fromisoformat(data)
        text, zone, fold = data
        value = kind.fromisoformat(text)
        return value.replace(tzinfo=ZoneInfo(zone) if zone else value.tzinfo, fold=fold)

    return decode


def _text(value: Any, walk: Walk) -> str:
    return str(value)


_Path = type(pathlib.Path())

#: By exact type: a subclass may hold more than its base, and would come back as less.
BY_TYPE: dict[type, Codec] = {
    set: Codec("set", _sorted_elements, lambda data, walk: set(map(walk, data))),
    frozenset: Codec("frozenset", _sorted_elements, lambda data, walk: frozenset(map(walk, data))),
    datetime: Codec("datetime", _encode_moment, _moment_decoder(datetime)),
    date: Codec("date", _text, lambda data, walk: date.fromisoformat(data)),
    time: Codec("time", _encode_moment, _moment_decoder(time)),
    timedelta: Codec(
        "timedelta",
        lambda value, walk: [value.days, value.seconds, value.microseconds],
        lambda data, walk: timedelta(*data),
    ),
    Decimal: Codec("decimal", _text, lambda data, walk: Decimal(data)),
    UUID: Codec("uuid", _text, lambda data, walk: UUID(data)),
    _Path: Codec("path", _text, lambda data, walk: pathlib.Path(data)),
    bytes: Codec(
        "bytes",
        lambda value, walk: base64.b64encode(value).decode("ascii"),
        lambda data, walk: base64.b64decode(data, validate=True),
    ),
    range: Codec(
        "range",
        lambda value, walk: [walk(value.start), walk(value.stop), walk(value.step)],
        lambda data, walk: range(*data),
    ),
}

BY_TAG: dict[str, Codec] = {codec.tag: codec for codec in BY_TYPE.values()}
