"""Operators and assignments: what they do to a client, and how a report writes them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Set as AbstractSet
from types import MemberDescriptorType, ModuleType
from typing import Any, Final

from ...engine.acts import Act
from .arguments import comparable, text_of

#: These put something into a client, or send something to it: `queue += [order]`, `stream << order`.
SYMBOLS: Final[Mapping[str, str]] = {
    "__iadd__": "+=",
    "__iand__": "&=",
    "__ifloordiv__": "//=",
    "__ilshift__": "<<=",
    "__imatmul__": "@=",
    "__imod__": "%=",
    "__imul__": "*=",
    "__ior__": "|=",
    "__ipow__": "**=",
    "__irshift__": ">>=",
    "__isub__": "-=",
    "__itruediv__": "/=",
    "__ixor__": "^=",
    "__lshift__": "<<",
    "__rshift__": ">>",
}
#: These make something new of a client, and change nothing.
COMPUTING: Final = (
    *("__abs__", "__add__", "__and__", "__divmod__", "__floordiv__", "__invert__", "__matmul__"),
    *("__mod__", "__mul__", "__neg__", "__or__", "__pos__", "__pow__", "__radd__", "__rand__"),
    *("__rdivmod__", "__rfloordiv__", "__rlshift__", "__rmatmul__", "__rmod__", "__rmul__"),
    *("__ror__", "__round__", "__rpow__", "__rrshift__", "__rsub__", "__rtruediv__", "__rxor__"),
    *("__sub__", "__truediv__", "__xor__"),
)
#: Doing one of these again changes nothing more.
_REPEATABLE: Final = frozenset(("__iand__", "__ior__"))
#: Classes that set an attribute as Python does it by itself.
_PLAIN: Final = (object, type, ModuleType)


def is_repeatable(operator: str, target: object = None) -> bool:
    """Return whether an operator changes nothing more if it is done again: `bucket |= {key}`."""
    return operator in _REPEATABLE or (operator == "__isub__" and isinstance(target, AbstractSet))


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


def operating(
    owner: str,
    symbol: str,
    args: tuple[Any, ...],
    *,
    path: str = "",
    through: tuple[Any, ...] = (),
    counts: bool = True,
    is_put: bool,
) -> Act:
    """Return the effect of an operator.

    Args:
        owner: the name of the service.
        symbol: how the operator is written.
        args: its operand.
        path: where in the service the client is.
        through: the arguments of the calls on the way there.
        counts: whether the effects of the service are compared.
        is_put: whether doing it again changes nothing more.
    """
    name = f"{path} {symbol}".lstrip()
    value = comparable((name, *through, *args))
    return Act(
        owner,
        f"{name} {_shown(args)}",
        counts=counts,
        value=value if counts else None,
        key=repr(value) if is_put else None,
    )


def setting(
    owner: str,
    path: str,
    value: tuple[Any, ...],
    *,
    through: tuple[Any, ...] = (),
    counts: bool = True,
) -> Act:
    """Return the effect of setting an attribute, or of deleting it.

    Args:
        owner: the name of the service.
        path: where in the service the attribute is.
        value: its new value; nothing if it is deleted.
        through: the arguments of the calls on the way there.
        counts: whether the effects of the service are compared.
    """
    name = path if value else f"del {path}"
    return Act(
        owner,
        f"{path} = {_shown(value)}" if value else name,
        counts=counts,
        value=comparable((name, *through, *value)) if counts else None,
        slot=(path, comparable(through)),
    )


def _shown(args: tuple[Any, ...]) -> str:
    return text_of("", args, {})[1:-1]
