"""How current attributes get from where a job is made to where it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..errors import DeserializationError, SerializationError
from .ambient import EMPTY, Ambient, ambient, current_classes
from .arguments import decode_value, encode_value
from .records import Find, RecordReference
from .registry import name_of

if TYPE_CHECKING:
    from .found_records import FoundRecords
    from .payload import Payload

Before: TypeAlias = tuple[Token[Ambient], "Token[Payload | None]"]

#: The header in which a payload carries them.
HEADER: Final = "context"

#: The payload that is being performed, if it is one that carries anything.
performed: ContextVar[Payload | None] = ContextVar("pytest_jobs_performed", default=None)


def headers_of(values: Ambient) -> dict[str, object] | None:
    """Return the headers of a payload that carries these values; None when there is nothing to carry.

    Raises:
        SerializationError: names the attribute whose value cannot be written.
    """
    written: dict[str, object] = {}
    for cls, held in values.items():
        carried = {name: value for name, value in held.items() if cls._attributes[name].carried}
        if carried:
            written[name_of(cls)] = {
                name: _written(value, f"{cls.__qualname__}.{name}", cls._argument_types)
                for name, value in carried.items()
            }
    return {HEADER: written} if written else None


def _written(value: object, path: str, types: Any) -> object:
    try:
        return encode_value(value, path, types)
    except SerializationError as error:
        raise SerializationError(
            f"{error} Jobs carry the current attributes that are set where they are made; declare it with "
            "`attribute(carried=False)` if they do not need this one."
        ) from None


def enter(payload: Payload) -> Before:
    """Begin a delivery: nothing of whoever performs it is seen in it."""
    return ambient.set(EMPTY), performed.set(payload)


def restore(headers: Mapping[str, object] | None, find: Find) -> Ambient:
    """Set what a payload carries, one value after the other, and return it.

    Finding a record may need what was declared before it, such as the tenant.

    Raises:
        DeserializationError: when a value cannot be read.
        RecordNotFoundError: when it is a record that is gone.
        RecordUnavailableError: when that cannot be told now.
    """
    return carried(headers, find=find, assign=True)


async def arestore(headers: Mapping[str, object] | None, records: FoundRecords) -> Ambient:
    """Set what a payload carries for a coroutine job; see `restore`."""
    found: dict[Any, dict[str, Any]] = {}
    for cls, name, data in _written_in(headers):
        await records.look_up(data, cls._argument_types)
        value = decode_value(data, cls._argument_types, find=records.find)
        found.setdefault(cls, {})[name] = value
        cls._assign({name: value})
    return found


def leave(before: Before) -> None:
    """End a delivery: reset what it left, and bring back what there was before."""
    with ExitStack() as stack:
        stack.callback(_bring_back, before)
        for cls in ambient.get():
            stack.callback(cls.reset)


def _bring_back(before: Before) -> None:
    # A coroutine that is thrown away ends in the context of whoever does it.
    with suppress(ValueError):
        ambient.reset(before[0])
        performed.reset(before[1])


def carried(headers: Mapping[str, object] | None, *, find: Find, assign: bool = False) -> Ambient:
    """Return what a payload carries. An attribute that its class has no longer is left out."""
    found: dict[Any, dict[str, Any]] = {}
    for cls, name, data in _written_in(headers):
        value = decode_value(data, cls._argument_types, find=find)
        found.setdefault(cls, {})[name] = value
        if assign:
            cls._assign({name: value})
    return found


def _written_in(headers: Mapping[str, object] | None) -> Iterator[tuple[Any, str, Any]]:
    context: Any = (headers or EMPTY).get(HEADER, EMPTY)
    for class_name, values in context.items():
        cls = current_classes.find(class_name)
        for name, data in values.items():
            if name in cls._attributes:
                yield cls, name, data


def described(headers: Mapping[str, object] | None) -> str:
    """Return what a payload carries as text, `Current(account=<Account 1>)`; empty for nothing."""
    if not headers or HEADER not in headers:
        return ""
    try:
        values = carried(headers, find=RecordReference)
    except DeserializationError as error:
        return f"unreadable: {type(error).__name__}"
    return ", ".join(
        f"{cls.__name__}({', '.join(f'{name}={value!r}' for name, value in held.items())})"
        for cls, held in values.items()
    )
