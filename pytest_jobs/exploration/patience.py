"""How often a delivery may sleep that waits for another."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from ..harness.records.instants import duration_ns

#: So often a delivery sleeps as long as it wants to.
_AS_ASKED: Final = 400
#: From then on each sleep is so much longer than the one before.
_GROWTH: Final = 1.1
#: After so much of it, what has not run out by then never will.
_ENOUGH_NS: Final = duration_ns(timedelta(days=50).total_seconds())


class Patience:
    """Lets a loop that sleeps until a lock is free end soon, whatever the lock's lease.

    A sleep may always take longer than was asked for. Where the holder is dead, its lease runs out
    in the time of the exploration before the loop has gone round for ever.
    """

    __slots__ = ("_factor", "_slept", "_slept_ns")

    def __init__(self) -> None:
        self._factor = 1.0
        self._slept = self._slept_ns = 0

    def lengthened(self, ns: int, *, holder_is_alive: bool) -> int | None:
        """Return how long a sleep takes, in nanoseconds; None when the delivery has waited long enough.

        Args:
            ns: how long it was to take.
            holder_is_alive: whether what is waited for is suspended rather than dead: its lease is not
                to run out for the waiting alone.
        """
        self._slept += 1
        if self._slept <= _AS_ASKED:
            return ns
        if holder_is_alive:
            return None
        self._factor *= _GROWTH
        longer = int(ns * self._factor)
        self._slept_ns += longer
        return longer if self._slept_ns < _ENOUGH_NS else None
