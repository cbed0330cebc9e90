"""The classes whose instances a payload may name: enums, dataclasses and records.

A payload is data from outside. It never decides by itself which class is built: a class counts
only when the job's own annotations name it or the application registered it.
"""

from __future__ import annotations

import dataclasses
import enum
import operator
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from ..errors import DeclarationError
from .registry import name_of

C = TypeVar("C", bound=type)


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """How a record is named in a payload, and found again."""

    cls: type
    identify: Callable[[Any], object]
    find: Callable[[Any], object]


class ArgumentTypes:
    """The registered classes of an application."""

    __slots__ = ("_classes", "_references")

    def __init__(self) -> None:
        self._classes: dict[str, type] = {}
        self._references: dict[type, Reference] = {}

    def add(self, cls: type) -> None:
        """Let payloads of every job carry instances of an enum or a dataclass."""
        if not (issubclass(cls, enum.Enum) or dataclasses.is_dataclass(cls)):
            raise DeclarationError(
                f"{cls.__qualname__} is neither an enum nor a dataclass, so a payload cannot carry it: "
                "pass its id, or declare it a record with `@reference(id=..., find=...)`."
            )
        _collect(cls, self._classes)

    def add_reference(self, reference: Reference) -> None:
        """Let payloads refer to the records of a class."""
        self._references[reference.cls] = reference

    def reference_for(self, cls: type) -> Reference | None:
        """Return how records of this class, or of its nearest registered base, are named."""
        for base in cls.__mro__:
            if base in self._references:
                return self._references[base]
        return None

    def reference_named(self, name: str) -> Reference | None:
        """Return how records of the class of this name are found."""
        return next((r for cls, r in self._references.items() if name_of(cls) == name), None)

    def named(self, name: str) -> type | None:
        """Return the registered enum or dataclass of this name."""
        return self._classes.get(name)


#: The classes that the application registered.
argument_types = ArgumentTypes()


def argument_type(cls: C) -> C:
    """Let every job carry instances of this enum or dataclass: a class decorator.

    Not needed where the parameter's annotation names the class.

    Raises:
        DeclarationError: when it is neither an enum nor a dataclass.
    """
    argument_types.add(cls)
    return cls


def reference(
    *, id: str | Callable[[Any], object], find: str | Callable[[Any], object]
) -> Callable[[C], C]:
    """Let jobs take records of this class, carried by id and looked up when the job runs.

    A class decorator; for a class that is not yours, call it: `reference(id="pk", find=get)(User)`.
    The semantics are those of ActiveJob's GlobalID.

    Args:
        id: the attribute that identifies a record, or a callable that takes a record.
        find: the name of a method of the class that takes the id, or a callable that does. A record
            that is gone is None or a LookupError; any other error means that it could not be looked up.
    """

    def register(cls: C) -> C:
        if isinstance(find, str) and not callable(getattr(cls, find, None)):
            raise DeclarationError(
                f"{cls.__qualname__} has no method {find!r}, which `reference(find={find!r})` names."
            )
        identify = operator.attrgetter(id) if isinstance(id, str) else id
        finder = getattr(cls, find) if isinstance(find, str) else find
        argument_types.add_reference(Reference(cls, identify, finder))
        return cls

    return register


def annotated_types(function: Callable[..., object]) -> Mapping[str, type]:
    """Return the enums and dataclasses that a function's annotations name, by travelling name."""
    found: dict[str, type] = {}
    for annotation in _annotations(function):
        _collect(annotation, found)
    return found


def _annotations(owner: object) -> Iterator[object]:
    for parameter, annotation in getattr(owner, "__annotations__", {}).items():
        if parameter != "return":
            resolved = _resolve(annotation, owner)
            if resolved is not None:
                yield resolved


def _resolve(annotation: object, owner: object) -> object | None:
    """Return the annotation itself; one that cannot be resolved names no class."""
    if not isinstance(annotation, str):
        return annotation
    namespace = getattr(owner, "__globals__", None)
    if namespace is None:
        namespace = vars(sys.modules.get(getattr(owner, "__module__", ""), None) or typing)
    try:
        return typing.cast(object, eval(annotation, namespace))  # noqa: S307
    except Exception:
        return None


def _collect(annotation: object, found: dict[str, type]) -> None:
    for part in typing.get_args(annotation):
        _collect(part, found)
    if not isinstance(annotation, type) or found.get(name_of(annotation)) is annotation:
        return
    if issubclass(annotation, enum.Enum):
        found[name_of(annotation)] = annotation
    elif dataclasses.is_dataclass(annotation):
        found[name_of(annotation)] = annotation
        for field in _annotations(annotation):
            _collect(field, found)
