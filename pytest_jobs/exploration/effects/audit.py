"""What jobs do to files, and what they do outside that nobody else hears of."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..engine.acts import watcher
from ..engine.sources import connecting

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FILES: Final = frozenset(
    ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate")
)
#: What leaves the process, and which argument of the event says where to.
_OUTSIDE: Final[Mapping[str, int]] = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "subprocess.Popen": 1,
    "os.system": 0,
    "os.exec": 0,
    "os.posix_spawn": 0,
    "os.fork": 0,
}


class AuditHook:
    """The hook of this process; Python has no way to take one away, so there is one."""

    def __init__(self) -> None:
        self._installed = False

    def install(self) -> None:
        """Hear of audit events from now on; only deliveries that are watched heed them."""
        if not self._installed:
            self._installed = True
            sys.addaudithook(_heard)


audit_hook = AuditHook()


def _heard(event: str, args: tuple[Any, ...]) -> None:
    if event != "open" and event not in _FILES and event not in _OUTSIDE:
        return
    current = watcher.get()
    if current is None:
        return
    if event in _OUTSIDE:
        if event == "socket.connect":
            connecting(args[1])
        place = _OUTSIDE[event]
        where = args[place] if place < len(args) else ""
        current.outside(f"{event}({where!r})")
    elif event != "open" or _writes(args):
        current.changing(_text(event, args))


def _writes(args: tuple[Any, ...]) -> bool:
    path, mode, flags = (*args, None, None)[:3]
    if isinstance(path, int) or path is None:
        return False
    name = os.fsdecode(path)
    if name.endswith((".pyc", os.devnull)) or "__pycache__" in name:
        return False
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITING)


def _text(event: str, args: tuple[Any, ...]) -> str:
    name = Path(os.fsdecode(args[0])).name if args else ""
    if event == "open":
        return f"open({name!r}, {args[1]!r})"
    if event in ("os.rename", "os.link", "os.symlink"):
        return f"{event}({name!r}, {Path(os.fsdecode(args[1])).name!r})"
    return f"{event}({name!r})"
