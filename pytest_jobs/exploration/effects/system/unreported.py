"""Calls that Python reports nowhere: the log of the system, exit handlers, C, and names of temporary files."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import Any

from ....harness.records.patches import Patches
from ...engine.acts import Act, Watch, acting, note_draw
from ...stores.files import logs, package_of
from ..wrapping import after_calls, before_calls, in_delivery, source_of, surround


@source_of("syslog")
def syslog(patches: Patches, module: Any) -> None:
    """Let each message to the log of the system be an effect that counts."""
    surround(patches, module, "syslog", _message)


def _message(*args: Any) -> AbstractContextManager[None]:
    if logs():
        return nullcontext()
    return acting(Act("syslog", f"syslog({args[-1]!r})", value=args, answer_lost=None))


@source_of("atexit")
def exit_handlers(patches: Patches, module: Any) -> None:
    """Refuse handlers of the project. They run when the worker ends: in no history, and never if it is killed.

    A library may have handlers, which end what the library has begun.
    """

    def registering(current: Watch, func: Any, *args: Any, **kwargs: Any) -> None:
        if _is_of_project(current, sys._getframe(3)):
            current.outside(f"atexit.register({getattr(func, '__name__', func)})")

    before_calls(patches, module, "register", registering)


@source_of("ctypes")
def foreign_functions(patches: Patches, module: Any) -> None:
    """Refuse that the project looks a function in C up, unless a module does so that is imported."""
    foreign: Any = module._CFuncPtr

    def get(current: Watch, genuine: Any, opened: Any, name: str) -> Any:
        found = genuine(opened, name)
        if isinstance(found, foreign):
            looked_up(current, opened, name)
        return found

    def looked_up(current: Watch, opened: Any, name: object) -> None:
        frame = sys._getframe(3)
        while frame.f_back is not None and frame.f_globals.get("__name__") == "ctypes":
            frame = frame.f_back
        if _is_of_project(current, frame):
            where = vars(opened)["_name"] or "the C library"
            current.outside(f"{name} of {where} by ctypes")

    in_delivery(patches, module.CDLL, "__getattribute__", get)
    before_calls(patches, module.CDLL, "__getitem__", looked_up)


@source_of("tempfile")
def temporary_names(patches: Patches, module: Any) -> None:
    """Let points and states call the names of temporary files random: a delivery draws others each time.

    That is past `os.urandom`, and however often a file of that name is there already.
    """
    sequence: Any = vars(module)["_RandomNameSequence"]
    after_calls(patches, sequence, "__next__", lambda name, sequence: note_draw(name))


def _is_of_project(current: Watch, frame: FrameType) -> bool:
    """Return whether the code of the project calls, rather than a library or a module that is imported."""
    if not current.is_of_project(frame.f_code):
        return False
    below: FrameType | None = frame
    while below is not None and package_of(below) != __name__.partition(".")[0]:
        if below.f_code.co_name == "<module>":
            return False
        below = below.f_back
    return True
