"""The places in which doubles lie: tests and reports name doubles by them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, Final, NamedTuple, Protocol

from ....harness.records.attributes import attributes_of, is_one_of

#: What is in a place that has nothing.
ABSENT: Final = object()
_FIRST_WORD: Final = re.compile(r"^[^.(]*")
#: Of these packages nobody looks into the objects that they have.
_NOT_OF_PROJECT: Final = frozenset(
    (*sys.stdlib_module_names, "_pytest", "pytest", "pytest_jobs", "hypothesis")
)


class Placed(NamedTuple):
    """What a test has put in a place."""

    owner: Any
    #: The attribute, or the key of a dictionary.
    name: Any
    is_item: bool = False
    #: What was there before; None if nothing was, or nobody knows.
    original: Any = None
    #: How the test wrote the place; empty if it gave the owner itself.
    written: str = ""

    @property
    def value(self) -> Any:
        """What is there now."""
        if self.is_item:
            return self.owner.get(self.name, ABSENT)
        # A proxy of Celery, to which the test has given an attribute, has become what it stands for.
        held = attributes_of(self.owner) or getattr(self.owner, "__dict__", {})
        return held.get(self.name, ABSENT)

    @property
    def title(self) -> str:
        """The place as reports name it: `shop.jobs.charge`, `shop.sms.BACKENDS['sms']`."""
        if self.written:
            return self.written
        owner, name = self.owner, self.name
        if owner is sys.modules:
            return str(name)
        if is_one_of((ModuleType,), owner):
            where = "" if owner.__name__ == "__main__" else f"{owner.__name__}."
        elif isinstance(owner, type):
            where = f"{owner.__module__}.{owner.__qualname__}."
        else:
            where = f"{name_of_value(owner) or type(owner).__name__}."
        return f"{where.rstrip('.')}[{name!r}]" if self.is_item else f"{where}{name}"

    def put(self, value: Any) -> Callable[[], object]:
        """Put something else there, and return what puts the stub back unless somebody else was faster."""
        before = self.value

        def change(new: Any) -> None:
            if self.is_item:
                self.owner[self.name] = new
            else:
                setattr(self.owner, self.name, new)

        change(value)
        return lambda: change(before) if self.value is value else None


class Seams(Protocol):
    """Knows where the test has put something; see `seams`."""

    def placed(self) -> Iterable[Placed]: ...


class MockNames:
    """Finds the names of mocks, in one search."""

    def __init__(self) -> None:
        #: The names of the places where mocks were found. A world puts others there in each history.
        self._places: list[tuple[str, Placed]] = []
        #: The mocks that lie nowhere, by their own names. Looking for them takes milliseconds.
        self._nowhere: set[str] = set()

    def of(self, made: Any, root: Any, seams: Seams) -> tuple[str, str]:
        """Return the whole name of a mock, and the part of it that begins with its root.

        Args:
            made: the mock.
            root: the mock of which it is an attribute, or a result, at any depth; or the mock itself.
            seams: knows where the test has put something.
        """
        own = str(made._extract_mock_name())
        place = self.place_of(root, seams)
        if place is None:
            return own, own
        rest = _FIRST_WORD.sub("", own, count=1)
        return f"{place[0]}{rest}", f"{place[0].rpartition('.')[2]}{rest}"

    def place_of(self, root: Any, seams: Seams) -> tuple[str, Placed] | None:
        """Return the place of a mock, with its name; None if it lies nowhere."""
        # A function with a specification stands before its mock.
        # By identity: all attributes of all modules may have to be looked at.
        wanted = {id(root), id(vars(root).get("_mock_delegate") or root)}
        for known in self._places:
            if id(known[1].value) in wanted:
                return known
        hint = str(root._extract_mock_name())
        if hint in self._nowhere:
            return None
        for placed in seams.placed():
            if id(placed.value) in wanted:
                self._places.append((placed.title, placed))
                return self._places[-1]
        for place in _places(wanted, hint):
            self._places.append(place)
            return place
        self._nowhere.add(hint)
        return None


def name_of_value(value: object) -> str | None:
    """Return the name of a place in a module where a value lies; None if it lies in none."""
    return next((name for name, _ in _places({id(value)}, "")), None)


def _places(wanted: set[int], hint: str) -> Iterator[tuple[str, Placed]]:
    """Yield the places of modules, and of the objects that they have, where a mock lies."""
    for name, module in list(sys.modules.items()):
        # In the place of a library that is not installed.
        if id(module) in wanted:
            yield name, Placed(sys.modules, name, True)
    modules = sorted(_modules(), key=lambda named: _is_of_test(named[0]))
    for name, module in modules:
        if id(attributes_of(module).get(hint)) in wanted:
            yield f"{name}{hint}", Placed(module, hint)
    for name, module in modules:
        yield from _in(module, name, wanted)
    for name, module in modules:
        if name.partition(".")[0] not in _NOT_OF_PROJECT:
            for attribute, value in list(attributes_of(module).items()):
                if not is_one_of((ModuleType,), value):
                    yield from _in(value, f"{name}{attribute}.", wanted)


def _in(owner: Any, beginning: str, wanted: set[int]) -> Iterator[tuple[str, Placed]]:
    for attribute, value in list(attributes_of(owner).items()):
        if id(value) in wanted:
            # As the test calls it: `Client().charge`.
            is_result = attribute == "_mock_return_value"
            name = f"{beginning.rstrip('.')}()" if is_result else f"{beginning}{attribute}"
            yield name, Placed(owner, attribute)


def _modules() -> Iterator[tuple[str, ModuleType]]:
    """Yield all modules, and how the names of what they have begin."""
    for name, module in list(sys.modules.items()):
        if is_one_of((ModuleType,), module):
            yield "" if name == "__main__" else f"{name}.", module


def _is_of_test(name: str) -> bool:
    return "test" in name.rpartition(".")[0].rpartition(".")[2] or "conftest" in name
