"""What a store is to a check: a place whose items are compared at the end of each history."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import Any


class Store(ABC):
    """Holds items. One object stands for it in each history."""

    #: The same in each history. Empty for the only store of its kind, which reports then leave out.
    label = ""
    #: What its items are called.
    noun: str
    #: Whether it can be read while somebody is about to write to it.
    may_be_asked_amid_a_write = True
    #: Whether a write is refused before it happens, where each history would add to what the one before it left.
    is_refused_at_once = False
    #: How the world comes to have it.
    way_in = "Let the world make it or bind it, and show what the job writes there"
    #: The name by which `ignore=` may name the whole store.
    short = ""

    def begin(self) -> None:
        """Note what is there before the first delivery, or at least before the first write."""
        return

    def is_bound(self, name: str) -> bool:
        """Return whether the world has made or redirected it, although it has not touched it."""
        return False

    def shows(self, read: str, name: str) -> bool:
        """Return whether reading one item, or the items of a pattern, is reading another one."""
        return False

    def left_out(self, name: str, ways: Collection[str]) -> str | None:
        """Return why an item is not compared; "" if it is no result of the job; None to compare it."""
        return None

    @abstractmethod
    def content(self, name: str, renamed: Callable[[Any], Any]) -> Any:
        """Return what an item has now, in a form that can be compared."""
