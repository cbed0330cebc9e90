"""How a test names a mock: by the place where it was put."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import partial
from types import ModuleType
from typing import Any, Final

from ....harness.records.attributes import attributes_of, is_one_of

#: Where a mock lies: the name of the place, the object that has it, and its name there.
_Place = tuple[str, Any, str]

_FIRST_WORD: Final = re.compile(r"[^.(]*")
#: Of these packages nobody looks into the objects that they have.
_NOT_OF_PROJECT: Final = frozenset(
    (*sys.stdlib_module_names, "_pytest", "pytest", "pytest_jobs", "hypothesis")
)


class MockNames:
    """Finds the names of mocks, in one search."""

    def __init__(self) -> None:
        #: Where mocks were found. A world puts others there in each history.
        self._places: list[_Place] = []
        #: The mocks that lie nowhere, by their own names. Looking for them takes milliseconds.
        self._nowhere: set[str] = set()

    def of(self, made: Any, root: Any, patches: list[Any]) -> tuple[str, str]:
        """Return the whole name of a mock, and the part of it that begins with its root.

        Args:
            made: the mock.
            root: the mock of which it is an attribute, or a result, at any depth; or the mock itself.
            patches: the patches of `unittest.mock` that are active.
        """
        own = str(made._extract_mock_name())
        place = self._place_of(root, patches)
        if place is None:
            return own, own
        rest = own[_first_word(own) :]
        return f"{place}{rest}", f"{place.rpartition('.')[2]}{rest}"

    def _place_of(self, root: Any, patches: list[Any]) -> str | None:
        # A function with a specification stands before its mock.
        # By identity: all attributes of all modules may have to be looked at.
        wanted = {id(root), id(vars(root).get("_mock_delegate") or root)}
        for name, owner, attribute in self._places:
            if id(_held(owner).get(attribute)) in wanted:
                return name
        hint = str(root._extract_mock_name())
        if hint in self._nowhere:
            return None
        for place in _places(wanted, hint, patches):
            self._places.append(place)
            return place[0]
        self._nowhere.add(hint)
        return None


def name_of_value(value: object) -> str | None:
    """Return the name of a place in a module where a value lies; None if it lies in none."""
    return next((name for name, _, _ in _places({id(value)}, "", [])), None)


def _first_word(name: str) -> int:
    found = _FIRST_WORD.match(name)
    return 0 if found is None else found.end()


def _held(owner: Any) -> Any:
    return owner if owner is sys.modules else attributes_of(owner)


def _places(wanted: set[int], hint: str, patches: list[Any]) -> Iterator[_Place]:
    """Yield the places where a mock lies, those first that its test has named."""
    for patch in patches:
        owner, attribute = getattr(patch, "target", None), getattr(patch, "attribute", "")
        getter = getattr(patch, "getter", None)
        # The test has named it by a text.
        if isinstance(getter, partial) and id(_held(owner).get(attribute)) in wanted:
            yield f"{getter.args[0]}.{attribute}", owner, attribute
    for name, module in list(sys.modules.items()):
        # In the place of a library that is not installed.
        if id(module) in wanted:
            yield name, sys.modules, name
    modules = sorted(_modules(), key=lambda named: _is_of_test(named[0]))
    for name, module in modules:
        if id(_held(module).get(hint)) in wanted:
            yield f"{name}{hint}", module, hint
    for name, module in modules:
        yield from _in(module, name, wanted)
    for name, module in modules:
        if name.partition(".")[0] not in _NOT_OF_PROJECT:
            for attribute, value in list(_held(module).items()):
                if not is_one_of((ModuleType,), value):
                    yield from _in(value, f"{name}{attribute}.", wanted)


def _in(owner: Any, beginning: str, wanted: set[int]) -> Iterator[_Place]:
    for attribute, value in list(_held(owner).items()):
        if id(value) in wanted:
            yield f"{beginning}{attribute}", owner, attribute


def _modules() -> Iterator[tuple[str, ModuleType]]:
    """Yield all modules, and how the names of what they have begin."""
    for name, module in list(sys.modules.items()):
        if is_one_of((ModuleType,), module):
            yield "" if name == "__main__" else f"{name}.", module


def _is_of_test(name: str) -> bool:
    return "test" in name.rpartition(".")[0].rpartition(".")[2] or "conftest" in name
