"""Reading the types and attributes of objects of the program without asking the objects.

A lazy object of Django or Celery that is asked for its class or its attributes builds what it stands for, and a
proxy of Flask fails outside of a request.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Set as AbstractSet
from contextlib import suppress
from types import CodeType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any, Final

#: What makes the `__dict__` of a usual class; a proxy has a property or a descriptor of its own.
_GENUINE: Final = (GetSetDescriptorType, MemberDescriptorType)


#: Returns a number that no other object has, as `id` does, which raises an audit event each time: a check hears of
#: all of them.
identity: Final[Callable[[object], int]] = object.__hash__


def is_one_of(kinds: tuple[type, ...], value: object) -> bool:
    return issubclass(type(value), kinds)


def without_partials(function: Any) -> Any:
    """Return the function that partials of it call in the end."""
    while is_one_of((functools.partial,), function):
        function = function.func
    return function


def attributes_of(owner: object) -> dict[Any, Any]:
    """Return what an object, a class or a module has of its own, not a copy; nothing for a proxy.

    What a class has is a view that cannot be written to.
    """
    for kind in type(owner).__mro__:
        names = vars(kind).get("__dict__")
        if names is not None:
            found: dict[Any, Any] = names.__get__(owner) if is_one_of(_GENUINE, names) else {}
            return found
    return {}


def names_of(wanted: AbstractSet[int], names: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """Return the names under which a namespace has some objects, with the objects.

    A module may have a thousand values. Most modules have none of the objects, and are ruled out without a line of
    Python for each value.

    Args:
        wanted: the identities of the objects.
        names: the namespace.
    """
    if wanted.isdisjoint(map(identity, names.values())):
        return []
    return [(name, value) for name, value in list(names.items()) if identity(value) in wanted]


def derived_from(base: type) -> list[type]:
    """Return the classes that derive from a class, each once."""
    found = [base]
    for kind in found:
        # By `type`, since a class may be a metaclass itself.
        found.extend(type.__subclasses__(kind))
    return list(dict.fromkeys(found))[1:]


def enclosing_variables(function: object) -> dict[str, Any]:
    """Return the variables of enclosing functions that a function uses, without those that have no value yet."""
    code = getattr(function, "__code__", None)
    names = code.co_freevars if type(code) is CodeType else ()
    found: dict[str, Any] = {}
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=False):
        with suppress(ValueError):
            found[name] = cell.cell_contents
    return found


def variables_of_modules(
    is_wanted: Callable[[type], bool],
) -> Iterator[tuple[str, ModuleType, str, Any]]:
    """Yield the variables of all imported modules that have a type, each with its module and the name of that.

    Args:
        is_wanted: returns whether a type is one of these. It is asked once about each: a process has a hundred
            thousand variables, and they have a few types.
    """
    known: dict[type, bool] = {}
    # Copies, since a module may be imported meanwhile by another thread.
    for module_name, module in list(sys.modules.items()):
        if not issubclass(type(module), ModuleType):
            continue
        # Neither way asks a lazy module or object for an attribute, which would load it.
        variables = ModuleType.__getattribute__(module, "__dict__")
        for name, value in list(variables.items()):
            kind = type(value)
            if kind not in known:
                known[kind] = is_wanted(kind)
            if known[kind]:
                yield module_name, module, name, value
