"""How the retry middleware of Taskiq computes a wait, under the harness."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from types import SimpleNamespace

from taskiq.middlewares import smart_retry_middleware

from ..harness.records.instants import to_datetime
from ..harness.records.patches import Patches
from .taskiq_receiver import Witness


def pin_waits(
    patches: Patches,
    draw: Callable[[], float],
    now_ns: Callable[[], int],
    find_witness: Callable[[], Witness | None],
) -> None:
    """Let SmartRetryMiddleware draw its jitter and read the time as the harness says, during a delivery.

    Args:
        patches: put everything back.
        draw: where in its range of jitter a wait lies, from 0 up to 1.
        now_ns: returns the time, in nanoseconds since the epoch.
        find_witness: returns that of the delivery that is being made; None outside of one.
    """
    patches.set(smart_retry_middleware, "random", _PinnedRandom(draw, find_witness))
    noted = _NotedTime(now_ns, find_witness)
    module = SimpleNamespace(datetime=noted, timedelta=timedelta, timezone=timezone)
    patches.set(smart_retry_middleware, "datetime", module)


class _PinnedRandom:
    """Stands in for the `random` module."""

    def __init__(
        self, draw: Callable[[], float], find_witness: Callable[[], Witness | None]
    ) -> None:
        self._draw = draw
        self._find_witness = find_witness

    def random(self) -> float:
        witness = self._find_witness()
        if witness is None:
            return random.random()  # noqa: S311
        witness.drawn = self._draw()
        return witness.drawn


class _NotedTime:
    """Stands in for the class `datetime`: a wait of 60 s ends 60 s after the time that was read."""

    def __init__(
        self, now_ns: Callable[[], int], find_witness: Callable[[], Witness | None]
    ) -> None:
        self._now_ns = now_ns
        self._find_witness = find_witness

    def now(self, tz: tzinfo) -> datetime:
        now_ns = self._now_ns()
        witness = self._find_witness()
        if witness is not None:
            witness.computed_from_ns = now_ns - now_ns % 1000
        return to_datetime(now_ns).astimezone(tz)
