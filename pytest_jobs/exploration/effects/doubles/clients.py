"""Clients of services, which have methods, and data, which is only looked at."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import sys
import types
from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
from enum import Enum
from typing import Any, Final, TypeAlias

from ....errors import ExplorationError
from .operators import SYMBOLS

#: The parameter that carries an idempotency key, for all methods or by the names of methods.
Keys: TypeAlias = str | Mapping[str, str] | None

_FUNCTIONS: Final = (
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    functools.partial,
)
#: They have methods, and are values none the less.
_DATA: Final = (str, bytes, Mapping, Sequence, AbstractSet, BaseException, Enum)
#: By these attributes the classes of data of libraries can be recognised: attrs, pydantic, SQLAlchemy and Django.
_MARKS_OF_DATA: Final = (
    "__attrs_attrs__",
    "model_fields",
    "__pydantic_fields__",
    "__mapper__",
    "_meta",
)
#: So deep is a client looked into for others.
_DEPTH: Final = 4
_CONTEXTS: Final = ("__enter__", "__aenter__")
#: Classes of the standard library whose objects lead to clients.
_LEADING: Final = (
    types.SimpleNamespace,
    contextlib.AbstractContextManager,
    contextlib.AbstractAsyncContextManager,
)


def is_function(value: object) -> bool:
    return isinstance(value, _FUNCTIONS)


def is_client(value: Any, *, returned: bool, depth: int = _DEPTH) -> bool:
    """Return whether a value has methods that reach a service, so that their calls have to be seen.

    Args:
        value: an attribute of a client, or what one of its methods returned.
        returned: whether it was returned. A model with methods that is returned is data.
        depth: how far to look for other clients in it.
    """
    if isinstance(value, type):
        return not (_is_class_of_data(value) or dataclasses.is_dataclass(value))
    if is_function(value) or isinstance(value, types.ModuleType):
        return True
    kind = type(value)
    if _is_class_of_data(kind) or (returned and dataclasses.is_dataclass(kind)):
        return False
    if kind.__module__.partition(".")[0] in sys.stdlib_module_names:
        return isinstance(value, _LEADING) or hasattr(kind, "mock_calls")
    return (
        hasattr(kind, "__getattr__")
        or any(hasattr(kind, name) for name in (*_CONTEXTS, *SYMBOLS))
        or any(_is_method(kind, name) for name in dir(kind))
        or any(map(callable, getattr(value, "__dict__", {}).values()))
        # A client may have nothing but other clients.
        or (
            depth > 0
            and any(
                is_client(part, returned=True, depth=depth - 1)
                for name, part in getattr(value, "__dict__", {}).items()
                if not name.startswith("_")
            )
        )
    )


def _is_class_of_data(kind: type) -> bool:
    return issubclass(kind, _DATA) or any(hasattr(kind, mark) for mark in _MARKS_OF_DATA)


def _is_method(kind: type, name: str) -> bool:
    if name.startswith("_") and name != "__call__":
        return False
    # A mock in the place of a property counts each look at it.
    found = inspect.getattr_static(kind, name, None)
    is_value = hasattr(type(found), "__set__")
    return not is_value and (callable(found) or isinstance(found, classmethod))


def owner_of(owner: Any, attribute: str) -> tuple[Any, str]:
    """Return the object that has an attribute, which may be one of an attribute: `messages.sender`."""
    *way, last = attribute.split(".")
    for step in way:
        if not hasattr(owner, step):
            break
        owner = getattr(owner, step)
    else:
        return owner, last
    return owner, attribute


def check_keys(value: Any, keys: Keys) -> None:
    """Check that a client has a method which takes each idempotency key.

    Raises:
        ExplorationError: when none does.
    """
    parameters = keys.values() if isinstance(keys, Mapping) else () if keys is None else (keys,)
    for parameter in parameters:
        if not any(_takes(function, parameter) for function in _functions_near(value)):
            where = f"{value.__qualname__}()" if is_function(value) else f"No method of {value!r}"
            verb = "has no parameter" if is_function(value) else "has a parameter"
            raise ExplorationError(
                f"{where} {verb} {parameter!r}, so no call has a key: name the parameter that carries it."
            )


def _functions_near(value: Any) -> Iterator[Any]:
    """Yield the methods of a client, and of what it may lead to, which is most often defined beside it."""
    yield from _functions_of(value, _DEPTH)
    home = str(getattr(value, "__module__", None) or type(value).__module__)
    for neighbour in list(vars(sys.modules.get(home, object)).values()):
        is_near = isinstance(neighbour, type) and neighbour.__module__ == home
        if is_near and is_client(neighbour, returned=False):
            yield from _functions_of(neighbour, 0)


def _takes(function: Any, parameter: str) -> bool:
    if hasattr(type(function), "mock_calls"):
        return True
    if type(function) is types.FunctionType and not vars(function):
        # Each world asks anew, and `inspect.signature` takes as long as a short job. A function without
        # attributes has no other signature than its code.
        code = function.__code__
        named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        return parameter in named or bool(code.co_flags & inspect.CO_VARKEYWORDS)
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        # A function in C, which may take anything.
        return True
    return parameter in parameters or any(
        each.kind is each.VAR_KEYWORD for each in parameters.values()
    )


def _functions_of(value: Any, depth: int) -> Iterator[Any]:
    kind = value if isinstance(value, type) else type(value)
    if is_function(value) or hasattr(kind, "mock_calls") or hasattr(kind, "__getattr__"):
        yield value if is_function(value) or hasattr(kind, "mock_calls") else _anything
        return
    held = vars(value) if hasattr(value, "__dict__") else {}
    names = [*held] if isinstance(value, types.ModuleType) else {*dir(kind), *held}
    for name in names:
        if name.startswith("_") and name != "__call__":
            continue
        found = inspect.getattr_static(value, name, None)
        found = getattr(found, "__func__", found)
        if is_function(found):
            yield found
        elif depth > 0 and is_client(found, returned=False):
            yield from _functions_of(found, depth - 1)


def _anything(**kwargs: object) -> None:
    """Stand for the methods of a client that makes them when they are asked for."""
