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
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..errors import DeclarationError, RecordNotFoundError
from .registry import name_of

C = TypeVar("C", bound=type)


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """How a record is named in a payload, and found again."""

    cls: type
    identify: Callable[[Any], object]
    find: Callable[[Any], object]

    def find_record(self, identifier: object) -> object:
        """Look a record up.

        Raises:
            RecordNotFoundError: when there is none.
        """
        try:
            record = self.find(identifier)
        except LookupError as error:
            raise RecordNotFoundError(_not_found(self.cls, identifier)) from error
        if record is None:
            raise RecordNotFoundError(_not_found(self.cls, identifier))
        return record


class RecordReference:
    """A record as a payload names it: by class and id, not looked up.

    It equals the record that it names, whatever has become of that since.
    """

    __slots__ = ("_reference", "id")

    def __init__(self, reference: Reference, id: object) -> None:
        self._reference = reference
        #: The id of the record.
        self.id = id

    @property
    def cls(self) -> type:
        """The class of the record."""
        return self._reference.cls

    def find(self) -> object:
        """Look the record up.

        Raises:
            RecordNotFoundError: when it is gone.
        """
        return self._reference.find_record(self.id)

    def __eq__(self, other: object) -> bool:
        """Compare with a record, or with another reference, by class and id."""
        if isinstance(other, RecordReference):
            return self.cls is other.cls and self.id == other.id
        return isinstance(other, self.cls) and self._reference.identify(other) == self.id

    def __hash__(self) -> int:
        """Hash the class and the id."""
        return hash((self.cls, self.id))

    def __repr__(self) -> str:
        return f"<{self.cls.__qualname__} {self.id!r}>"


def _not_found(cls: type, identifier: object) -> str:
    return (
        f"The {cls.__qualname__} {identifier!r} does not exist any more: enqueue its job when it is committed, "
        "or drop such jobs with @discard_on(RecordNotFoundError)."
    )


class ArgumentTypes:
    """The registered classes of an application."""

    __slots__ = ("_classes", "_references", "_references_by_name")

    def __init__(self) -> None:
        self._classes: dict[str, type] = {}
        self._references: dict[type, Reference] = {}
        self._references_by_name: dict[str, Reference] = {}

    def add(self, cls: type) -> None:
        """Let payloads of every job carry instances of an enum or a dataclass."""
        if not (issubclass(cls, enum.Enum) or dataclasses.is_dataclass(cls)):
            raise DeclarationError(
                f"{cls.__qualname__} is neither an enum nor a dataclass, so a payload cannot carry it: "
                "pass its id, or declare it a record with `@reference(id=..., find=...)`."
            )
        _collect(cls, cls, self._classes)

    def add_reference(self, reference: Reference) -> None:
        """Let payloads refer to the records of a class."""
        self._references[reference.cls] = reference
        self._references_by_name[name_of(reference.cls)] = reference

    def reference_for(self, cls: type) -> Reference | None:
        """Return how records of this class, or of its nearest registered base, are named."""
        for base in cls.__mro__:
            if base in self._references:
                return self._references[base]
        return None

    def reference_named(self, name: str) -> Reference | None:
        """Return how records of the class of this name, the last that was registered, are found."""
        return self._references_by_name.get(name)

    def named(self, name: str) -> type | None:
        """Return the registered enum or dataclass of this name."""
        return self._classes.get(name)


#: The classes that the application registered.
argument_types = ArgumentTypes()


def with_references(value: Any) -> Any:
    """Return a value with every record in it replaced by a reference, as a payload would carry it."""
    kind = type(value)
    if kind is list or kind is tuple:
        return kind(with_references(item) for item in value)
    if kind is dict:
        return {key: with_references(item) for key, item in value.items()}
    found = argument_types.reference_for(kind)
    return value if found is None else RecordReference(found, found.identify(value))


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
    _collect_annotations(function, found)
    return found


def _collect_annotations(owner: object, found: dict[str, type]) -> None:
    for parameter, annotation in _annotations_of(owner).items():
        if parameter != "return":
            _collect(annotation, owner, found)


def _annotations_of(owner: object) -> Mapping[str, object]:
    if sys.version_info >= (3, 14):
        import annotationlib

        # An annotation may name what is imported for type checkers only.
        return annotationlib.get_annotations(owner, format=annotationlib.Format.FORWARDREF)
    return getattr(owner, "__annotations__", {})


def _collect(annotation: object, owner: object, found: dict[str, type]) -> None:
    annotation = _resolve(annotation, owner)
    for part in _parts(annotation):
        _collect(part, owner, found)
    if not isinstance(annotation, type) or found.get(name_of(annotation)) is annotation:
        return
    if issubclass(annotation, enum.Enum):
        found[name_of(annotation)] = annotation
    elif dataclasses.is_dataclass(annotation):
        found[name_of(annotation)] = annotation
        for base in annotation.__mro__:
            _collect_annotations(base, found)


def _parts(annotation: object) -> tuple[object, ...]:
    origin = typing.get_origin(annotation)
    if origin is None or origin is typing.Literal:  # The texts of a literal are no annotations.
        return ()
    arguments = typing.get_args(annotation)
    return arguments[:1] if origin is typing.Annotated else (origin, *arguments)


def _resolve(annotation: object, owner: object) -> object:
    """Return what an annotation that is text means, or the text when it cannot be told."""
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
