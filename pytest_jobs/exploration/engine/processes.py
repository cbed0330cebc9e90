"""The globals of modules, which a new process has fresh."""

from __future__ import annotations

import copy
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Set as AbstractSet
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any, Final, TypeAlias

_CONTAINERS: Final = (dict, list, set, deque, bytearray)
_LOCKS: Final[dict[type, Callable[[], object]]] = {
    type(threading.Lock()): threading.Lock,
    type(threading.RLock()): threading.RLock,
}
#: What a new process makes anew: what one holds keeps no other out, and what a thread keeps is its own.
_MADE_ANEW: Final[dict[type, Callable[[], object]]] = {**_LOCKS, threading.local: threading.local}
#: What no delivery changes: code, and other modules.
_NO_STATE: Final = (ModuleType, FunctionType, type)
#: The module and the name of a global.
Place: TypeAlias = tuple[str, str]
#: The globals of a process: what each is, and what is in it.
Taken: TypeAlias = dict[Place, tuple[Any, Any]]


def modules_of(files: Iterable[str]) -> list[ModuleType]:
    """Return the modules that were loaded from some files."""
    wanted = set(files)
    if not wanted:
        return []
    return [
        module
        for module in list(sys.modules.values())
        if isinstance(module, ModuleType) and file_of(module) in wanted
    ]


def file_of(module: ModuleType) -> str:
    """Return where a module was loaded from, without waking a lazy one; "" for nowhere."""
    return str(vars(module).get("__file__") or "")


class ModuleGlobals:
    """Remembers the globals of modules, and gives each process of a history its own."""

    def __init__(self, modules: Iterable[ModuleType], kept: Iterable[Place] = ()) -> None:
        """Remember the globals as they are.

        Args:
            modules: whose globals.
            kept: globals that belong to the world, and so to all processes.
        """
        self._modules = tuple(modules)
        self._kept = frozenset(kept)
        self._first = self._taken()

    def restart(self, kept: Iterable[Place] = ()) -> None:
        """Give every global the value it had, and every container what was in it: a new process."""
        self._kept |= frozenset(kept)
        self._put(self._first, self._kept, anew=True)

    def heed_only(self, modules: Iterable[ModuleType]) -> None:
        """Leave the other modules alone from now on."""
        wanted = set(modules)
        self._modules = tuple(module for module in self._modules if module in wanted)

    def exchange(self, there: Taken | None, kept: Iterable[Place] = ()) -> Taken:
        """Put the globals of another process in the place of these; None for those of a new one.

        Args:
            there: the globals of the other process.
            kept: globals that belong to the world besides those that are known to.

        Returns:
            These.
        """
        self._kept |= frozenset(kept)
        here = self._taken()
        if there is None:
            self.restart()
        else:
            self._put(there, self._kept, anew=False)
        return here

    def free_locks(self) -> None:
        """Put locks that nobody holds in the place of those that are held."""
        for module in self._modules:
            namespace = vars(module)
            for name, value in list(namespace.items()):
                if type(value) in _LOCKS and _is_held(value):
                    namespace[name] = _LOCKS[type(value)]()

    def any_lock_held(self) -> bool:
        """Say whether a lock of a module is held."""
        return any(
            _is_held(value)
            for module in self._modules
            for value in vars(module).values()
            if type(value) in _LOCKS
        )

    def changed(self) -> set[Place]:
        """Return the globals that are not what they were."""
        now = self._taken()
        return {
            place
            for place in {*now, *self._first}
            if place not in self._kept and not _alike(now.get(place), self._first.get(place))
        }

    def shown_by(
        self, observe: Callable[[], object], candidates: AbstractSet[Place]
    ) -> frozenset[Place]:
        """Return those of some globals whose reset changes what is observed: they belong to the world.

        Args:
            observe: returns the state. It may fail where the world needs what was reset, or a
                suspended delivery keeps it from telling.
            candidates: those that are tried.
        """
        if not candidates:
            return frozenset()
        before = _told(observe)
        with self._reset(candidates):
            if _told(observe) == before:
                return frozenset()
        belonging = set()
        for place in candidates:
            with self._reset({place}):
                if _told(observe) != before:
                    belonging.add(place)
        return frozenset(belonging)

    @contextmanager
    def _reset(self, places: AbstractSet[Place]) -> Generator[None, None, None]:
        """Restart some globals for a block."""
        here = self._taken()
        others = {*self._first, *here} - places
        self._put(self._first, self._kept | others, anew=False)
        try:
            yield
        finally:
            self._put(here, self._kept, anew=False)

    def _taken(self) -> Taken:
        return {
            (module.__name__, name): (
                value,
                copy.copy(value) if isinstance(value, _CONTAINERS) else None,
            )
            for module in self._modules
            for name, value in vars(module).items()
            if not isinstance(value, _NO_STATE) and not name.startswith("__")
        }

    def _put(
        self,
        values: Taken,
        kept: frozenset[Place] | set[Place],
        *,
        anew: bool,
    ) -> None:
        for module in self._modules:
            namespace = vars(module)
            for (owner, name), (value, content) in values.items():
                if owner != module.__name__ or (owner, name) in kept:
                    continue
                if anew and type(value) in _MADE_ANEW:
                    namespace[name] = _MADE_ANEW[type(value)]()
                    continue
                namespace[name] = value
                if content is not None:
                    _refill(value, content)
            for name in _new(namespace, module.__name__, values):
                if (module.__name__, name) not in kept:
                    del namespace[name]


def _new(namespace: dict[str, Any], module: str, values: Taken) -> list[str]:
    return [
        name
        for name, value in namespace.items()
        if not isinstance(value, _NO_STATE)
        and not name.startswith("__")
        and (module, name) not in values
    ]


def _told(observe: Callable[[], object]) -> object:
    """Return what is observed; None where it cannot be."""
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


def _refill(container: Any, content: Any) -> None:
    container.clear()
    if isinstance(container, dict | set):
        container.update(content)
    else:
        container.extend(content)


def _is_held(lock: Any) -> bool:
    locked = getattr(lock, "locked", None)
    return bool(locked() if locked is not None else lock._is_owned())
