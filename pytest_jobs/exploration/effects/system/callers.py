"""Who calls: the code of the project, or the standard library."""

from __future__ import annotations

import sys
from types import FrameType

from ...engine.acts import ActWatcher


def is_of_project(current: ActWatcher, frame: FrameType) -> bool:
    """Return whether the code of the project calls, rather than a library or a module that is imported."""
    if not current.is_of_project(frame.f_code):
        return False
    below: FrameType | None = frame
    ours = __name__.partition(".")[0]
    while below is not None and _package_of(below) != ours:
        if below.f_code.co_name == "<module>":
            return False
        below = below.f_back
    return True


def is_installed(current: ActWatcher, frame: FrameType) -> bool:
    """Return whether an installed package calls, rather than the project or the standard library."""
    is_of_python = _package_of(frame) in sys.stdlib_module_names
    return not is_of_python and not current.is_of_project(frame.f_code)


def _package_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]
