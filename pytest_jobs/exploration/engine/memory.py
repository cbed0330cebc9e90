"""The memory that deliveries share: what a new process does not get anew, and what stands in for servers."""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Any, Final, TypeAlias

from ...harness.records.attributes import identity
from .ending.synchronisers import Namespace
from .processes import LOCKS, GlobalName, is_held

_SCALARS: Final = (type(None), bool, int, float, complex, str, bytes)
_CONTAINERS: Final = (dict, list, tuple, set, frozenset, deque, bytearray)
_FUNCTIONS: Final = (
    types.FunctionType,
    types.MethodType,
    partial,
    staticmethod,
    classmethod,
    property,
)
#: Locks of other modules may ask a server whether they are held.
_WITH_LOCKS: Final = frozenset(("_thread", "threading", "asyncio.locks"))
#: Where the classes of the stores of bridges are, which stand in for servers.
_OF_SERVERS: Final = ("pytest_jobs.bridges.", "pytest_jobs.core.", "fakeredis.")
#: Looking at more values takes longer than what it saves.
_MOST: Final = 5_000

#: Equal for equal content.
Content: TypeAlias = "list[object]"


class SharedMemory:
    """Tells whether objects that two deliveries share have changed.

    Two deliveries of a history are two processes, and share nothing but what the world has made. Worlds put
    objects of test modules in place, so that a job may change them without an effect source or the state of the
    world showing it. Objects of libraries are known by their identity only: their changes are effects.
    """

    def __init__(
        self,
        modules: Iterable[Namespace],
        kept: Collection[GlobalName],
        body: Callable[..., object],
        is_own: Callable[[type], bool],
        served: Callable[[], Iterable[object]] = tuple,
    ) -> None:
        """Look at nothing yet.

        Args:
            modules: the modules of the traced code.
            kept: their globals that belong to the world. Others are fresh in each process, but not the objects
                in them.
            body: the function of the job.
            is_own: returns whether a class belongs to the project.
            served: returns what the servers of job libraries would keep. A lock that a library takes before it
                enqueues is no effect of its own, and keeps the next delivery out.
        """
        self._modules = tuple(modules)
        self._kept = frozenset(kept)
        self._body = body
        self._is_own = is_own
        self._served = served
        self._own: dict[type, bool] = {}

    def content(self) -> Content | None:
        """Return what is there now; None if it is more than can be looked at again and again."""
        found: Content = []
        seen: set[int] = set()
        waiting: list[Any] = [self._body, *self._served()]
        for module in self._modules:
            for name, value in list(vars(module).items()):
                if name.startswith("__"):
                    continue
                kind = type(value)
                if kind is types.FunctionType and _holds_nothing(value):
                    found.append(identity(value))
                elif (module.__name__, name) in self._kept:
                    waiting.append(value)
                elif kind not in _CONTAINERS:
                    waiting += () if kind in _SCALARS else (value,)
                else:
                    # A new process has another one of these, with the same objects in it.
                    seen.add(identity(value))
                    waiting.extend(one for one in _members(value) if type(one) not in _SCALARS)
        while waiting:
            value = waiting.pop()
            kind = type(value)
            if kind in _SCALARS:
                found.append(value)
                continue
            if identity(value) in seen:
                continue
            seen.add(identity(value))
            found.append(identity(value))
            inner = list(self._within(value, kind))
            found.append(len(inner))
            waiting += inner
            if len(found) > _MOST:
                return None
        return found

    def _within(self, value: Any, kind: type) -> Iterator[Any]:
        """Yield the values of which an object consists."""
        if issubclass(kind, _CONTAINERS):
            yield from _members(value)
        if issubclass(kind, _FUNCTIONS):
            yield from _within_function(value)
        # By its type: a lazy object of Django would build what it stands for to say its class.
        elif issubclass(kind, type):
            if self._belongs(value):
                yield from (one for name, one in vars(value).items() if not name.startswith("__"))
        elif kind.__module__ in _WITH_LOCKS:
            if kind in LOCKS:
                yield is_held(value)
            elif callable(getattr(kind, "locked", None)):
                yield value.locked()
        elif self._belongs(kind):
            yield from list(getattr(value, "__dict__", {}).values())
            for base in kind.__mro__:
                slots = vars(base).get("__slots__", ())
                for slot in (slots,) if isinstance(slots, str) else slots:
                    yield getattr(value, slot, None)

    def _belongs(self, kind: type) -> bool:
        known = self._own.get(kind)
        if known is None:
            known = self._is_own(kind) or kind.__module__.startswith(_OF_SERVERS)
            self._own[kind] = known
        return known


def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [one for pair in list(value.items()) for one in pair]
    if isinstance(value, set | frozenset):
        return sorted(value, key=_order)
    return list(value)


def _order(member: object) -> tuple[str, str]:
    """Return by what the members of a set are put into an order that repeats within one process."""
    return type(member).__name__, repr(member) if type(member) in _SCALARS else str(
        identity(member)
    )


def _holds_nothing(function: types.FunctionType) -> bool:
    """Return whether nothing can be kept in a function, as in most."""
    return not (
        function.__closure__
        or function.__defaults__
        or function.__kwdefaults__
        or function.__dict__
    )


def _within_function(value: Any) -> Iterator[Any]:
    if isinstance(value, types.FunctionType):
        for cell in value.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:
                continue
        yield from value.__defaults__ or ()
        yield from (value.__kwdefaults__ or {}).values()
        yield from vars(value).values()
    elif isinstance(value, partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif isinstance(value, property):
        yield value.fget
    else:
        yield value.__func__
        yield getattr(value, "__self__", None)
