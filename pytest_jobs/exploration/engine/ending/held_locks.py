"""Locks that the running functions of a delivery hold, wherever they lie: also in objects of libraries."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from ....harness.records.attributes import attributes_of, identity, is_one_of
from .synchronisers import Slot

_LOCK: Final = type(threading.Lock())
_RLOCK: Final = type(threading.RLock())


def release_held(frames: Iterable[FrameType]) -> list[Slot]:
    """Release the locks that functions hold; return the places that take them again.

    Another process has locks of its own, in whatever object a library keeps them. There may be many names of a
    lock, such as that of a condition, so it is released rather than replaced.

    Args:
        frames: functions that stand inside of a block. A function that has a lock has released it by then, or
            releases it at the end of the block.
    """
    held = [_Held(lock) for lock in _locks_of(frames)]
    for each in held:
        each.release()
    return [Slot(("held", identity(each.lock)), each.lock, each.put) for each in held if each.count]


@contextmanager
def released(frames: Iterable[FrameType]) -> Generator[None, None, None]:
    """Let functions not hold their locks for a block, in which they stand still.

    Args:
        frames: the same.
    """
    held = release_held(frames)
    try:
        yield
    finally:
        for slot in held:
            slot.put(slot.value)


class _Held:
    """A lock that a delivery holds, and how often."""

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self.count = 0

    def release(self) -> None:
        if is_one_of((_RLOCK,), self.lock):
            while self.lock._is_owned():
                self.lock.release()
                self.count += 1
        elif self.lock.locked():
            self.lock.release()
            self.count = 1

    def put(self, value: object) -> None:
        """Take the lock again, in the thread of the delivery."""
        if is_one_of((_LOCK, _RLOCK), self.lock):
            for _ in range(self.count):
                self.lock.acquire(blocking=False)
        else:
            attributes_of(self.lock)["_locked"] = True


def _locks_of(frames: Iterable[FrameType]) -> Iterator[Any]:
    seen = set()
    for frame in frames:
        for lock in _locks_in(frame):
            if identity(lock) not in seen:
                seen.add(identity(lock))
                yield lock


def _locks_in(frame: FrameType) -> Iterator[Any]:
    """Yield the locks in the variables of a function, and the locks in attributes of their values."""
    asyncio = sys.modules.get("asyncio.locks")
    kinds = (_LOCK, _RLOCK, threading.Condition, *([] if asyncio is None else [asyncio.Lock]))
    names = frame.f_code.co_names
    values = [*frame.f_locals.values()]
    values += [frame.f_globals[name] for name in names if name in frame.f_globals]
    # Such as `self.pool.lock`.
    values += [
        held[name]
        for held in map(attributes_of, frame.f_locals.values())
        for name in names
        if name in held
    ]
    for value in values:
        for found in (value, *attributes_of(value).values()):
            if is_one_of(kinds, found):
                yield (
                    attributes_of(found)["_lock"]
                    if is_one_of((threading.Condition,), found)
                    else found
                )
