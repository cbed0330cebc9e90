"""What was chosen of a list that only grows, without looking twice at an item."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

T = TypeVar("T")


class Beginning(Sequence[T], Generic[T]):
    """The items that a list has now. The list may grow afterwards, and loses none."""

    __slots__ = ("_items", "_length")

    def __init__(self, items: list[T]) -> None:
        self._items = items
        self._length = len(items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        places = range(self._length)[index]
        if isinstance(places, int):
            return self._items[places]
        return tuple(self._items[place] for place in places)

    def __iter__(self) -> Iterator[T]:
        return map(self._items.__getitem__, range(self._length))

    def __len__(self) -> int:
        return self._length


class Chosen(Generic[T]):
    """The items of a growing list that fulfil a condition, which never changes for an item.

    A test may ask for `jobs.performed` after each of a million deliveries: each delivery is looked at once.
    """

    __slots__ = ("_found", "_items", "_lock", "_looked_at", "_wanted")

    def __init__(self, items: list[T], wanted: Callable[[T], bool]) -> None:
        self._items = items
        self._wanted = wanted
        self._found: list[T] = []
        self._looked_at = 0
        # Any thread may read a view. The lock may be taken again, by a signal handler that reads one.
        self._lock = threading.RLock()

    def now(self) -> Beginning[T]:
        """Return what has been chosen up to now."""
        with self._lock:
            start, end = self._looked_at, len(self._items)
            if start < end:
                found = [item for item in self._items[start:end] if self._wanted(item)]
                if start == self._looked_at:
                    self._looked_at = end
                    self._found += found
            return Beginning(self._found)
