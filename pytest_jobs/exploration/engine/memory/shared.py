"""The memory that deliveries share: what a new process does not get anew, and what stands in for servers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from types import FunctionType, MemberDescriptorType, MethodType
from typing import Any, Final, TypeAlias

from ....harness.records.attributes import attributes_of, identity
from .locks import is_held
from .places import CONSTANTS, CONTAINERS, LOCKS, Namespace, holds_nothing, slots_of, within
from .processes import Spot

_CONTAINERS: Final = (*CONTAINERS, tuple, frozenset)
_FUNCTIONS: Final = (
    FunctionType,
    MethodType,
    functools.partial,
    staticmethod,
    classmethod,
    property,
)
#: Locks of other modules may ask a server whether they are held.
_WITH_LOCKS: Final = frozenset(("_thread", "threading", "asyncio.locks"))
#: Where the classes of the stores of bridges are, which stand in for servers.
_OF_SERVERS: Final = ("pytest_jobs.bridges.", "pytest_jobs.core.", "fakeredis.")
#: Looking at more values takes longer than what it saves.
_MOST: Final = 20_000

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
        kept: Collection[Spot],
        body: Callable[..., object],
        is_own: Callable[[type], bool],
        served: Callable[..., Iterable[object]],
    ) -> None:
        """Look at nothing yet.

        Args:
            modules: the modules of the traced code.
            kept: their names that belong to the world. Others are fresh in each process, but not the objects
                in them.
            body: the function of the job.
            is_own: returns whether a class belongs to the project.
            served: returns what the servers of job libraries would keep: with `heard=True` of those of which it is
                heard when they are asked. A lock that a library takes before it enqueues is no effect of its own,
                and keeps the next delivery out.
        """
        self._modules = tuple(modules)
        self._kept = frozenset(kept)
        self._body = body
        self._is_own = is_own
        self._served = served
        self._own: dict[type, bool] = {}
        #: Whether an object of a class is known by its identity only.
        self._closed: dict[type, bool] = {}
        self._slots: dict[type, Sequence[MemberDescriptorType]] = {}

    def content(self) -> tuple[Content, Content] | None:
        """Return what is there now; None if it is more than can be looked at again and again.

        The second part is what servers keep of which it is heard when they are asked.
        """
        found: Content = []
        seen: set[int] = set()
        waiting: list[Any] = [self._body, *self._served(heard=False)]
        for module in self._modules:
            key = identity(vars(module))
            for name, value in list(vars(module).items()):
                if name.startswith("__"):
                    continue
                kind = type(value)
                if kind is FunctionType and holds_nothing(value):
                    found.append(identity(value))
                elif (key, name) in self._kept:
                    waiting.append(value)
                elif kind not in _CONTAINERS:
                    waiting += () if kind in CONSTANTS else (value,)
                else:
                    # A new process has another one of these, with the same objects in it.
                    seen.add(identity(value))
                    waiting.extend(one for one in _members(value) if type(one) not in CONSTANTS)
        served: Content = []
        # What both keep, such as a lock of the project, is the project's.
        is_whole = self._walk(waiting, seen, found) and self._walk(
            [*self._served(heard=True)], seen, served
        )
        return (found, served) if is_whole else None

    def _walk(self, waiting: list[Any], seen: set[int], found: Content) -> bool:
        """Add what some values consist of to what was found; return False if that is too much."""
        while waiting:
            value = waiting.pop()
            kind = type(value)
            if kind in CONSTANTS:
                found.append(value)
                continue
            key = identity(value)
            closed = self._closed.get(kind)
            if closed is None:
                closed = self._closed[kind] = self._is_closed(kind)
            if closed or (kind is FunctionType and holds_nothing(value)):
                found.append(key)
            elif key not in seen:
                seen.add(key)
                inner = list(self._within(value, kind))
                found += key, len(inner)
                waiting += inner
            if len(found) > _MOST:
                return False
        return True

    def _is_closed(self, kind: type) -> bool:
        """Return whether nothing is looked at within objects of a class: they are known by their identity only."""
        is_open = issubclass(kind, (*_CONTAINERS, *_FUNCTIONS, type))
        return not (is_open or kind.__module__ in _WITH_LOCKS or self._belongs(kind))

    def _within(self, value: Any, kind: type) -> Iterator[Any]:
        """Yield the values of which an object consists. None of its methods is called: it may answer anything."""
        if issubclass(kind, _CONTAINERS):
            yield from _members(value)
        if issubclass(kind, _FUNCTIONS):
            yield from within(value)
            yield from attributes_of(value).values() if kind is FunctionType else ()
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
            yield from attributes_of(value).values()
            if kind not in self._slots:
                self._slots[kind] = slots_of(kind)
            for slot in self._slots[kind]:
                with suppress(AttributeError):
                    yield slot.__get__(value)

    def _belongs(self, kind: type) -> bool:
        known = self._own.get(kind)
        if known is None:
            known = self._is_own(kind) or kind.__module__.startswith(_OF_SERVERS)
            self._own[kind] = known
        return known


def _members(value: Any) -> list[Any]:
    return (
        [one for pair in list(value.items()) for one in pair]
        if isinstance(value, dict)
        else list(value)
    )
