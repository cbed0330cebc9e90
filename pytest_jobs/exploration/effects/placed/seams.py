"""The places in which a test has put something: `monkeypatch` and `mock.patch` know them."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import ActWatcher, watcher
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


class Seams:
    """Knows what has put something in a place: before a search, and in each of its worlds."""

    def __init__(self, patches: Patches | None = None, *, knows: bool = True) -> None:
        """Look once for those that are there, among all objects, and hear of the ones that worlds make.

        Args:
            patches: ends that; None where there are no worlds.
            knows: whether to look at all.
        """
        kinds = []
        for module, kind, method in _PUTTERS if knows else ():
            found = getattr(sys.modules.get(module), kind, None)
            if found is not None and hasattr(found, method):
                kinds.append(found)
                if patches is not None:
                    patches.set(found, method, self._hearing(getattr(found, method)))
        #: The newest last.
        self._putters = (
            [one for one in gc.get_referrers(*kinds) if type(one) in kinds] if kinds else []
        )

    def _hearing(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def heard(putter: Any, *args: Any, **kwargs: Any) -> Any:
            if watcher.get() is None and all(one is not putter for one in self._putters):
                self._putters.append(putter)
            return method(putter, *args, **kwargs)

        return heard

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
    return current.of_search.of(Seams, lambda: Seams(knows=current.isolated))
