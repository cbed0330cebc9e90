"""The classes whose instances a payload may build: enums and dataclasses.

A payload is data from outside. It never decides by itself which class is built: a class counts
only when the job's own annotations name it or the application registered it.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
import typing
from collections.abc import Callable, Mapping
from typing import TypeVar

from ...errors import DeclarationError
from .registry import name_of

C = TypeVar("C", bound=type)


#: The classes that the application registered, by name.
registered_types: dict[str, type] = {}


def argument_type(cls: C) -> C:
    """Let every job carry instances of this enum or dataclass: a class decorator.

    Not needed where the parameter's annotation names the class.

    Raises:
        DeclarationError: when it is neither an enum nor a dataclass.
    """
    # Under another name, so that type checkers return the class as it came.
    declared: type = cls
    if not (issubclass(declared, enum.Enum) or dataclasses.is_dataclass(declared)):
        raise DeclarationError(
            f"{cls.__qualname__} is neither an enum nor a dataclass, so a payload cannot carry it: "
            "pass its id, or declare it a record with `@reference(id=..., find=...)`."
        )
    _collect(cls, cls, registered_types)
    return cls


def annotated_types(function: Callable[..., object]) -> Mapping[str, type]:
    """Return the enums and dataclasses that a function's annotations name, by travelling name."""
    found: dict[str, type] = {}
    for parameter, annotation in annotations_of(function).items():
        if parameter != "return":
            _collect(annotation, function, found)
    return found


def annotations_of(owner: object) -> Mapping[str, object]:
    if sys.version_info >= (3, 14):
        import annotationlib

        # An annotation may name what is imported for type checkers only.
        return annotationlib.get_annotations(owner, format=annotationlib.Format.FORWARDREF)
    return getattr(owner, "__annotations__", {})


def _collect(annotation: object, owner: object, found: dict[str, type]) -> None:
    """Add the enums and dataclasses that an annotation names, and those that their fields name."""
    waiting = [(annotation, owner)]
    seen: list[object] = []
    while waiting:
        written, owner = waiting.pop()
        meant = _resolve(written, owner)
        if not isinstance(meant, type):
            # It may name itself, as `type Json = list[Json] | int` does.
            if not any(meant is each for each in seen):
                seen.append(meant)
                waiting += [(part, owner) for part in _parts(meant)]
        elif found.get(name_of(meant)) is meant:
            continue
        elif issubclass(meant, enum.Enum):
            found[name_of(meant)] = meant
        elif dataclasses.is_dataclass(meant):
            found[name_of(meant)] = meant
            for base in meant.__mro__:
                waiting += [(each, base) for each in annotations_of(base).values()]


def _parts(annotation: object) -> tuple[object, ...]:
    """Return the annotations that an annotation is made of, or that a name of another stands for."""
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:  # The texts of a literal are not annotations.
        return ()
    if origin is not None:
        arguments = typing.get_args(annotation)
        return arguments[:1] if origin is typing.Annotated else (origin, *arguments)
    names = ("__supertype__", "__value__")  # Of a `NewType`, and of a `type` statement.
    try:
        return tuple(getattr(annotation, name) for name in names if hasattr(annotation, name))
    except NameError:  # A `type` may name what is imported for type checkers only.
        return ()


def _resolve(annotation: object, owner: object) -> object:
    """Return the annotation that a text means; the text itself when its names cannot be found."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    namespace = getattr(owner, "__globals__", None)
    if namespace is None:
        namespace = vars(sys.modules.get(getattr(owner, "__module__", ""), None) or typing)
    for _ in range(2):  # Quoted by hand, and once more by `from __future__ import annotations`.
        if isinstance(annotation, str):
            try:
                annotation = eval(annotation, namespace)  # noqa: S307
            except Exception:
                return annotation
    return annotation
