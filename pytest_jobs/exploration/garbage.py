"""Keeping the garbage collector out of what is explored."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Generator[None, None, None]:
    """Leave garbage alone for a block.

    What an earlier delivery left has its end wherever the collector happens to run, and what it does
    in its end, as a pipeline of Redis does, would be heard as an act of the delivery that runs then.
    Before Python 3.12 it may also run while a context variable is set, and loses or destroys the
    context when another one is set in such an end.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
