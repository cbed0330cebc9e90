"""What Django keeps in memory: the caches and the outbox of the test."""

from __future__ import annotations

import math
import pickle
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from django.core import mail

from ....harness.records.patches import Patches
from ..base.store import Building, IsIgnored, counted, without_passing
from .surroundings import forget_rows, memory_of_caches


class Memory:
    """The caches and the outbox, which each history finds as the test has filled them."""

    def __init__(self) -> None:
        self._made_at = time.time()
        self._entries = sum(map(len, _values().values()))

    @contextmanager
    def opened(self, building: Building) -> Generator[Callable[[], dict[str, Any]], None, None]:
        patches = Patches()
        before = [(store, dict(store)) for store in memory_of_caches()]
        outbox = vars(mail).get("outbox")
        if outbox is not None:
            patches.set(mail, "outbox", list(outbox))
        self._postpone_ends()
        forget_rows()
        try:
            yield lambda: _state(building.is_ignored)
        finally:
            patches.restore()
            for store in memory_of_caches():
                store.clear()
            for store, content in before:
                store.update(content)
            forget_rows()

    def described(self) -> str:
        return f"cache: {counted(self._entries, 'key')}" if self._entries else ""

    def _postpone_ends(self) -> None:
        """Let what the test has put into a cache be there as long in a history that begins later."""
        passed = time.time() - self._made_at
        for ends in _ends().values():
            for key, end in ends.items():
                if end is not None:
                    ends[key] = end + passed


def _state(is_ignored: IsIgnored) -> dict[str, Any]:
    """Return the values in each cache that is not empty, by their keys."""
    state: dict[str, Any] = {}
    for name, store in _values().items():
        ends = _ends()[name]
        found = {
            key: pickle.loads(value)  # noqa: S301 - the cache of the test has made it
            for key, value in store.items()
            if not is_ignored(_short(key), key) and (ends[key] or math.inf) > time.time()
        }
        if found:
            passing = [key for key in found if ends[key] is not None]
            state |= without_passing(f"cache {name}".strip(), "key", found, passing)
    return state


def _short(key: str) -> str:
    """Return a key as the application writes it, without the prefix and the version of the cache."""
    return key.split(":", 2)[-1]


def _values() -> dict[str, dict[str, Any]]:
    module: Any = sys.modules.get("django.core.cache.backends.locmem")
    return {} if module is None else module._caches


def _ends() -> dict[str, dict[str, float | None]]:
    module: Any = sys.modules.get("django.core.cache.backends.locmem")
    return {} if module is None else module._expire_info
