"""Collections that are attributes of a service, which a job may fill without calling anything of the service."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, MutableSequence, MutableSet
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from ...engine.acts import Act
from .arguments import comparable
from .operators import setting

#: Most services have no collections that a job sees.
_NOTHING: Final = nullcontext()
_CONTAINERS: Final = (MutableSequence, MutableMapping, MutableSet)


def is_collection(value: object) -> bool:
    """Return whether a job can fill a value."""
    return isinstance(value, _CONTAINERS)


class _Container:
    """One collection that the application has got."""

    __slots__ = ("before", "held", "is_filled", "path", "through")

    def __init__(self, path: str, through: tuple[Any, ...], held: Any) -> None:
        self.path = path
        self.through = through
        self.held = held
        self.before = self.now()
        #: Whether it has changed while no code of the service ran.
        self.is_filled = False

    def now(self) -> object:
        held = self.held
        return comparable(bytes(held) if isinstance(held, bytearray) else held)


class Containers:
    """The collections of one service that the application has got in a history, and which of them it has filled.

    What the service itself puts into one of them is a part of its calls. So each call looks before it begins
    whether a collection has changed, and again when it has ended.
    """

    def __init__(self) -> None:
        # By identity, with the collection, which keeps its id.
        self._given: dict[int, _Container] = {}

    def note(self, path: str, through: tuple[Any, ...], value: Any) -> None:
        """Note a value that the application gets, if it can be filled."""
        if is_collection(value) and id(value) not in self._given:
            self._given[id(value)] = _Container(path, through, value)

    def changed(self) -> AbstractContextManager[object]:
        """Return a block in which the service itself changes its collections."""
        return self if self._given else _NOTHING

    def __enter__(self) -> None:
        self.look()

    def __exit__(self, *error: object) -> None:
        self.forgive()

    def look(self) -> None:
        """Find out which collections have changed since the service ran."""
        for each in self._given.values():
            each.is_filled = each.is_filled or each.now() != each.before

    def forgive(self) -> None:
        """Take the collections as the service has left them."""
        for each in self._given.values():
            each.before = each.now()

    def acts(self, name: str) -> Iterator[Act]:
        """Yield what the collections have that the application has filled.

        Args:
            name: the name of the service.
        """
        self.look()
        for each in self._given.values():
            if each.is_filled:
                yield setting(name, each.path, (each.now(),), through=each.through)
