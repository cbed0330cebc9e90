"""Who has which place: locks of unique jobs, and places of jobs that are limited."""

from __future__ import annotations

import itertools
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
                self._join_queue(key, owner, rank)
            first = min(places, key=lambda each: _sortable(places[each]))
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
            following = self._first_in_queue(key) if had_one else None
            if following is not None:
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

    def _join_queue(self, key: str, owner: str, rank: int) -> None:
        queue = self._queues.setdefault(key, [])
        if all(owner != each for _, _, each in queue):
            queue.append((rank, next(self._order), owner))

    def _leave_queue(self, key: str, owner: str) -> None:
        queue = [entry for entry in self._queues.pop(key, ()) if entry[2] != owner]
        if queue:
            self._queues[key] = queue

    def _first_in_queue(self, key: str) -> str | None:
        queue = self._queues.get(key)
        if not queue:
            return None
        owner = min(queue)[2]
        self._leave_queue(key, owner)
        return owner

    def __repr__(self) -> str:
        return f"<MemoryStore, {len(self._places)} keys>"


def _end(now_ns: int, ttl_ns: int | None) -> int | None:
    # What counts on a place to have ended moves in microseconds.
    return None if ttl_ns is None else (now_ns + ttl_ns) // 1_000 * 1_000


def _sortable(end: int | None) -> float:
    return float("inf") if end is None else end
