"""Waiting in real time for something that may never come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_LOOKS: Final = 8


def comes_about(
    wait: Callable[[float], bool], seconds: float, signs: Callable[[], object] = lambda: None
) -> bool:
    """Wait for something; return False when it has not come after so many seconds without a sign of life.

    It is looked for several times. A machine that stands still for a while takes no more than one look,
    so that what was about to come still has the others.

    Args:
        wait: waits for so many seconds at most, and says whether it has come.
        seconds: of real time.
        signs: returns what changes as long as something goes on. Default, there are none.
    """
    last, still = signs(), 0
    while still < _LOOKS:
        if wait(seconds / _LOOKS):
            return True
        now = signs()
        still = still + 1 if now == last else 0
        last = now
    return False
