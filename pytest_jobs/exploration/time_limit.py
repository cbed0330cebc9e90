"""How long an exploration may compute."""

from __future__ import annotations

import time


class TimeLimit:
    """Says whether time is left: seconds of computing, which a busy machine does not take away."""

    __slots__ = ("_computed_by", "_passed_by")

    def __init__(self, seconds: float) -> None:
        """Begin to count.

        Args:
            seconds: how many there are.
        """
        self._passed_by = time.perf_counter() + seconds
        self._computed_by = time.process_time() + seconds

    def __call__(self) -> bool:
        """Say whether there is time left."""
        # Before so much time has passed, so much cannot have been computed; and the system is slow to tell.
        return time.perf_counter() < self._passed_by or time.process_time() < self._computed_by
