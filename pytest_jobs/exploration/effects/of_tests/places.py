"""The places in which a test has put a double: `monkeypatch` and `mock.patch` know them, and reports name them."""

from __future__ import annotations

import functools
import gc
import re
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import ModuleType
from typing import Any, Final, NamedTuple

from ....harness.records.attributes import attributes_of, identity, is_one_of, names_of
from ....harness.records.patches import Patches
from ....harness.running.direct_calls import given_context
from ...engine.acts import SourceState, watcher
from ...engine.sources import patch_once

#: What is in a place that has nothing.
ABSENT: Final = object()
#: The beginning of the names in a module of tests.
_OF_TEST: Final = re.compile(r"test[^.]*\.$|conftest")
_FIRST_WORD: Final = re.compile(r"^[^.(]*")
#: Of these packages nobody looks into the objects that they have.
_NOT_OF_PROJECT: Final = frozenset(
    (*sys.stdlib_module_names, "_pytest", "pytest", "pytest_jobs", "hypothesis")
)
#: What puts something in a place: its module, its class, and the method that a world calls to do so.
_PUTTERS: Final = (
    ("_pytest.monkeypatch", "MonkeyPatch", "__init__"),
    ("unittest.mock", "_patch", "__enter__"),
    ("unittest.mock", "_patch_dict", "_patch_dict"),
    ("mock.mock", "_patch", "__enter__"),
    ("mock.mock", "_patch_dict", "_patch_dict"),
)
#: Under this a search keeps what leaves the lines of a double out.
LEAVE_OUT: Final = "leaves out"


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
    def key(self) -> tuple[int, bool, Any]:
        """What tells this place from all others as long as its owner lives."""
        return identity(self.owner), self.is_item, self.name

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
            name_of_owner = next((name for name, _ in _places({identity(owner)}, "")), None)
            where = f"{name_of_owner or type(owner).__name__}."
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


class Putters:
    """Knows what puts something in a place: once looked for among all objects, then heard of."""

    def __init__(self) -> None:
        # In the order in which they did so last. A patch of a test that has ended is not to live on here.
        self._known: dict[int, weakref.ref[Any]] = {}
        #: What the searches that are open know. What a world has made may live nowhere else.
        self._heard_by: list[list[Any]] = []

    def catch_up(self, kept: SourceState, patches: Patches) -> None:
        """Hear of those whose classes are imported by now, until a state ends.

        The patches end it earlier, if a test has put something else in the place of what hears.
        """
        kinds = []
        for module, kind, method in _PUTTERS:
            found = getattr(sys.modules.get(module), kind, None)
            if hasattr(found, method):
                hear = partial(self._hear, found, method)
                if patch_once(kept, (found, method), hear, patches):
                    kinds.append(found)
        for one in gc.get_referrers(*kinds) if kinds else ():
            if type(one) in kinds:
                self._note(one)

    def hear_for(self, search: SourceState) -> None:
        """Let a search know those that there are, and what puts something in a place until it ends."""
        self._heard_by.append(putters_of(search))
        self._heard_by[-1].extend(filter(None, (known() for known in self._known.values())))
        search.undo_by(self._heard_by.pop)

    def _hear(self, kind: Any, method: str, patches: Patches) -> None:
        genuine = getattr(kind, method)

        @functools.wraps(genuine)
        def heard(putter: Any, *args: Any, **kwargs: Any) -> Any:
            if watcher.get() is None:
                self._note(putter)
            return genuine(putter, *args, **kwargs)

        patches.set(kind, method, heard)

    def _note(self, putter: Any) -> None:
        key = identity(putter)
        self._known.pop(key, None)
        self._known[key] = weakref.ref(putter, lambda gone: self._known.pop(key, None))
        for known in self._heard_by:
            if all(one is not putter for one in known):
                known.append(putter)


def putters_of(search: SourceState) -> list[Any]:
    """Return what has put something in a place, the newest last: nothing where a test goes on after a kill."""
    return search.of(putters_of, list)


def in_force(putters: Sequence[Any]) -> Iterator[Placed]:
    """Yield what is in force now, each place once, the newest first."""
    known: set[tuple[int, bool, Any]] = set()
    for putter in reversed(putters):
        for placed in _placed_by(putter):
            if placed.key not in known and placed.value is not ABSENT:
                known.add(placed.key)
                yield placed


def _placed_by(putter: Any) -> Iterator[Placed]:
    held = vars(putter)
    if "_setattr" in held:
        for is_item, noted in ((False, held["_setattr"]), (True, held["_setitem"])):
            # The first of a place knows what was there before the test.
            yield from (Placed(owner, name, is_item, before) for owner, name, before in noted)
    elif "temp_original" in held:
        getter = held["getter"]
        written = f"{getter.args[0]}.{held['attribute']}" if isinstance(getter, partial) else ""
        yield Placed(held["target"], held["attribute"], False, held["temp_original"], written)
    elif held.get("_original") is not None and isinstance(held["in_dict"], dict):
        # It keeps them when it has ended.
        for key, value in dict(held["values"]).items():
            if held["in_dict"].get(key) is value:
                yield Placed(held["in_dict"], key, True, held["_original"].get(key))


class MockNames:
    """Finds the names of mocks, in one search."""

    def __init__(self, search: SourceState) -> None:
        self._search = search
        #: The names of the places where mocks were found. A world puts others there in each history.
        self._places: list[tuple[str, Placed]] = []
        #: The mocks that lie nowhere, by their own names. Looking for them takes milliseconds.
        self._nowhere: set[str] = set()

    def of(self, mock: Any) -> tuple[str, str]:
        """Return the whole name of a mock, and the part of it that begins where the test has put its root.

        A mock that another one has made, as an attribute or a result, leads to its root: the first of them.
        """
        own, root = str(mock._extract_mock_name()), mock
        while vars(root).get("_mock_new_parent") is not None:
            root = vars(root)["_mock_new_parent"]
        place = self.place_of(root)
        if place is None:
            return own, own
        rest = _FIRST_WORD.sub("", own, count=1)
        return f"{place[0]}{rest}", f"{place[0].rpartition('.')[2]}{rest}"

    def place_of(self, root: Any) -> tuple[str, Placed] | None:
        """Return the place of a mock, with its name; None if it lies nowhere."""
        # A function with a specification stands before its mock.
        # By identity: all attributes of all modules may have to be looked at.
        wanted = {identity(root), identity(vars(root).get("_mock_delegate") or root)}
        for known in self._places:
            if identity(known[1].value) in wanted:
                return known
        hint = str(root._extract_mock_name())
        if hint in self._nowhere:
            return None
        for placed in in_force(putters_of(self._search)):
            if identity(placed.value) in wanted:
                self._places.append((placed.title, placed))
                return self._places[-1]
        for place in _places(wanted, hint):
            self._places.append(place)
            return place
        self._nowhere.add(hint)
        return None


def mock_names(search: SourceState) -> MockNames:
    return search.of(MockNames, lambda: MockNames(search))


def _places(wanted: set[int], hint: str) -> Iterator[tuple[str, Placed]]:
    """Yield the places of a context, of modules, and of the objects that they have, where a mock lies."""
    context = given_context.get() or {}
    for name, value in list(context.items()):
        if identity(value) in wanted:
            yield str(name), Placed(context, name, True)
    for name, module in list(sys.modules.items()):
        # In the place of a library that is not installed.
        if identity(module) in wanted:
            yield name, Placed(sys.modules, name, True)
    modules = [
        ("" if name == "__main__" else f"{name}.", module)
        for name, module in list(sys.modules.items())
        if is_one_of((ModuleType,), module)
    ]
    # Those of tests at last.
    modules.sort(key=lambda named: bool(_OF_TEST.search(named[0])))
    for name, module in modules:
        if identity(attributes_of(module).get(hint)) in wanted:
            yield f"{name}{hint}", Placed(module, hint)
    for name, module in modules:
        yield from _in(module, name, wanted)
    for name, module in modules:
        if name.partition(".")[0] not in _NOT_OF_PROJECT:
            for attribute, value in list(attributes_of(module).items()):
                # Most values of a module have no attributes of their own, and it may have a hundred thousand.
                if type(value).__dictoffset__ and not is_one_of((ModuleType,), value):
                    yield from _in(value, f"{name}{attribute}.", wanted)


def _in(owner: Any, beginning: str, wanted: set[int]) -> Iterator[tuple[str, Placed]]:
    for attribute, _ in names_of(wanted, attributes_of(owner)):
        # As the test calls it: `Client().charge`.
        is_result = attribute == "_mock_return_value"
        name = f"{beginning.rstrip('.')}()" if is_result else f"{beginning}{attribute}"
        yield name, Placed(owner, attribute)
