"""Current attributes, such as the tenant and the user of a request, that travel with jobs."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final, Protocol, TypeAlias, TypeVar, cast, overload

from ...errors import ContextError, DeclarationError, DeserializationError, SerializationError
from ..arguments.encoding import decode_value, encode_value, look_up_records
from ..arguments.records import RecordReference, UnitOfWork
from ..foundation.payload import CONTEXT, Payload
from ..foundation.registry import import_module_of, name_of
from ..foundation.settings import Restore
from ..foundation.types import annotated_types, annotations_of
from ..foundation.vocabulary import in_our_words

#: The values of each class. It is replaced as a whole, never changed: so a job can keep it.
CurrentValues: TypeAlias = Mapping[type["CurrentAttributes"], Mapping[str, Any]]

EMPTY: Final[Mapping[Any, Any]] = MappingProxyType({})

#: The values that are set in this thread or task.
current_values: ContextVar[CurrentValues] = ContextVar("pytest_jobs_current_values", default=EMPTY)


class CurrentClasses:
    """The classes of current attributes of the process, by name. It does not keep them alive."""

    __slots__ = ("_by_name", "any")

    def __init__(self) -> None:
        self._by_name: weakref.WeakValueDictionary[str, type[CurrentAttributes]] = (
            weakref.WeakValueDictionary()
        )
        #: Whether one was ever declared: without any, jobs spend no time on them.
        self.any = False

    def add(self, cls: type[CurrentAttributes]) -> None:
        """Remember a class; of two with the same name the last one counts."""
        self._by_name[name_of(cls)] = cls
        self.any = True

    def find(self, name: str) -> type[CurrentAttributes]:
        """Return the class of this name, importing its module if need be.

        Raises:
            DeserializationError: when there is none.
        """
        if name not in self._by_name:
            import_module_of(name)
        found = self._by_name.get(name)
        if found is None:
            raise DeserializationError(
                f"The payload carries values of {name}, and no current attributes have that name. They were moved "
                "or renamed while the job was waiting: keep the old name as an alias until its jobs are done."
            )
        return found


#: Where every class of current attributes is found.
current_classes = CurrentClasses()


# Around a delivery

#: The payload that is being performed; None where the delivery has no context of its own.
performed: ContextVar[Payload | None] = ContextVar("pytest_jobs_performed", default=None)

#: What `enter` replaced.
Before: TypeAlias = tuple[Token[CurrentValues], "Token[Payload | None]"]


def enter(payload: Payload) -> Before:
    """Begin a delivery without current attributes, whatever the worker has set."""
    return current_values.set(EMPTY), performed.set(payload)


def leave(before: Before) -> None:
    """End a delivery: reset the current attributes that it left, and bring back those of the worker."""
    try:
        with ExitStack() as stack:
            for cls in current_values.get():
                stack.callback(cls.reset)
    finally:
        # A coroutine that is thrown away ends in the context of whoever throws it away.
        with suppress(ValueError):
            current_values.reset(before[0])
            performed.reset(before[1])


# In a payload


def headers_of(values: CurrentValues) -> dict[str, object] | None:
    """Return the headers of a payload that carries these values; None when there is nothing to carry.

    Raises:
        SerializationError: names the attribute whose value cannot be written.
    """
    written: dict[str, dict[str, object]] = {}
    for cls, by_name in values.items():
        for name, value in by_name.items():
            if not cls._attributes[name].carried:
                continue
            try:
                data = encode_value(value, f"{cls.__qualname__}.{name}", cls._argument_types)
            except SerializationError as error:
                raise SerializationError(
                    f"{error} Jobs carry the current attributes that are set where they are made; declare it with "
                    "`attribute(carried=False)` if they do not need this one."
                ) from None
            written.setdefault(name_of(cls), {})[name] = data
    return {CONTEXT: written} if written else None


async def restore(headers: Mapping[str, object] | None, unit: UnitOfWork) -> CurrentValues:
    """Set the values that a payload carries, one after the other, and return them.

    To find a record, the application may need a value that stands before it, such as the tenant.

    Raises:
        DeserializationError: when a value cannot be read.
        RecordNotFoundError: when it is a record that is gone.
        RecordUnavailableError: when it is a record that could not be looked up.
    """
    found: dict[Any, dict[str, Any]] = {}
    for cls, name, data in _written_in(headers):
        await look_up_records(data, cls._argument_types, unit)
        value = decode_value(data, cls._argument_types, find=unit.find)
        found.setdefault(cls, {})[name] = value
        cls._assign({name: value})
    return found


def carried(headers: Mapping[str, object] | None) -> CurrentValues:
    """Return the values that a payload carries, records as `RecordReference`."""
    found: dict[Any, dict[str, Any]] = {}
    for cls, name, data in _written_in(headers):
        value = decode_value(data, cls._argument_types, find=RecordReference)
        found.setdefault(cls, {})[name] = value
    return found


def _written_in(headers: Mapping[str, object] | None) -> Iterator[tuple[Any, str, Any]]:
    """Yield class, name and written value of each attribute, unless its class has dropped it meanwhile."""
    context: Any = (headers or EMPTY).get(CONTEXT, EMPTY)
    for class_name, values in context.items():
        cls = current_classes.find(class_name)
        for name, data in values.items():
            if name in cls._attributes:
                yield cls, name, data


def described(headers: Mapping[str, object] | None) -> str:
    """Return the values that a payload carries as text, `Current(account=<Account 1>)`."""
    if not headers or CONTEXT not in headers:
        return ""
    try:
        values = carried(headers)
    except DeserializationError as error:
        return f"unreadable: {type(error).__name__}"
    return ", ".join(
        f"{cls.__name__}({', '.join(f'{name}={value!r}' for name, value in by_name.items())})"
        for cls, by_name in values.items()
    )


# Declaring and using them

T = TypeVar("T")

_MISSING: Final = object()
_MUTABLE: Final = (list, dict, set, bytearray)
_CLASS_LEVEL: Final = (classmethod, staticmethod, type)


@dataclass(slots=True, eq=False)
class Attribute:
    """One declared attribute. It is read on the class, where it gives the current value."""

    default: object
    factory: Callable[[], object] | None
    #: Whether jobs take the value with them.
    carried: bool
    name: str = ""

    def __get__(self, instance: object, owner: type[CurrentAttributes]) -> Any:
        values = current_values.get().get(owner, EMPTY)
        if self.name in values:
            return values[self.name]
        if self.factory is not None:
            value = self.factory()
            owner._assign({self.name: value})
            return value
        if self.default is _MISSING:
            raise ContextError(
                f"{owner.__qualname__}.{self.name} has no value here, and is declared without a default: set it "
                f"with `with {owner.__qualname__}.set({self.name}=...):`, or declare what it is otherwise."
            )
        return self.default


@overload
def attribute(*, default: T, carried: bool = True) -> T: ...
@overload
def attribute(*, factory: Callable[[], T], carried: bool = True) -> T: ...
@overload
def attribute(*, carried: bool = True) -> Any: ...
@in_our_words(DeclarationError, by_position="default")
def attribute(*, default: Any = _MISSING, factory: Any = None, carried: bool = True) -> Any:
    """Declare an attribute of `CurrentAttributes` that needs more than a default.

    Args:
        default: the value where none was set.
        factory: makes that value when it is first read, anew for each context.
        carried: whether jobs take the value with them; False for what lives in this process only.

    Raises:
        DeclarationError: when both a default and a factory are given, or one that cannot be meant.
    """
    if factory is not None and not callable(factory):
        raise DeclarationError(
            f"attribute(factory={factory!r}) makes nothing: write a callable, as in factory=list, or default=."
        )
    if type(carried) is not bool:
        raise DeclarationError(f"attribute(carried={carried!r}) is neither True nor False.")
    if default is not _MISSING and factory is not None:
        raise DeclarationError(
            f"attribute(default={default!r}, factory=...) says twice what the value is: give one of them."
        )
    return Attribute(default, factory, carried)


class _CurrentType(type):
    """Lets attributes be assigned on the class, and nothing else."""

    def __setattr__(cls, name: str, value: object) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)
        else:
            cast("type[CurrentAttributes]", cls).set(**{name: value})

    def __delattr__(cls, name: str) -> None:
        raise ContextError(
            f"{cls.__qualname__}.{name} cannot be deleted: {cls.__qualname__}.reset() takes every value back."
        )


class HasHeaders(Protocol):
    """A record or a payload."""

    @property
    def headers(self) -> Mapping[str, object] | None:
        """What travels beside the arguments."""
        ...


class CurrentAttributes(metaclass=_CurrentType):
    """Derive from it, and annotate the attributes: `account: Account | None = None`.

    They are read and assigned on the class, as in `Current.account`, and each thread and task has
    values of its own. A job takes with it what is set when it is made, and sees it when it runs. An
    attribute without a default raises `ContextError` where it has no value. The semantics are those
    of ActiveSupport's `CurrentAttributes`; what jobs do with them is Sidekiq's.
    """

    _attributes: ClassVar[Mapping[str, Attribute]] = {}
    _types: ClassVar[list[Mapping[str, type]]] = []

    def __init__(self) -> None:
        name = type(self).__qualname__
        raise ContextError(f"{name}() makes no sense: {name} is used as the class that it is.")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        declared = _declared(cls)
        for name, found in declared.items():
            type.__setattr__(cls, name, found)
        type.__setattr__(cls, "_attributes", {**cls._attributes, **declared})
        type.__setattr__(cls, "_types", [])
        current_classes.add(cls)

    @classmethod
    def set(cls, /, **values: Any) -> AbstractContextManager[None]:
        """Set several attributes; as a context manager, for a block.

        Returns:
            A context manager at whose end every attribute of the class is what it was before, also
            after an error. It need not be entered.

        Raises:
            ContextError: when an attribute is not declared.
        """
        for name in values:
            if name not in cls._attributes:
                known = ", ".join(cls._attributes) or "none"
                raise ContextError(
                    f"{cls.__qualname__} has no attribute {name!r}, so it cannot be set; its attributes: {known}."
                )
        before = current_values.get().get(cls)
        cls._assign(values)
        return Restore(lambda: _put_back(cls, before))

    @classmethod
    def reset(cls) -> None:
        """Take every value back, between `before_reset` and `after_reset`."""
        try:
            cls.before_reset()
        finally:
            _put_back(cls, None)
        cls.after_reset()

    @classmethod
    def before_reset(cls) -> None:
        """Override it to do something while the values are still there.

        It runs in `reset`, and at the end of a job in whose context the class had values.
        """

    @classmethod
    def after_reset(cls) -> None:
        """Override it to do something once they are gone; it runs where `before_reset` does."""

    @classmethod
    def attributes(cls) -> dict[str, Any]:
        """Return a copy of the values that are set; defaults that were never read are left out."""
        return dict(current_values.get().get(cls, EMPTY))

    @classmethod
    def carried_by(cls, job: HasHeaders) -> dict[str, Any]:
        """Return the values that a record or a payload carries, with records as references.

        Raises:
            DeserializationError: when they cannot be read.
        """
        return dict(carried(job.headers).get(cls, EMPTY))

    @classmethod
    def _assign(cls, values: Mapping[str, Any]) -> None:
        state = current_values.get()
        current_values.set({**state, cls: {**state.get(cls, EMPTY), **values}})

    @classmethod
    def _argument_types(cls) -> Mapping[str, type]:
        if not cls._types:
            found: dict[str, type] = {}
            for base in reversed(cls.__mro__):
                found.update(annotated_types(base))
            cls._types.append(found)
        return cls._types[0]


def _put_back(cls: type[CurrentAttributes], values: Mapping[str, object] | None) -> None:
    state: CurrentValues = {
        other: of_other for other, of_other in current_values.get().items() if other is not cls
    }
    current_values.set(state if values is None else {**state, cls: values})


def _declared(cls: type) -> dict[str, Attribute]:
    declared: dict[str, Attribute] = {}
    annotations = annotations_of(cls)
    for name, annotation in annotations.items():
        text = annotation if isinstance(annotation, str) else repr(annotation)
        if not text.replace("typing.", "").startswith("ClassVar"):
            declared[name] = _attribute_of(cls, name)
    for name, value in vars(cls).items():
        if name.startswith("__") or name in annotations or isinstance(value, _CLASS_LEVEL):
            continue
        if inspect.isfunction(value) or isinstance(value, property):
            raise DeclarationError(
                f"{cls.__qualname__}.{name} would need an instance, and there is none: declare it a @classmethod."
            )
        text = "attribute(...)" if isinstance(value, Attribute) else repr(value)
        raise DeclarationError(
            f"{cls.__qualname__}.{name} = {text} is not an attribute without an annotation: write "
            f"`{name}: SomeType = ...`, or `ClassVar[...]` for what is the same everywhere."
        )
    return declared


def _attribute_of(cls: type, name: str) -> Attribute:
    if hasattr(CurrentAttributes, name):
        raise DeclarationError(
            f"{cls.__qualname__}.{name} is declared as an attribute, and {name!r} means something else for every "
            "class of current attributes: take another name."
        )
    value = vars(cls).get(name, _MISSING)
    found = value if isinstance(value, Attribute) else Attribute(value, None, carried=True)
    if isinstance(found.default, _MUTABLE):
        raise DeclarationError(
            f"{cls.__qualname__}.{name} has the default {found.default!r}, which all contexts would share: write "
            f"`attribute(factory={type(found.default).__name__})`, or a callable that makes it."
        )
    found.name = name
    return found
