"""A job's arguments as JSON text, and back.

Plain JSON values take a fast path that checks exact types first: the encoder of the standard
library would silently turn tuples into lists, enums into numbers and integer keys into strings.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import math
import pathlib
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from ...errors import DeserializationError, JobsError, SerializationError
from ..foundation.registry import name_of
from ..foundation.types import registered_types
from .records import Find, RecordReference, Reference, UnitOfWork, references

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


_text_of = json.JSONEncoder(separators=(",", ":"), check_circular=False, allow_nan=False)


def _writer_of_plain_values() -> Callable[[object], str]:
    """Return what writes plain JSON values as text.

    `JSONEncoder.encode` makes an encoder in C for each text, which takes longer than to write a short one.
    """
    try:
        # No markers against cycles and no indentation; no sorted keys, no skipped ones, no NaN.
        chunks = cast(Any, json.encoder).c_make_encoder(
            *(None, _text_of.default, json.encoder.encode_basestring_ascii, None),
            *(":", ",", False, False, False),
        )
    except TypeError:  # None without C, or other parameters.
        return _text_of.encode
    return lambda value: "".join(chunks(value, 0))


_to_json = _writer_of_plain_values()
_scan_json = json.JSONDecoder().raw_decode

_ATOMS = frozenset((str, int, bool, float, type(None)))
#: The key of a JSON object that stands for a value of another type.
_TAG = "~"
_TAGGED_PREFIX = '{"tagged":'

Types = Callable[[], Mapping[str, type]]


def encode(args: tuple[Any, ...], kwargs: Mapping[str, Any], types: Types) -> str:
    """Return the arguments as JSON text.

    Args:
        args: the positional arguments.
        kwargs: the keyword arguments.
        types: returns the enums and dataclasses that the job's annotations name.

    Raises:
        SerializationError: names the path of the first value that cannot be written.
    """
    try:
        for value in args:
            if type(value) not in _ATOMS and not _is_plain(value):
                break
        else:
            if not kwargs or _is_plain(kwargs):
                return _to_json((args, kwargs))
    except (ValueError, RecursionError):
        pass  # The writer below finds out where.
    return _Writer(types).text(args, kwargs)


def decode(text: str, types: Types, *, find: Find) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a payload, built anew.

    Args:
        text: what `encode` returned.
        types: as for `encode`.
        find: looks a record up; or `RecordReference`, to leave records as references.

    Raises:
        DeserializationError: when they cannot be read, with the reason as its cause.
        RecordNotFoundError: when they refer to a record that is gone.
        RecordUnavailableError: when they refer to a record that could not be looked up.
    """
    try:
        # Our text has no white space around it, so this does, and is cheaper than `loads`.
        data, end = _scan_json(text)
        if end != len(text):
            raise ValueError("more text follows the arguments")
        args, kwargs = data if type(data) is list else data["tagged"]
        if type(args) is not list or type(kwargs) is not dict:
            raise ValueError("a list and an object are expected")
        if type(data) is list:
            return tuple(args), kwargs
        read = _Reader(types, find).read
        return tuple(map(read, args)), {name: read(value) for name, value in kwargs.items()}
    except JobsError:
        raise
    except Exception as error:
        raise DeserializationError(
            f"The arguments {_shortened(text)} cannot be read back: {type(error).__name__}: {error}"
        ) from error


def encode_value(value: Any, path: str, types: Types) -> Any:
    """Return a single value as JSON-safe data, a copy.

    Args:
        value: what to write.
        path: how messages call it.
        types: as for `encode`.

    Raises:
        SerializationError: names the path of the value that cannot be written.
    """
    return _Writer(types).write(value, path)


def decode_value(data: Any, types: Types, *, find: Find) -> Any:
    """Return the value that `encode_value` wrote, built anew; see `decode`."""
    try:
        return _Reader(types, find).read(data)
    except JobsError:
        raise
    except Exception as error:
        raise DeserializationError(
            f"The value {_shortened(repr(data))} cannot be read back: {type(error).__name__}: {error}"
        ) from error


def may_name_records(text: str) -> bool:
    """Return whether arguments may name records. Arguments of plain JSON values do not."""
    return text.startswith(_TAGGED_PREFIX)


async def look_up_records(data: Any, types: Types, unit: UnitOfWork) -> None:
    """Look up the records that JSON data names, one after the other, for a coroutine job.

    Raises:
        RecordNotFoundError: when one is gone.
        RecordUnavailableError: when one could not be looked up.
    """
    if not unit.awaits:
        return
    try:
        records = [*_records_in(data)]
    except RecursionError:
        return  # `decode` raises the error.
    for name, written in records:
        reference = references.named(name)
        await unit.look_up(reference, decode_value(written, types, find=RecordReference))


async def look_up_records_of_arguments(text: str, types: Types, unit: UnitOfWork) -> None:
    """Look up the records that arguments name; see `look_up_records`."""
    if not unit.awaits or not may_name_records(text):
        return
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return  # Likewise.
    await look_up_records(data, types, unit)


def _records_in(data: Any) -> Iterator[tuple[str, Any]]:
    """Yield the records that JSON data names, each as the name of its class and its written id."""
    if type(data) is list:
        for item in data:
            yield from _records_in(item)
    elif type(data) is dict:
        tag, written = data.get(_TAG), data.get("v")
        if tag == "record":
            yield data.get("t", ""), written
        else:
            plain = written if tag == "dict" and type(written) is dict else data
            for item in plain.values():
                yield from _records_in(item)


def _is_plain(value: Any) -> bool:
    """Return whether a list or dict consists of plain JSON values."""
    kind = type(value)
    if kind is list:
        for item in value:  # noqa: SIM110 - a generator costs more than the looks
            if type(item) not in _ATOMS and not _is_plain(item):
                return False
        return True
    if kind is dict:
        for key, item in value.items():
            if (
                type(key) is not str
                or key == _TAG
                or (type(item) not in _ATOMS and not _is_plain(item))
            ):
                return False
        return True
    return False


class _Writer:
    """Writes the arguments that are not plain JSON values, and names the one that cannot be written."""

    def __init__(self, types: Types, *, again: bool = False) -> None:
        self._types = types
        #: Whether it writes what was built anew, to compare it: the dataclasses in it have been checked already.
        self._again = again
        self._open: set[int] = set()
        self._records: dict[tuple[type, str], Any] = {}

    def text(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        positional = [self.write(value, f"args[{index}]") for index, value in enumerate(args)]
        named = {name: self.write(value, f"kwargs[{name!r}]") for name, value in kwargs.items()}
        return f"{_TAGGED_PREFIX}{_to_json([positional, named])}}}"

    def write(self, value: Any, path: str) -> Any:
        kind = type(value)
        if kind in _ATOMS:
            return _checked_atom(value, path)
        if id(value) in self._open:
            raise SerializationError(
                f"{path} contains itself, and JSON text cannot: pass ids instead."
            )
        self._open.add(id(value))
        try:
            return self._write_composite(value, kind, path)
        except RecursionError:
            raise SerializationError(
                f"{_shortened(path)} is nested too deeply to be written."
            ) from None
        finally:
            self._open.discard(id(value))

    def _write_composite(self, value: Any, kind: type, path: str) -> Any:
        if kind is list or kind is tuple:
            written = [self.write(item, f"{path}[{index}]") for index, item in enumerate(value)]
            return written if kind is list else _tagged("tuple", written)
        if kind is dict:
            return self._write_dict(value, path)
        # Under freezegun `date.today()` and `datetime.now()` return objects of classes of its own.
        real = kind.__mro__[1] if kind.__module__ == "freezegun.api" else kind
        if (codec := BY_TYPE.get(real)) is not None:
            return _tagged(
                codec.tag, codec.encode(value, lambda item: self.write(item, f"{path}'s element"))
            )
        if isinstance(value, enum.Flag):  # A combination of flags has no name to look up.
            return _tagged("flag", value.value, self._allowed(kind, "enum", path))
        if isinstance(value, enum.Enum):
            return _tagged("enum", value.name, self._allowed(kind, "enum", path))
        if (found := references.of(kind)) is not None:
            identifier = found.identify(value)
            if identifier is None:
                raise SerializationError(
                    f"{path} is a {found.cls.__qualname__} without an id: save it before you enqueue a job with "
                    "it."
                )
            self._records[found.cls, repr(identifier)] = value
            return _tagged("record", self.write(identifier, f"{path}.id"), name_of(found.cls))
        if dataclasses.is_dataclass(kind):
            name = self._allowed(kind, "dataclass", path)
            names = [field.name for field in dataclasses.fields(value) if field.init]
            fields = {each: self.write(getattr(value, each), f"{path}.{each}") for each in names}
            if not self._again:
                self._check_built_anew(value, kind, fields, path)
            return _tagged("dataclass", fields, name)
        raise SerializationError(
            f"{path} is of type {kind.__qualname__}, which a payload cannot carry: {_advice(value)}."
        )

    def _write_dict(self, value: dict[Any, Any], path: str) -> Any:
        for key in value:
            if type(key) is not str:
                raise SerializationError(
                    f"{path} has the key {key!r} of type {type(key).__qualname__}; the keys of a JSON object are "
                    "text: write str keys, or pass the items as a list of pairs."
                )
        written = {key: self.write(item, f"{path}[{key!r}]") for key, item in value.items()}
        return _tagged("dict", written) if _TAG in written else written

    def _check_built_anew(
        self, value: Any, kind: type, written: Mapping[str, Any], path: str
    ) -> None:
        """Refuse a dataclass that the job would get with other values: only what __init__ takes travels."""

        def record(reference: Reference, identifier: object) -> Any:
            return self._records[reference.cls, repr(identifier)]

        read = _Reader(self._types, record).read
        try:
            built = kind(**{field: read(data) for field, data in written.items()})
        except Exception as error:
            raise SerializationError(
                f"{path} is a {kind.__qualname__}, which cannot be built anew from its fields: "
                f"{type(error).__name__}: {error}. Let __init__ be content with the fields, or pass plain data."
            ) from error
        rewriter = _Writer(self._types, again=True)
        for field in dataclasses.fields(value):
            now, then = getattr(value, field.name), getattr(built, field.name)
            if field.name in written:
                same = rewriter.write(then, f"{path}.{field.name}") == written[field.name]
                advice = "let it leave the field as it is"
            else:
                # Objects without a comparison of their own are never equal to others.
                equality: object = type(now).__eq__
                by_identity = type(now) is type(then) and equality is object.__eq__
                same = not field.compare or now == then or by_identity
                advice = (
                    "let it take the field, declare that with `compare=False` if it need not travel"
                )
            if not same:
                raise SerializationError(
                    f"{path} is a {kind.__qualname__} whose {field.name} is {_shortened(repr(now))}, and built "
                    f"anew by __init__ it would be {_shortened(repr(then))}: {advice}, or pass plain data."
                )

    def _allowed(self, kind: type, noun: str, path: str) -> str:
        name = name_of(kind)
        if (self._types().get(name) or registered_types.get(name)) is not kind:
            raise SerializationError(
                f"{path} is the {noun} {kind.__qualname__}, which the job does not declare: annotate the "
                f"parameter with {kind.__qualname__}, or register the class with `@argument_type`."
            )
        return name


class _Reader:
    """Builds values anew from JSON data."""

    def __init__(self, types: Types, find: Find) -> None:
        self._types = types
        self._find = find

    def read(self, data: Any) -> Any:
        if type(data) is list:
            return [self.read(item) for item in data]
        if type(data) is not dict:
            return data
        if _TAG not in data:
            return {key: self.read(item) for key, item in data.items()}
        return self._read_tagged(data[_TAG], data["v"], data.get("t", ""))

    def _read_tagged(self, tag: str, data: Any, type_name: str) -> Any:
        if tag == "dict":
            return {key: self.read(item) for key, item in data.items()}
        if tag == "flag":
            return self._allowed(type_name)(data)
        if tag == "enum":
            return cast(type[enum.Enum], self._allowed(type_name))[data]
        if tag == "dataclass":
            return self._allowed(type_name)(
                **{name: self.read(value) for name, value in data.items()}
            )
        if tag == "record":
            return self._find(references.named(type_name), self.read(data))
        if tag == "tuple":
            return tuple(self.read(item) for item in data)

        return BY_TAG[tag].decode(data, self.read)

    def _allowed(self, name: str) -> type:
        cls = self._types().get(name) or registered_types.get(name)
        if cls is None:
            raise DeserializationError(
                f"The payload carries a {name}, which the job does not declare: annotate the parameter with "
                "it, or register the class with `@argument_type`."
            )
        return cls


def _tagged(tag: str, data: Any, type_name: str | None = None) -> dict[str, Any]:
    return {_TAG: tag, "v": data} if type_name is None else {_TAG: tag, "v": data, "t": type_name}


def _checked_atom(value: Any, path: str) -> Any:
    if type(value) is float and not math.isfinite(value):
        raise SerializationError(
            f"{path} is {value!r}, and JSON has no such number: pass None, or leave the argument out."
        )
    if type(value) is int:
        try:
            str(value)
        except ValueError:
            raise SerializationError(
                f"{path} is an int of more digits than Python writes into text: pass it as bytes or as hex(...)."
            ) from None
    return value


def _advice(value: object) -> str:
    for base in (str, int, float, bytes, list, dict, tuple, set):
        if isinstance(value, base):
            return f"convert it with {base.__name__}(...) so that it comes back as what it was"
    return "pass its id or plain data, or declare its class with `@reference` or `@argument_type`"


def _shortened(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
