"""What a job does to a client without a call: operators and assignments."""

from __future__ import annotations

import inspect
from collections.abc import (
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
    Set as AbstractSet,
)
from types import MemberDescriptorType, ModuleType
from typing import Any, Final

from ...engine.acts import Act
from .arguments import comparable, text_of

_BINARY: Final = (
    *(("add", "+"), ("and", "&"), ("floordiv", "//"), ("lshift", "<<"), ("matmul", "@")),
    *(("mod", "%"), ("mul", "*"), ("or", "|"), ("pow", "**"), ("rshift", ">>")),
    *(("sub", "-"), ("truediv", "/"), ("xor", "^")),
)
#: These put something into a client, or send something to it: `queue += [order]`, `stream << order`.
SYMBOLS: Final[Mapping[str, str]] = {
    **{f"__i{name}__": f"{symbol}=" for name, symbol in _BINARY},
    "__lshift__": "<<",
    "__rshift__": ">>",
}
#: Doing one of these again changes nothing more.
_REPEATABLE: Final = frozenset(("__iand__", "__ior__"))
#: Classes that set an attribute as Python does it by itself.
_PLAIN: Final = (object, type, ModuleType)


def is_repeatable(operator: str, args: Sequence[object]) -> bool:
    """Return whether an operator changes nothing more if it is done again: `bucket |= {key}`."""
    return operator in _REPEATABLE or (
        operator == "__isub__" and any(isinstance(one, AbstractSet) for one in args)
    )


def is_in_place(operator: str) -> bool:
    """Return whether Python assigns the answer of an operator to its left side: `queue += [order]`."""
    return SYMBOLS.get(operator, "").endswith("=")


def is_only_memory(owner: object, attribute: str) -> bool:
    """Return whether setting an attribute runs no code, so that it cannot fail as a call of a service can."""
    kind: Any = type(owner)
    if not hasattr(kind, "mock_calls") and not any(
        kind.__setattr__ is plain.__setattr__ for plain in _PLAIN
    ):
        return False
    found = inspect.getattr_static(kind, attribute, None)
    return isinstance(found, MemberDescriptorType) or not hasattr(type(found), "__set__")


def setting(owner: str, path: str, value: tuple[Any, ...], through: tuple[Any, ...] = ()) -> Act:
    """Return the effect of setting an attribute. Without a value it is deleted."""
    name = path if value else f"del {path}"
    return Act(
        owner,
        f"{path} = {text_of('', value, {})[1:-1]}" if value else name,
        value=comparable((name, *through, *value)),
        slot=(path, comparable(through)),
    )


_CONTAINERS: Final = (MutableSequence, MutableMapping, MutableSet)


def is_collection(value: object) -> bool:
    """Return whether a job can fill a value."""
    return isinstance(value, _CONTAINERS)
