"""Calls that Python reports nowhere: the log of the system, exit handlers, C, and names of temporary files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import Act, ActWatcher, acting, note_draw, watcher
from ...stores.files import logs, package_of
from ..wrapping import after_calls, before_calls, surround


class _Syslog:
    """The source for the log of the system: each message is an effect that counts."""

    library: Final = "syslog"

    def install(self, patches: Patches) -> None:
        surround(patches, sys.modules[self.library], "syslog", _message)


def _message(*args: Any) -> AbstractContextManager[None]:
    if logs():
        return nullcontext()
    return acting(Act("syslog", f"syslog({args[-1]!r})", value=args, answer_lost=None))


syslog: Final = _Syslog()


class _ExitHandlers:
    """The source for what runs when the worker ends: in no history, and never if it is killed."""

    library: Final = "atexit"

    def install(self, patches: Patches) -> None:
        """Refuse handlers of the project; those of libraries end what they have begun."""
        before_calls(patches, sys.modules[self.library], "register", self._registering)

    def _registering(self, current: ActWatcher, func: Any, *args: Any, **kwargs: Any) -> None:
        if _is_of_project(current, sys._getframe(2)):
            current.outside(f"atexit.register({getattr(func, '__name__', func)})")


exit_handlers: Final = _ExitHandlers()


class _ForeignFunctions:
    """The source for functions in C that the project calls by `ctypes`."""

    library: Final = "ctypes"

    def install(self, patches: Patches) -> None:
        """Refuse to look such a function up, unless a library does it or a module that is imported."""
        module: Any = sys.modules[self.library]
        get: Callable[[Any, str], Any] = module.CDLL.__getattribute__
        foreign: Any = module._CFuncPtr

        def get_watched(opened: Any, name: str) -> Any:
            found = get(opened, name)
            current = watcher.get()
            if current is not None and isinstance(found, foreign):
                looked_up(current, opened, name)
            return found

        def looked_up(current: ActWatcher, opened: Any, name: object) -> None:
            frame = sys._getframe(2)
            while frame.f_back is not None and frame.f_globals.get("__name__") == "ctypes":
                frame = frame.f_back
            if _is_of_project(current, frame):
                where = get(opened, "_name") or "the C library"
                current.outside(f"{name} of {where} by ctypes")

        patches.set(module.CDLL, "__getattribute__", get_watched)
        before_calls(patches, module.CDLL, "__getitem__", looked_up)


foreign_functions: Final = _ForeignFunctions()


class _TemporaryNames:
    """The source for names of temporary files: a delivery draws others each time, past `os.urandom`."""

    library: Final = "tempfile"

    def install(self, patches: Patches) -> None:
        """Let points and states call the names random, however often a file of that name is there already."""
        sequence: Any = vars(sys.modules[self.library])["_RandomNameSequence"]
        after_calls(patches, sequence, "__next__", lambda name, sequence: note_draw(name))


temporary_names: Final = _TemporaryNames()


def _is_of_project(current: ActWatcher, frame: FrameType) -> bool:
    """Return whether the code of the project calls, rather than a library or a module that is imported."""
    if not current.is_of_project(frame.f_code):
        return False
    below: FrameType | None = frame
    while below is not None and package_of(below) != __name__.partition(".")[0]:
        if below.f_code.co_name == "<module>":
            return False
        below = below.f_back
    return True
