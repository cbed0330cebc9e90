"""How long deliveries take, for lifecycle plugins."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .job import Job


def system_ns() -> int:
    """Return the time of the system, which the virtual clock of a test moves."""
    return time.time_ns()


class Stopwatch:
    """Remembers when each job that runs has begun.

    Args:
        now_ns: returns the time in nanoseconds.
    """

    __slots__ = ("_begun_ns", "_now_ns")

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        # A job that is killed never ends; it must not be kept for that.
        self._begun_ns: weakref.WeakKeyDictionary[Job, int] = weakref.WeakKeyDictionary()

    def start(self, job: Job) -> None:
        """Note that a job begins."""
        self._begun_ns[job] = self._now_ns()

    def stop(self, job: Job) -> float | None:
        """Return how many milliseconds a job took; None when it never began."""
        begun_ns = self._begun_ns.pop(job, None)
        return None if begun_ns is None else max(self._now_ns() - begun_ns, 0) / 1_000_000
