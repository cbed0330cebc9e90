"""What each process has of its own: an id, and the globals of modules, which are fresh in a new process."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Generator, Iterable, Set as AbstractSet
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any, Final, Protocol, TypeAlias

from ...harness.records.attributes import identity, is_one_of
from .ending.process_memory import CONTAINERS, fill

LOCKS: Final[dict[type, Callable[[], object]]] = {
    type(threading.Lock()): threading.Lock,
    type(threading.RLock()): threading.RLock,
}
#: Globals of these types are not state: code, and other modules.
_NO_STATE: Final = (ModuleType, FunctionType, type)
#: The module and the name of a global.
GlobalName: TypeAlias = tuple[str, str]
#: The globals of a process: the value of each, and a copy of its content if it is a container.
ProcessGlobals: TypeAlias = dict[GlobalName, tuple[Any, Any]]


class ProcessIds:
    """The ids of the worker processes of one history: each delivery has its own.

    They are above the highest id that an operating system gives, so that a dead one never belongs to a real
    process, and a signal that is sent to one never arrives anywhere.
    """

    _FIRST: Final = 738_204_001

    def __init__(self, note: Callable[[int], object]) -> None:
        """Begin without processes.

        Args:
            note: called with each id, which is a different one in each delivery.
        """
        self._note = note
        self._next = self._FIRST
        self._alive: set[int] = set()

    def begin(self) -> int:
        """Return the id of a new process."""
        number, self._next = self._next, self._next + 1
        self._alive.add(number)
        self._note(number)
        return number

    def end_all_but(self, alive: Iterable[int | None]) -> None:
        self._alive.intersection_update(alive)

    def is_alive(self, number: int) -> bool | None:
        """Return whether a process is alive; None if its id is not one of these."""
        return number in self._alive if self._FIRST <= number < self._next else None


class Namespace(Protocol):
    """A module, or what stands for one: `vars` of it are the globals of some code."""

    @property
    def __name__(self) -> str: ...


def file_of(module: Namespace) -> str:
    """Return the file of a module, without loading a lazy one; "" if it has none."""
    return vars(module).get("__file__") or ""


class ModuleGlobals:
    """Gives each process of a history its own values of the globals of some modules."""

    def __init__(self, modules: Iterable[Namespace], kept: Iterable[GlobalName] = ()) -> None:
        """Remember the globals as they are.

        Args:
            modules: the modules.
            kept: globals that belong to the world, and so to all processes.
        """
        self._modules = tuple(modules)
        self._kept = frozenset(kept)
        self._first = self.taken()

    def restart(self, kept: Iterable[GlobalName] = ()) -> None:
        """Start a new process: give every global its first value, and every container its first content."""
        self._kept |= frozenset(kept)
        self._put(self._first, self._kept)

    def keep_only(self, modules: Iterable[Namespace]) -> None:
        """Ignore the other modules from now on."""
        wanted = {id(module) for module in modules}
        self._modules = tuple(module for module in self._modules if id(module) in wanted)

    def switch_to(
        self, there: ProcessGlobals | None, kept: Iterable[GlobalName] = ()
    ) -> ProcessGlobals:
        """Switch to another process; return the globals of the one that is left.

        Args:
            there: the globals of the other process; None for a new process.
            kept: further globals that belong to the world.
        """
        self._kept |= frozenset(kept)
        here = self.taken()
        if there is None:
            self.restart()
        else:
            self._put(there, self._kept)
        return here

    def free_locks(self) -> None:
        self._renew({identity(lock) for lock in held_locks(self._modules)})

    def _renew(self, locks: AbstractSet[int]) -> None:
        """Replace some locks, by their identity, under all their names."""
        new: dict[int, object] = {}
        for module in self._modules if locks else ():
            namespace = vars(module)
            for name, value in list(namespace.items()):
                if type(value) in LOCKS and (key := identity(value)) in locks:
                    namespace[name] = new.setdefault(key, LOCKS[type(value)]())

    def any_lock_held(self) -> bool:
        return bool(held_locks(self._modules))

    def changed(self) -> set[GlobalName]:
        """Return the globals that have changed since the first process began."""
        now = self.taken()
        return {
            place
            for place in {*now, *self._first}
            if place not in self._kept and not _alike(now.get(place), self._first.get(place))
        }

    def shown_by(
        self, observe: Callable[[], object], candidates: AbstractSet[GlobalName]
    ) -> frozenset[GlobalName]:
        """Return the globals that belong to the world: resetting them changes the state.

        Args:
            observe: returns the state. It may fail if the world needs a global that was reset, or if a
                suspended delivery holds a lock.
            candidates: the globals that are tried.
        """
        if not candidates:
            return frozenset()
        before = _state(observe)
        with self._reset(candidates):
            if _state(observe) == before:
                return frozenset()
        belonging = set()
        for place in candidates:
            with self._reset({place}):
                if _state(observe) != before:
                    belonging.add(place)
        return frozenset(belonging)

    @contextmanager
    def _reset(self, places: AbstractSet[GlobalName]) -> Generator[None, None, None]:
        """Give some globals their first values for a block."""
        here = self.taken()
        others = {*self._first, *here} - places
        self._put(self._first, self._kept | others)
        try:
            yield
        finally:
            self._put(here, self._kept)

    def taken(self) -> ProcessGlobals:
        """Return the globals as they are."""
        return {
            (module.__name__, name): (value, _content(value))
            for module in self._modules
            for name, value in vars(module).items()
            if not is_one_of(_NO_STATE, value) and not name.startswith("__")
        }

    def _put(self, values: ProcessGlobals, kept: frozenset[GlobalName] | set[GlobalName]) -> None:
        namespaces = {module.__name__: vars(module) for module in self._modules}
        held_elsewhere = set()
        for (owner, name), (value, content) in values.items():
            namespace = namespaces.get(owner)
            if namespace is None or (owner, name) in kept:
                continue
            namespace[name] = value
            if type(value) in LOCKS:
                # A lock excludes only threads of its own process.
                if is_held(value) and not content:
                    held_elsewhere.add(identity(value))
            elif content is not None:
                fill(vars(value) if is_one_of((threading.local,), value) else value, content)
        for owner, namespace in namespaces.items():
            for name, value in list(namespace.items()):
                is_state = not is_one_of(_NO_STATE, value) and not name.startswith("__")
                if is_state and (owner, name) not in values and (owner, name) not in kept:
                    del namespace[name]
        self._renew(held_elsewhere)


def _content(value: Any) -> Any:
    """Return what a global holds: a copy of a container, what this thread keeps, or whether it is a held lock."""
    if is_one_of(CONTAINERS, value):
        return copy.copy(value)
    if type(value) in LOCKS:
        return is_held(value)
    return dict(vars(value)) if is_one_of((threading.local,), value) else None


def _state(observe: Callable[[], object]) -> object:
    """Return the state; None if it cannot be observed."""
    try:
        return observe()
    except Exception:
        return None


def _alike(now: tuple[Any, Any] | None, before: tuple[Any, Any] | None) -> bool:
    if now is None or before is None:
        return now is before
    if now[0] is not before[0]:
        return False
    try:
        return before[1] is None or bool(now[1] == before[1])
    except Exception:
        return False


def held_locks(modules: Iterable[Namespace]) -> list[Any]:
    """Return the locks among the globals of modules that are held."""
    return [
        value
        for module in modules
        for value in list(vars(module).values())
        if type(value) in LOCKS and is_held(value)
    ]


def is_held(lock: Any) -> bool:
    locked = getattr(lock, "locked", None)
    return bool(locked() if locked is not None else lock._is_owned())
