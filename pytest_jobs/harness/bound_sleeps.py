"""Where functions of `time` are held, under other names too, as `from time import sleep` leaves them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple


class Place(NamedTuple):
    """A name in the namespace of a module."""

    namespace: dict[str, Any]
    name: str


class Taken(NamedTuple):
    """A place that holds a function of ours instead of the original."""

    place: Place
    ours: Callable[..., Any]
    original: Callable[..., Any]

    def give_back(self) -> bool:
        """Put the original back, unless another patch holds the place; say whether it was put back."""
        if self.place.namespace.get(self.place.name) != self.ours:
            return False
        self.place.namespace[self.place.name] = self.original
        return True


class BoundSleeps:
    """Finds the places, and looks again only when modules were imported since."""

    __slots__ = ("_found", "_left", "_modules")

    def __init__(self) -> None:
        self._modules = 0
        # By id, since not every callable has a hash; with the function, so that no other gets its id.
        self._found: dict[int, tuple[Callable[..., Any], list[Place]]] = {}
        self._left: list[Taken] = []

    def places(self, function: Callable[..., Any]) -> list[Place]:
        """Return every place that holds a function; those of the standard library are left out.

        Args:
            function: a function of `time`, whose own place is one of them unless it is patched.
        """
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            self._found = {}
        key = id(function)
        if key not in self._found:
            self._found[key] = function, list(_search(function))
        return self._found[key][1]

    def give_back(self, taken: list[Taken]) -> None:
        """Put originals back where ours still are; remember the places that another patch holds."""
        self._left += [place for place in taken if not place.give_back()]

    def reclaim(self) -> None:
        """Put originals back where another patch has put ours since, too late."""
        left = [taken for taken in self._left if not taken.give_back()]
        if len(left) < len(self._left):
            self._left, self._found = left, {}


def _search(function: Callable[..., Any]) -> Iterator[Place]:
    for module, namespace in _namespaces():
        if module == "time" or not in_standard_library(module):
            for name, value in list(namespace.items()):
                if value is function:
                    yield Place(namespace, name)


def _namespaces() -> list[tuple[str, dict[str, Any]]]:
    modules = list(sys.modules.items())
    return [(name, vars(module)) for name, module in modules if isinstance(module, ModuleType)]


def in_standard_library(module: str) -> bool:
    """Say whether a module of this name is the standard library's."""
    return module.partition(".")[0] in sys.stdlib_module_names


#: The places of this process.
bound_sleeps = BoundSleeps()
