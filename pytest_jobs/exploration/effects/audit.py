"""Changes of files, and everything that leaves the process without an effect source: by Python's audit events."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ...harness.records.patches import Patches
from ..engine.acts import audit_hook, watcher
from ..engine.sources import check_connection

_WRITE_FLAGS: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FILE_EVENTS: Final = frozenset(
    ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate")
)
#: Events that leave the process, and the place of the argument that names the target.
_OUTSIDE: Final[Mapping[str, int]] = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "subprocess.Popen": 1,
    "os.system": 0,
    "os.exec": 0,
    "os.posix_spawn": 0,
    "os.fork": 0,
}


library: Final = "os"


def install(patches: Patches) -> None:
    """Report audit events to watched deliveries from now on."""
    audit_hook.call(_on_event)


def _on_event(event: str, args: tuple[Any, ...]) -> None:
    # Every event of the interpreter comes here, so events that are not ours return at once.
    if event != "open" and event not in _FILE_EVENTS and event not in _OUTSIDE:
        return
    current = watcher.get()
    if current is None:
        return
    if event in _OUTSIDE:
        if event == "socket.connect":
            # Checked within acts as well: an effect source may be about to reach a real server.
            check_connection(args[1])
        place = _OUTSIDE[event]
        current.outside(f"{event}({args[place] if place < len(args) else ''!r})")
    elif event == "open":
        if _opens_for_writing(*args[:3]):
            current.changing(f"open({_name(args[0])!r}, {args[1]!r})")
    else:
        names = args[:2] if event in ("os.rename", "os.link", "os.symlink") else args[:1]
        current.changing(f"{event}({', '.join(repr(_name(name)) for name in names)})")


def _opens_for_writing(path: Any, mode: Any = None, flags: Any = None) -> bool:
    if isinstance(path, int) or path is None:
        return False
    name = os.fsdecode(path)
    if name.endswith((".pyc", os.devnull)) or "__pycache__" in name:
        return False
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITE_FLAGS)


def _name(path: Any) -> str | int:
    # Where the system allows it, an open file may stand for its path.
    return path if isinstance(path, int) else Path(os.fsdecode(path)).name
