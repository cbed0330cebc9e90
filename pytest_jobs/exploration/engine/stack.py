"""The running functions of a thread, also of those that wait for a greenlet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a running function of this thread, and those that have called each other to come to it.

    An asynchronous engine of SQLAlchemy runs its statements in a greenlet, whose functions do not lead to the
    coroutine that awaits them.
    """
    greenlets: Any = sys.modules.get("greenlet")
    current = None if greenlets is None else greenlets.getcurrent()
    while frame is not None:
        yield frame
        frame = frame.f_back
        while frame is None and current is not None:
            current = current.parent
            frame = None if current is None else current.gr_frame
