"""Signs of life of a thread, and where it stands when it shows none."""

from __future__ import annotations

import linecache
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

from ....harness.records.home import is_in_packages

#: A thread without a line, an effect or any computing for so many real seconds is blocked.
PATIENCE: Final = 2.0
#: A thread that waits for an answer from outside gets so many times as long: a busy server still answers.
TIMES_OUTSIDE: Final = 15
#: Modules that read from sockets. The drivers of databases are in installed packages.
_READING: Final = frozenset(("selectors", "socket", "ssl"))


def computed(thread: int) -> float | None:
    """Return how long a thread has computed, in hundredths of a second; None if the system does not say."""
    clock_of: Any = getattr(time, "pthread_getcpuclockid", None)
    if clock_of is None:
        return None
    try:
        return round(time.clock_gettime(clock_of(thread)), 2)
    except OSError:
        return None


def waits_for_outside(thread: int) -> bool:
    """Return whether a thread waits for an answer, rather than for a lock of the job or of its world."""
    # Late, since it imports asyncio.
    from ....harness.time.loop import until_woken

    frame = sys._current_frames().get(thread)
    if frame is None or (frame.f_back is not None and until_woken(frame.f_back)):
        return False
    name = frame.f_globals.get("__name__", "")
    return name in _READING or is_in_packages(frame.f_code.co_filename)


def blocking_call(thread: int) -> str:
    frame = sys._current_frames().get(thread)
    return "somewhere" if frame is None else line_of(frame)


def line_of(frame: FrameType) -> str:
    code, line, text = frame.f_code, frame.f_lineno, ""
    # The test may have replaced what reads files, and an error would end the watchdog: nobody would end the job.
    with suppress(Exception):
        text = linecache.getline(code.co_filename, line).strip()
    return f"{Path(code.co_filename).name}:{line}: {text}"


def stack_of(frames: Iterable[FrameType]) -> str:
    """Return the lines at which some functions stand, one below the other, the outermost first."""
    shown = [f"  {line_of(frame)}" for frame in frames]
    return "\n".join(reversed(shown)) or "  somewhere"
