"""`unittest.mock.patch` in jobs: two deliveries share one patcher, and a dead one may leave it in force."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, Final

from ....harness.records.patches import Patches

#: Under this a patcher keeps what it had noted before a delivery entered it. It notes one original only, and a
#: suspended delivery may be inside of it.
_OUTER: Final = "_pytest_jobs_outer"


class Patchers:
    """Lets a patcher be entered by a delivery while another one, which is suspended, is inside it.

    Each entry keeps what the patcher has noted before, and its exit brings that back. A patcher that is
    still in force at the end of a history is left then.
    """

    def __init__(self, patches: Patches, is_in_delivery: Callable[[], bool]) -> None:
        """Patch nothing yet: a program may never import `unittest.mock`."""
        self._patches = patches
        self._is_in_delivery = is_in_delivery
        self._in_force: list[Any] = []
        self._is_ready = False

    def catch_up(self) -> None:
        mock = sys.modules.get("unittest.mock")
        if mock is None or self._is_ready:
            return
        self._is_ready = True
        for name, enter, leave in (
            ("_patch", "__enter__", "__exit__"),
            ("_patch_dict", "_patch_dict", "_unpatch_dict"),
        ):
            kind = getattr(mock, name, None)
            if kind is not None and hasattr(kind, enter) and hasattr(kind, leave):
                self._patches.set(kind, enter, self._entering(getattr(kind, enter)))
                self._patches.set(kind, leave, self._leaving(getattr(kind, leave)))

    def renew(self) -> None:
        """Leave the patchers that are still in force."""
        while self._in_force:
            patcher = self._in_force[-1]
            started = patcher in getattr(type(patcher), "_active_patches", ())
            if started:
                patcher.stop()
            else:
                patcher.__exit__(None, None, None)
            if self._in_force and self._in_force[-1] is patcher:
                self._in_force.pop()

    def _entering(self, enter: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(enter)
        def entered(patcher: Any) -> Any:
            if not self._is_in_delivery():
                return enter(patcher)
            outer = dict(vars(patcher))
            result = enter(patcher)
            vars(patcher)[_OUTER] = outer
            self._in_force.append(patcher)
            return result

        return entered

    def _leaving(self, leave: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(leave)
        def left(patcher: Any, *error: Any) -> Any:
            outer = vars(patcher).pop(_OUTER, None)
            result = leave(patcher, *error)
            if outer is not None:
                vars(patcher).clear()
                vars(patcher).update(outer)
                for place in range(len(self._in_force) - 1, -1, -1):
                    if self._in_force[place] is patcher:
                        del self._in_force[place]
                        break
            return result

        return left
