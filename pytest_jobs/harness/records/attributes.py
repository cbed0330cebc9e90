"""Reading the types and attributes of objects of the program without asking the objects.

A lazy object of Django or Celery that is asked for its class or its attributes builds what it stands for, and a
proxy of Flask fails outside of a request.
"""

from __future__ import annotations

from collections.abc import Callable
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, Final

#: What makes the `__dict__` of a usual class; a proxy has a property or a descriptor of its own.
_GENUINE: Final = (GetSetDescriptorType, MemberDescriptorType)


#: Returns a number that no other object has, as `id` does, which raises an audit event each time: a check hears of
#: all of them.
identity: Final[Callable[[object], int]] = object.__hash__


def is_one_of(kinds: tuple[type, ...], value: object) -> bool:
    """Return whether a value has one of these types."""
    return issubclass(type(value), kinds)


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
