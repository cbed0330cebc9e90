"""Sleeping in a performed job moves the clock instead of waiting."""

from __future__ import annotations

import threading
import time
from typing import SupportsIndex

from .clock import VirtualClock
from .record import current_record


class SleepPatch:
    """Replaces `time.sleep` while a harness is open, for the thread that performs a job."""

    __slots__ = ("_clock", "_installed", "_real", "thread")

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._real = time.sleep
        self._installed = False
        #: The thread that performs a job at the moment.
        self.thread: int | None = None

    def install(self) -> None:
        """Take the place of `time.sleep`."""
        self._real = time.sleep
        self._installed = True
        time.sleep = self._sleep

    def uninstall(self) -> None:
        """Give the place back, unless another patch has taken it since."""
        self._installed = False
        if time.sleep == self._sleep:
            time.sleep = self._real

    def _sleep(self, seconds: float | SupportsIndex, /) -> None:
        if self._in_a_job() and isinstance(seconds, int | float) and seconds >= 0:
            self._clock.advance(seconds)
        else:
            self._real(seconds)

    def _in_a_job(self) -> bool:
        return (
            self._installed
            and self.thread == threading.get_ident()
            and current_record.get() is not None
            and not self._clock.suspended
        )
