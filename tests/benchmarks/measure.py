"""Timing: medians of repeated loops, in microseconds of CPU a call."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable


def median(run: Callable[[int], float], calls: int, repetitions: int = 7) -> float:
    """Return the median of microseconds a call; `run` makes so many calls and returns seconds of CPU."""
    run(max(calls // 10, 1))
    samples = []
    for _ in range(repetitions):
        gc.collect()
        samples.append(run(calls) / calls * 1e6)
    return statistics.median(samples)


def loop(
    function: Callable[..., object], *args: object, **kwargs: object
) -> Callable[[int], float]:
    """Return a run that calls a function again and again."""

    def run(calls: int) -> float:
        start = time.process_time()
        for _ in range(calls):
            function(*args, **kwargs)
        return time.process_time() - start

    return run
