"""The places in which a test has put something: `monkeypatch` and `mock.patch` know them."""

from __future__ import annotations

import functools
import gc
import sys
import weakref
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from ....harness.records.attributes import identity
from ....harness.records.patches import Patches
from ...engine.acts import ActWatcher, SourceState, watcher
from ...engine.sources import patch_once
from .places import ABSENT, Placed

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


class Putters:
    """Knows what puts something in a place: once looked for among all objects, then heard of."""

    def __init__(self) -> None:
        # In the order in which they did so last. A patch of a test that has ended is not to live on here.
        self._known: dict[int, weakref.ref[Any]] = {}
        #: What the searches that are open know. What a world has made may live nowhere else.
        self._heard_by: list[list[Any]] = []

    def catch_up(self, kept: SourceState, patches: Patches) -> None:
        """Hear of those whose classes are imported by now.

        Args:
            kept: ends that.
            patches: ends it if a test has put something else in the place of what hears.
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

    def known_to(self, search: SourceState) -> list[Any]:
        """Return those that there are; what puts something in a place until the search ends joins them."""
        found = [one for one in (known() for known in self._known.values()) if one is not None]
        self._heard_by.append(found)
        search.undo_by(self._heard_by.pop)
        return found

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


class Seams:
    """Knows what has put something in a place: before a search, and in each of its worlds."""

    def __init__(self, putters: Sequence[Any] = ()) -> None:
        """Know some.

        Args:
            putters: the newest last; see `Putters.known_to`.
        """
        self._putters = putters

    def placed(self) -> Iterator[Placed]:
        """Yield what is in force now, each place once, the newest first."""
        known: set[tuple[int, bool, Any]] = set()
        for putter in reversed(self._putters):
            for placed in _placed_by(putter):
                key = id(placed.owner), placed.is_item, placed.name
                if key not in known and placed.value is not ABSENT:
                    known.add(key)
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


def seams_of(current: ActWatcher) -> Seams:
    """Return what knows the places of a search. Where a test goes on after a kill, it knows none.

    Args:
        current: watches a delivery of it.
    """
    return current.of_search.of(Seams, Seams)
