"""Ambient values, such as the tenant and the user of a request, that travel with its jobs."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeAlias, TypeVar, cast, overload

from ...errors import ContextError, DeclarationError, DeserializationError, SerializationError
from ..arguments.encoding import decode_value, encode_value
from ..arguments.records import Find, RecordReference
from ..arguments.types import _annotations_of, annotated_types
from ..foundation.payload import Payload
from ..foundation.registry import import_module_of, name_of

if TYPE_CHECKING:
    from ..arguments.found_records import FoundRecords


#: The values of each class. It is replaced as a whole, never changed: so a job can keep it.
Ambient: TypeAlias = Mapping[type["CurrentAttributes"], Mapping[str, Any]]

EMPTY: Final[Mapping[Any, Any]] = MappingProxyType({})

#: What is set in this context.
ambient: ContextVar[Ambient] = ContextVar("pytest_jobs_ambient", default=EMPTY)


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


T = TypeVar("T")

_MISSING: Final = object()
_MUTABLE: Final = (list, dict, set, bytearray)
_CLASS_LEVEL: Final = (classmethod, staticmethod, type)


class Attribute:
    """One declared attribute. It is read on the class, where it gives the current value."""

    __slots__ = ("carried", "default", "factory", "name")

    def __init__(
        self, default: object, factory: Callable[[], object] | None, *, carried: bool
    ) -> None:
        self.name = ""
        self.default = default
        self.factory = factory
        #: Whether jobs take the value with them.
        self.carried = carried

    def __get__(self, instance: object, owner: type[CurrentAttributes]) -> Any:
        """Return the current value."""
        values = ambient.get().get(owner, EMPTY)
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
def attribute(*, default: Any = _MISSING, factory: Any = None, carried: bool = True) -> Any:
    """Declare an attribute of `CurrentAttributes` of which there is more to say than its default.

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
    return Attribute(default, factory, carried=carried)


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
                raise ContextError(_unknown(cls, name))
        restore = _Restore(cls, ambient.get().get(cls))
        cls._assign(values)
        return restore

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
        """Override it for what is to be done while the values are still there.

        It runs in `reset`, and at the end of a job in whose context the class had values.
        """

    @classmethod
    def after_reset(cls) -> None:
        """Override it for what is to be done once they are gone; it runs where `before_reset` does."""

    @classmethod
    def attributes(cls) -> dict[str, Any]:
        """Return a copy of the values that are set; defaults that were never read are left out."""
        return dict(ambient.get().get(cls, EMPTY))

    @classmethod
    def carried_by(cls, job: HasHeaders) -> dict[str, Any]:
        """Return the values that a record or a payload carries; records in them stand for themselves.

        Raises:
            DeserializationError: when they cannot be read.
        """
        return dict(carried(job.headers, find=RecordReference).get(cls, EMPTY))

    @classmethod
    def _assign(cls, values: Mapping[str, Any]) -> None:
        state = ambient.get()
        ambient.set({**state, cls: {**state.get(cls, EMPTY), **values}})

    @classmethod
    def _argument_types(cls) -> Mapping[str, type]:
        if not cls._types:
            found: dict[str, type] = {}
            for base in reversed(cls.__mro__):
                found.update(annotated_types(base))
            cls._types.append(found)
        return cls._types[0]


class _Restore:
    """Puts the attributes of a class back to what they were, at the end of its `with` block."""

    __slots__ = ("_cls", "_values")

    def __init__(self, cls: type[CurrentAttributes], values: Mapping[str, object] | None) -> None:
        self._cls = cls
        self._values = values

    def __enter__(self) -> None:
        """The values are set already."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the former values back."""
        _put_back(self._cls, self._values)


def _unknown(cls: type[CurrentAttributes], name: str) -> str:
    known = ", ".join(cls._attributes) or "none"
    return f"{cls.__qualname__} has no attribute {name!r}, so it cannot be set; its attributes: {known}."


def _put_back(cls: type[CurrentAttributes], values: Mapping[str, object] | None) -> None:
    state: Ambient = {kind: held for kind, held in ambient.get().items() if kind is not cls}
    ambient.set(state if values is None else {**state, cls: values})


def _declared(cls: type) -> dict[str, Attribute]:
    """Return the attributes that the body of a class declares."""
    declared: dict[str, Attribute] = {}
    for name, annotation in _annotations_of(cls).items():
        if not _is_class_variable(annotation):
            declared[name] = _attribute_of(cls, name)
    for name, value in vars(cls).items():
        if not name.startswith("__") and name not in declared:
            _check_no_attribute(cls, name, value)
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


def _check_no_attribute(cls: type, name: str, value: object) -> None:
    if isinstance(value, _CLASS_LEVEL) or name in _annotations_of(cls):
        return
    if inspect.isfunction(value) or isinstance(value, property):
        raise DeclarationError(
            f"{cls.__qualname__}.{name} would need an instance, and there is none: declare it a @classmethod."
        )
    raise DeclarationError(
        f"{cls.__qualname__}.{name} = {_text(value)} is no attribute without an annotation: write "
        f"`{name}: SomeType = ...`, or `ClassVar[...]` for what is the same everywhere."
    )


def _text(value: object) -> str:
    return "attribute(...)" if isinstance(value, Attribute) else repr(value)


def _is_class_variable(annotation: object) -> bool:
    text = annotation if isinstance(annotation, str) else repr(annotation)
    return text.replace("typing.", "").startswith("ClassVar")
