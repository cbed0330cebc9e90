"""Locks and queues: a process that is dead or suspended keeps nobody out, and each object stays the same."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from types import FrameType
from typing import Any

from ....harness.records.attributes import attributes_of, is_one_of
from .places import LOCKS, NO_STATE, Namespace, is_keeper


class HeldLock:
    """A lock that a delivery holds, and how often. Its thread releases it, and takes it again.

    There may be many names of a lock, such as that of a condition, so nothing takes its place.
    """

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self._count = 0

    def release(self) -> bool:
        """Release the lock; return whether it was held."""
        if is_one_of(LOCKS[1:], self.lock):
            while self.lock._is_owned():
                self.lock.release()
                self._count += 1
        elif self.lock.locked():
            self.lock.release()
            self._count = 1
        return bool(self._count)

    def take(self) -> None:
        if is_one_of(LOCKS, self.lock):
            for _ in range(self._count):
                self.lock.acquire(blocking=False)
        else:
            attributes_of(self.lock)["_locked"] = True


def is_held(lock: Any) -> bool:
    locked = getattr(lock, "locked", None)
    return bool(locked() if locked is not None else lock._is_owned())


class Synchronisers:
    """Finds locks, queues and the like: those of modules, and the locks that functions hold.

    In a module they lie under a name, or in a class, an object or a dictionary there. A project has thousands of
    values, and they have a few types.
    """

    def __init__(self) -> None:
        self._sorts: dict[type, str] = {}
        #: Of the types of what functions have: whether it is a lock, a condition or neither.
        self._locks: dict[type, str] = {}

    def found(self, modules: Iterable[Namespace]) -> Iterator[Any]:
        """Yield the locks, and the objects of libraries that keep what is put into them."""
        for module in modules:
            yield from self._below(vars(module), module.__name__, 2)

    def _below(self, names: Mapping[Any, Any], module: str, depth: int) -> Iterator[Any]:
        sorts = self._sorts
        for name, value in list(names.items()):
            sort = sorts.get(type(value)) or self._sort(type(value))
            if sort == "nothing" or (depth == 2 and name.startswith("__")):
                continue
            if sort == "lock":
                yield value
            elif sort == "keeper":
                yield value
                # A queue has a lock and three conditions.
                yield from self._below(attributes_of(value), module, 0)
            elif sort == "dictionary" and depth:
                yield from self._below(value, module, depth - 1)
            elif depth == 2 and (sort != "class" or value.__module__ == module):
                yield from self._below(attributes_of(value), module, 1)

    def _sort(self, kind: type) -> str:
        found = self._sorts.get(kind)
        if found is None:
            sorts = {
                "lock": LOCKS,
                "class": (type,),
                "dictionary": (dict,),
                "nothing": (*NO_STATE, str, int),
            }
            named = (sort for sort, kinds in sorts.items() if issubclass(kind, kinds))
            found = self._sorts[kind] = next(named, "keeper" if is_keeper(kind) else "object")
        return found

    def held_by(self, frames: Iterable[FrameType]) -> Iterator[Any]:
        """Yield the locks that functions may hold, wherever they lie: also in objects of libraries.

        Only functions that stand inside of a block are asked: another one that had a lock has released it by then.
        """
        for frame in frames:
            names = frame.f_code.co_names
            values = [*frame.f_locals.values()]
            values += [frame.f_globals[name] for name in names if name in frame.f_globals]
            # Such as `self.pool.lock`.
            values += [
                inner[name]
                for inner in map(attributes_of, frame.f_locals.values())
                for name in names
                if name in inner
            ]
            for value in values:
                for found in (value, *attributes_of(value).values()):
                    kind = type(found)
                    lock = self._locks.get(kind)
                    if lock is None:
                        is_lock = issubclass(kind, LOCKS) or _is_named(
                            kind, "asyncio.locks", "Lock"
                        )
                        has_lock = _is_named(kind, "threading", "Condition")
                        lock = "itself" if is_lock else "inside" if has_lock else "none"
                        self._locks[kind] = lock
                    if lock == "itself":
                        yield found
                    elif lock == "inside":
                        yield attributes_of(found)["_lock"]


def close_tasks(runner: Any) -> None:
    """Close what a dead process has left in the loop of a runner of asyncio, as long as it holds its locks.

    Otherwise these coroutines release the locks when they are collected, and complain that they do not hold them.
    """
    is_runner = _is_named(type(runner), "asyncio.runners", "Runner")
    loop = attributes_of(runner).get("_loop") if is_runner else None
    # A delivery that was killed just now still stands in its loop.
    if loop is not None and not loop.is_running():
        for task in sys.modules["asyncio"].all_tasks(loop):
            with suppress(BaseException):
                task.get_coro().close()


def _is_named(kind: type, module: str, name: str) -> bool:
    return any(base.__module__ == module and base.__name__ == name for base in kind.__mro__)
