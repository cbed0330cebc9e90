"""Tracebacks that begin where the job's own code does."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

_PACKAGE = str(Path(__file__).parent.parent)


def own_traceback(error: BaseException) -> TracebackType | None:
    """Return the part of an error's traceback that lies below our last frame; all of it if there is none."""
    whole = error.__traceback__
    own, entry = whole, whole
    while entry is not None:
        if entry.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            own = entry.tb_next
        entry = entry.tb_next
    return whole if own is None else own
