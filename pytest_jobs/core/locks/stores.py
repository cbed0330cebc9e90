"""The locks and places of one process: `MemoryStore`."""

from __future__ import annotations

import itertools
import math
import threading

from ..batches.stores import MemoryBatches
from ..foundation.protocols import Held, Waiting


class MemoryStore:
    """A store for one process: for tests, and for programs whose jobs run where they are enqueued."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._places: dict[str, dict[str, int | None]] = {}
        self._queues: dict[str, list[tuple[int, int, str]]] = {}
        self._order = itertools.count()
        #: Keeps the batches.
        self.batches = MemoryBatches()

    def acquire(
        self,
        key: str,
        owner: str,
        *,
        now_ns: int,
        ttl_ns: int | None = None,
        limit: int = 1,
        rank: int | None = None,
        renew: bool = False,
    ) -> Held | None:
        """Take a place; see `Store`."""
        with self._mutex:
            places = self._unexpired(key, now_ns)
            if owner in places or len(places) < limit:
                if renew or owner not in places:
                    places[owner] = _end(now_ns, ttl_ns)
                self._leave_queue(key, owner)
                return None
            if rank is not None:
                queue = self._queues.setdefault(key, [])
                if all(owner != each for _, _, each in queue):
                    queue.append((rank, next(self._order), owner))
            ends = {each: math.inf if end is None else end for each, end in places.items()}
            first = min(ends, key=ends.__getitem__)
            return Held(key, first, places[first])

    def release(
        self, key: str, owner: str, *, now_ns: int, ttl_ns: int | None = None
    ) -> str | None:
        """Give a place back; see `Store`."""
        with self._mutex:
            self._leave_queue(key, owner)
            places = self._unexpired(key, now_ns)
            had_one = owner in places
            places.pop(owner, None)
            following = None
            if had_one and (queue := self._queues.get(key)):
                following = min(queue)[2]
                self._leave_queue(key, following)
                places[following] = _end(now_ns, ttl_ns)
            if not places:
                del self._places[key]
            return following

    def held(self, now_ns: int) -> tuple[Held, ...]:
        """Return the places that are taken; see `Store`."""
        with self._mutex:
            return tuple(
                Held(key, owner, end)
                for key in sorted(self._places)
                for owner, end in self._unexpired(key, now_ns).items()
            )

    def waiting(self) -> tuple[Waiting, ...]:
        """Return the jobs that wait; see `Store`."""
        with self._mutex:
            return tuple(
                Waiting(key, owner)
                for key, queue in sorted(self._queues.items())
                for _, _, owner in sorted(queue)
            )

    def _unexpired(self, key: str, now_ns: int) -> dict[str, int | None]:
        places = self._places.setdefault(key, {})
        for owner in [each for each, end in places.items() if end is not None and end <= now_ns]:
            del places[owner]
        return places

    def _leave_queue(self, key: str, owner: str) -> None:
        queue = [entry for entry in self._queues.pop(key, ()) if entry[2] != owner]
        if queue:
            self._queues[key] = queue

    def __repr__(self) -> str:
        return f"<MemoryStore, {len(self._places)} keys>"


def _end(now_ns: int, ttl_ns: int | None) -> int | None:
    # In whole microseconds, as the clock that tests and `datetime` know moves in microseconds.
    return None if ttl_ns is None else (now_ns + ttl_ns) // 1_000 * 1_000
