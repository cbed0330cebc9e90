"""Locks, queues and the like, wherever the modules of a project keep them: a dead process holds none of them."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple, Protocol

from ....harness.records.attributes import attributes_of, is_one_of

_LOCK: Final = type(threading.Lock())
_RLOCK: Final = type(threading.RLock())
_SYNCHRONISERS: Final = (
    _LOCK,
    _RLOCK,
    threading.Semaphore,
    threading.Condition,
    threading.Event,
    queue.Queue,
)
#: Those of asyncio, by their modules, which a project may never import.
_OF_LOOPS: Final = (
    ("asyncio.locks", ("Lock", "Semaphore", "Condition", "Event")),
    ("asyncio.queues", ("Queue",)),
)
#: The state of a world does not lie in one of these.
_ONLY_HELD: Final = (_LOCK, _RLOCK, threading.Condition)
_NO_STATE: Final = (ModuleType, FunctionType, str, int, float, bytes, type(None))


class Namespace(Protocol):
    """A module, or the globals of a function that has none."""

    @property
    def __name__(self) -> str: ...


class Slot(NamedTuple):
    """A place that holds a synchroniser: an attribute of a class or object, or an item of a dictionary."""

    place: Hashable
    value: Any
    put: Callable[[Any], object]


class _OfLoop(NamedTuple):
    """The state of a synchroniser of asyncio."""

    #: As for one of threads.
    content: Any
    #: Whether no event loop has it yet. The loop of another delivery could not use it.
    is_free: bool


def is_synchroniser(value: object) -> bool:
    return is_one_of((*_SYNCHRONISERS, *_of_loops()), value)


def _of_loops() -> tuple[type, ...]:
    return tuple(
        getattr(sys.modules[module], name)
        for module, names in _OF_LOOPS
        if module in sys.modules
        for name in names
    )


class Synchronisers:
    """Remembers which locks are free and what is in which queue, and makes it so again."""

    def __init__(self, modules: Iterable[Namespace]) -> None:
        """Remember what some modules, and their classes and objects, hold now."""
        #: By its place: a synchroniser, and its first state.
        self._first: dict[Hashable, tuple[Any, Any]] = {}
        self._sorts = _Sorts()
        self.remember(modules)

    def __bool__(self) -> bool:
        return bool(self._first)

    def remember(self, modules: Iterable[Namespace]) -> None:
        """Remember those that are new, such as a pool that a world has just made and filled."""
        for slot in self.taken(modules):
            known, _ = self._first.get(slot.place, _UNKNOWN)
            if known is not slot.value:
                first = _state(slot.value)
                if isinstance(first, _OfLoop):
                    first = first._replace(is_free=True)
                self._first[slot.place] = slot.value, first

    def renew(
        self, modules: Iterable[Namespace], observe: Callable[[], object] | None = None
    ) -> None:
        """Replace each synchroniser that is not as it was at first: a dead delivery may still hold it.

        Args:
            modules: where to look. A lock that is new there must be free.
            observe: returns the state of the world. A queue that it shows belongs to the world, as a database
                does, and stays; so does a semaphore or an event.
        """
        shown: list[tuple[Slot, Any]] = []
        for slot in self.taken(modules):
            _, first = self._first.get(slot.place, _UNKNOWN)
            if _state(slot.value) == first or (first is _FREE and not _is_held(slot.value)):
                continue
            if observe is not None and not is_one_of(_ONLY_HELD, slot.value):
                shown.append((slot, first))
            else:
                slot.put(_made(slot.value, first))
        if shown and observe is not None:
            _renew_unshown(shown, observe)

    def taken(self, modules: Iterable[Namespace]) -> list[Slot]:
        """Return the synchronisers of this process."""
        # asyncio may have been imported since then, and has more of them.
        if self._sorts.of_loops != _of_loops():
            self._sorts = _Sorts()
        return list(_slots(modules, self._sorts))

    def give_back(self, modules: Iterable[Namespace]) -> None:
        """Give back what a dead delivery has taken. Threads of the test may use the same synchronisers.

        Args:
            modules: where to look. A lock that is new there must be free.
        """
        for slot in self.taken(modules):
            _, first = self._first.get(slot.place, _UNKNOWN)
            if not _given_back(slot.value, first):
                slot.put(_made(slot.value, False))


_FREE: Final = object()
#: What is remembered of a place that had no synchroniser.
_UNKNOWN: Final = (None, _FREE)


def _renew_unshown(changed: list[tuple[Slot, Any]], observe: Callable[[], object]) -> None:
    """Replace the synchronisers of which the state of the world shows nothing."""
    before = _observed(observe)
    for slot, first in changed:
        slot.put(_made(slot.value, first))
        if _observed(observe) != before:
            slot.put(slot.value)


def _observed(observe: Callable[[], object]) -> object:
    """Return the state; None if it cannot be observed."""
    try:
        return observe()
    except Exception:
        return None


class _Sorts(dict[type, str]):
    """What the values of a type are. A project has thousands of values, and they have a few types."""

    def __init__(self) -> None:
        super().__init__()
        self.of_loops = _of_loops()
        self._synchronisers = (*_SYNCHRONISERS, *self.of_loops)

    def __missing__(self, kind: type) -> str:
        sorts = {
            "synchroniser": self._synchronisers,
            "class": (type,),
            "dictionary": (dict,),
            "stateless": _NO_STATE,
        }
        found = (sort for sort, kinds in sorts.items() if issubclass(kind, kinds))
        self[kind] = sort = next(found, "object")
        return sort


def _slots(modules: Iterable[Namespace], sorts: _Sorts) -> Iterator[Slot]:
    for module in modules:
        for name, value in list(vars(module).items()):
            sort = sorts[type(value)]
            if sort == "stateless" or name.startswith("__"):
                continue
            if sort == "synchroniser":
                yield _of_names((module.__name__, name), vars(module), name, value)
            else:
                yield from _inside(module.__name__, name, value, sorts)


def _inside(module: str, name: str, owner: Any, sorts: _Sorts) -> Iterator[Slot]:
    """Yield the slots of a class of a module, or of an object or dictionary that it holds."""
    of = sorts[type(owner)]
    if of == "class":
        names = dict(vars(owner)) if owner.__module__ == module else {}
    elif of == "dictionary":
        names = dict(owner)
    else:
        names = dict(attributes_of(owner))
    for key, value in names.items():
        sort = sorts[type(value)]
        if sort == "synchroniser":
            place = (module, name, repr(key))
            if of == "class":
                yield Slot(place, value, lambda new, key=key: setattr(owner, key, new))  # type: ignore[misc]
            elif of == "dictionary":
                yield _of_names(place, owner, key, value)
            else:
                yield _of_names(place, attributes_of(owner), key, value)
        elif sort == "dictionary" and of != "dictionary":
            for inner, held in list(value.items()):
                if sorts[type(held)] == "synchroniser":
                    yield _of_names((module, name, repr(key), repr(inner)), value, inner, held)


def _of_names(place: Hashable, names: dict[Any, Any], key: Any, value: Any) -> Slot:
    return Slot(place, value, lambda new: names.__setitem__(key, new))


def _state(value: Any) -> Any:
    """Return the state of a synchroniser, in a form that can be compared."""
    if isinstance(value, _of_loops()):
        # A condition may have no loop yet, and its lock have one.
        parts = [value, *filter(None, [attributes_of(value).get("_lock")])]
        waits = any(
            getattr(part, name, None) for part in parts for name in ("_waiters", "_getters")
        )
        bound = any(getattr(part, "_loop", None) is not None for part in parts)
        return _OfLoop(_content(value), not bound and not waits)
    if isinstance(value, threading.Semaphore):
        return vars(value)["_value"]
    if isinstance(value, threading.Event):
        return value.is_set()
    if isinstance(value, queue.Queue):
        return list(value.queue)
    return _is_held(value)


def _content(value: Any) -> Any:
    """Return the state of a synchroniser of asyncio, without its loop."""
    names = attributes_of(value)
    if "_queue" in names:
        return list(names["_queue"])
    if "_value" in names:
        return names["_value"]
    return value.locked()


def _is_held(value: Any) -> bool:
    if isinstance(value, _of_loops()):
        # Also one that is free, and that another delivery could not use.
        return not _state(value).is_free or _content(value) is True
    if isinstance(value, _LOCK):
        return value.locked()
    if isinstance(value, _RLOCK):
        if not value.acquire(blocking=False):
            return True
        value.release()
        # Of this thread, it is held if it has to be released once more.
        return "count=0" not in repr(value)
    return isinstance(value, threading.Condition) and _is_held(vars(value)["_lock"])


def _given_back(value: Any, first: Any) -> bool:
    """Release a synchroniser if less of it is free than at first; return whether this thread could do so."""
    if isinstance(value, _of_loops()):
        _give_back_to_loop(value, first.content if isinstance(first, _OfLoop) else False)
        return True
    if isinstance(value, queue.Queue):
        if isinstance(first, list) and value.qsize() < len(first):
            here = list(map(id, value.queue))
            for item in first:
                if id(item) not in here:
                    value.put_nowait(item)
        return True
    if isinstance(value, threading.Semaphore):
        while isinstance(first, int) and vars(value)["_value"] < first:
            value.release()
        return True
    if isinstance(value, threading.Event) or first is True:
        return True
    lock = vars(value)["_lock"] if isinstance(value, threading.Condition) else value
    try:
        while _is_held(lock):
            lock.release()
    except RuntimeError:
        # An RLock of another thread, which only that one can release.
        return False
    return True


def _made(old: Any, state: Any) -> Any:
    """Return a new synchroniser like another one, in another state."""
    if isinstance(old, _of_loops()):
        return _made_for_a_loop(old, state.content if isinstance(state, _OfLoop) else None)
    if isinstance(old, _LOCK):
        return threading.Lock()
    if isinstance(old, _RLOCK):
        return threading.RLock()
    if isinstance(old, threading.Condition):
        return type(old)(_made(vars(old)["_lock"], state))
    if isinstance(old, queue.Queue):
        made = type(old)(old.maxsize)
        for item in state:
            made.put_nowait(item)
        return made
    if isinstance(old, threading.Event):
        event = type(old)()
        if state:
            event.set()
        return event
    semaphore = type(old)(vars(old).get("_initial_value", state))
    vars(semaphore)["_value"] = state
    return semaphore


def _made_for_a_loop(old: Any, content: Any) -> Any:
    names = attributes_of(old)
    if "_queue" in names:
        made = type(old)(names["_maxsize"])
        for item in content or ():
            made.put_nowait(item)
        return made
    if isinstance(names.get("_value"), bool):
        made = type(old)()
        if content:
            made.set()
        return made
    if "_value" in names:
        value = names["_value"] if content is None else content
        made = type(old)(names.get("_bound_value", value))
        attributes_of(made)["_value"] = value
        return made
    return type(old)()


def _give_back_to_loop(value: Any, first: Any) -> None:
    """Do the same as `_given_back` for a synchroniser of asyncio."""
    names = attributes_of(value)
    if "_queue" in names:
        here = list(map(id, names["_queue"]))
        missing = [item for item in first or () if id(item) not in here]
        if len(here) < len(first or ()):
            for item in missing:
                value.put_nowait(item)
    elif isinstance(names.get("_value"), bool):
        return
    elif "_value" in names:
        while isinstance(first, int) and first is not False and names["_value"] < first:
            value.release()
    elif first is False and value.locked():
        value.release()
