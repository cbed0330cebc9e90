"""Who calls: the code of the project, the standard library, or a log handler."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Final

from ...engine.acts import ActWatcher

#: Modules that hand records of a log to handlers, and the functions that do.
_LOGGING: Final = frozenset((("logging", "handle"), ("loguru._handler", "emit")))


def logs() -> bool:
    """Return whether a log handler is at work: records of a log are no effects."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if (frame.f_globals.get("__name__"), frame.f_code.co_name) in _LOGGING:
            return True
        frame = frame.f_back
    return False


def is_of_project(current: ActWatcher, frame: FrameType) -> bool:
    """Return whether the code of the project calls, rather than a library or a module that is imported."""
    if not current.is_of_project(frame.f_code):
        return False
    below: FrameType | None = frame
    while below is not None and not _is_ours(below):
        if below.f_code.co_name == "<module>":
            return False
        below = below.f_back
    return True


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == __name__.partition(".")[0]


def is_installed(current: ActWatcher, frame: FrameType) -> bool:
    """Return whether an installed package calls, rather than the project or the standard library."""
    package = str(frame.f_globals.get("__name__")).partition(".")[0]
    return package not in sys.stdlib_module_names and not current.is_of_project(frame.f_code)
