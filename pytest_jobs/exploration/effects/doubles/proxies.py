"""What an application finds where a client of a service was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from ...engine.acts import note_look, skippable
from ...engine.lines import call_traced, untraced
from .operators import COMPUTING, SYMBOLS
from .receiver import Asked, Place, Receiver

#: Python looks for these in the class of an object only. They reach the object itself.
_PASSED_ON: Final = (
    *("__bool__", "__contains__", "__dir__", "__eq__", "__float__", "__format__", "__ge__"),
    *("__getitem__", "__gt__", "__hash__", "__int__", "__index__", "__instancecheck__", "__le__"),
    *("__len__", "__lt__", "__ne__", "__repr__", "__reversed__", "__str__", "__subclasscheck__"),
)
#: These change what a client has for a key: the same change again is not a second one.
_CHANGING: Final = ("__delitem__", "__setitem__")
#: What these return may be a client of its own.
_LEADING: Final = ("__aiter__", "__getitem__", "__iter__", "__next__")
#: What these return when they are awaited may be one.
_AWAITED: Final = ("__anext__", "__aenter__", "__aexit__")


class Proxy:
    """Stands in the place of a client, and passes its calls on to a receiver."""

    __slots__ = ("_pytest_jobs_place", "_pytest_jobs_receiver", "_pytest_jobs_target")
    _pytest_jobs_receiver: Receiver
    _pytest_jobs_place: Place
    _pytest_jobs_target: Any

    def __init__(self, receiver: Receiver, place: Place, target: object) -> None:
        # Attributes that the application sets go to the target.
        object.__setattr__(self, "_pytest_jobs_receiver", receiver)
        object.__setattr__(self, "_pytest_jobs_place", place)
        object.__setattr__(self, "_pytest_jobs_target", target)

    @untraced
    def __getattr__(self, name: str) -> Any:
        found = call_traced(getattr, self._pytest_jobs_target, name)
        if name.startswith("_"):
            note_look()
            return found
        place = self._pytest_jobs_place.attribute(name)
        given = self._pytest_jobs_receiver.found(place, found)
        if given is found:
            # Data, which an effect of another delivery may change.
            note_look()
        return given

    @untraced
    def __setattr__(self, name: str, value: object) -> None:
        place, target = self._pytest_jobs_place, self._pytest_jobs_target
        self._pytest_jobs_receiver.assigned(place, target, name, value)

    @untraced
    def __delattr__(self, name: str) -> None:
        place, target = self._pytest_jobs_place, self._pytest_jobs_target
        self._pytest_jobs_receiver.deleted(place, target, name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        target = self._pytest_jobs_target
        # A class or a function is copied by its name.
        return getattr(target, "__qualname__", None) or target.__reduce_ex__(protocol)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._pytest_jobs_target,)


class ProxyingReceiver(Receiver):
    """A receiver that makes the proxies for the clients of its service."""

    def proxy_of(self, place: Place, value: Any) -> Any:
        if isinstance(value, Proxy):
            return value
        return _proxy_class(type(value))(self, place, value)  # type: ignore[arg-type]


@lru_cache(maxsize=512)
def _proxy_class(kind: type) -> type[Proxy]:
    """Return a class of proxies that have the same special methods as the objects of a class."""
    members: dict[str, Any] = {"__slots__": (), "__class__": property(lambda self: kind)}
    for names, made in _MAKERS:
        members |= {name: made(name) for name in names if hasattr(kind, name)}
    # What defines its own equality and no hash has None there.
    if getattr(kind, "__hash__", None) is None:
        members["__hash__"] = None
    if hasattr(kind, "__await__"):
        members["__await__"] = _await
    if hasattr(kind, "__enter__"):
        members["__enter__"] = _enter
        members["__exit__"] = _exit
    if hasattr(kind, "__call__"):  # noqa: B004 - whether its objects can be called
        members["__call__"] = _call
    return type(f"ProxyOf{kind.__name__}", (Proxy,), members)


def _passed_on(name: str) -> Callable[..., Any]:
    def pass_on(self: Proxy, *args: Any) -> Any:
        note_look(changes=True)
        return _special(self._pytest_jobs_target, name)(*_targets(args))

    return pass_on


def _special(target: Any, name: str) -> Any:
    """Return a special method as Python looks it up: that of a class is one of its metaclass."""
    return (
        getattr(type(target), name).__get__(target)
        if isinstance(target, type)
        else getattr(target, name)
    )


def _targets(args: tuple[Any, ...]) -> Iterator[Any]:
    """Yield the arguments of an operator, clients in the place of their proxies."""
    return (arg._pytest_jobs_target if isinstance(arg, Proxy) else arg for arg in args)


def _changing(name: str) -> Callable[..., Any]:
    @untraced
    def change(self: Proxy, *args: Any) -> None:
        change_target = _special(self._pytest_jobs_target, name)
        place = self._pytest_jobs_place.attribute(name)
        self._pytest_jobs_receiver.changed(place, change_target, args)

    return change


def _operating(name: str) -> Callable[..., Any]:
    @untraced
    def operate(self: Proxy, *args: Any) -> Any:
        place, target = self._pytest_jobs_place, self._pytest_jobs_target
        operand = tuple(_targets(args))
        answer = self._pytest_jobs_receiver.operated(place, target, name, operand)
        return self if answer is target else answer

    return operate


def _leading(name: str) -> Callable[..., Any]:
    def lead(self: Proxy, *args: Any) -> Any:
        note_look()
        found = _special(self._pytest_jobs_target, name)(*_targets(args))
        if found is self._pytest_jobs_target:
            return self
        return self._pytest_jobs_receiver.found(self._pytest_jobs_place, found, returned=True)

    return lead


def _leading_when_awaited(name: str) -> Callable[..., Any]:
    async def lead(self: Proxy, *args: Any) -> Any:
        receiver = self._pytest_jobs_receiver
        target, place = self._pytest_jobs_target, self._pytest_jobs_place
        if name == "__aexit__":
            with skippable(), receiver.leaving(place, target, failed=args[0] is not None):
                return await target.__aexit__(*args)
            return None
        if name == "__aenter__":
            receiver.entered(place)
        found = await getattr(target, name)(*args)
        if found is target:
            return self
        if name == "__aenter__":
            receiver.note_block(target, found)
        return receiver.found(place, found, returned=True)

    return lead


#: Special methods, and the functions that make them for a proxy.
_MAKERS: Final = (
    (_PASSED_ON, _passed_on),
    (_CHANGING, _changing),
    (SYMBOLS, _operating),
    ((*COMPUTING, *_LEADING), _leading),
    (_AWAITED, _leading_when_awaited),
)


def _enter(self: Proxy) -> Any:
    receiver = self._pytest_jobs_receiver
    target, place = self._pytest_jobs_target, self._pytest_jobs_place
    receiver.entered(place)
    note_look()
    found = target.__enter__()
    if found is target:
        return self
    receiver.note_block(target, found)
    return receiver.found(place, found, returned=True)


def _exit(self: Proxy, *error: Any) -> Any:
    receiver = self._pytest_jobs_receiver
    target, place = self._pytest_jobs_target, self._pytest_jobs_place
    with skippable(), receiver.leaving(place, target, failed=error[0] is not None):
        return target.__exit__(*error)
    return None


def _await(self: Proxy) -> Any:
    found = yield from self._pytest_jobs_target.__await__()
    return self._pytest_jobs_receiver.found(self._pytest_jobs_place, found, returned=True)


@untraced
def _call(self: Proxy, /, *args: Any, **kwargs: Any) -> Any:
    asked = Asked(self._pytest_jobs_place, self._pytest_jobs_target, args, kwargs)
    return self._pytest_jobs_receiver.call(asked)
