"""Changes of files, and everything that leaves the process without an effect source: by Python's audit events."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from ...harness.records.patches import Patches
from ..engine.acts import Watch, audit_hook, watcher
from ..engine.sources import check_connection, is_near_name
from ..stores.files import logs, opens_for_writing
from .system.open_files import is_datagram, name_of_open_file

_ATTRIBUTES: Final = ("os.setxattr", "os.removexattr")
#: Changes that no content of a file shows. Each is compared by itself; the same change again is no second one.
_UNSEEN: Final = ("os.chmod", "os.chown", *_ATTRIBUTES)
#: Events that change a file, and how many of their arguments are paths.
_FILE_EVENTS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.utime", *_UNSEEN), 1),
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), 2),
}
_HIGHEST_ID: Final = 2**32 - 2
_SIGNALS: Final = ("os.kill", "os.killpg")
#: Events that leave the process, and the place of the argument that names the target.
_OUTSIDE: Final[Mapping[str, int]] = {
    **dict.fromkeys(("socket.connect", "socket.sendto", "subprocess.Popen"), 1),
    **dict.fromkeys(("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"), 0),
    **dict.fromkeys(_SIGNALS, 0),
}
#: Files that nobody writes to keep something.
_CACHE: Final = re.compile(rf"\.pyc$|__pycache__|{re.escape(os.devnull)}$")
#: Events that look at files, and change none.
_LOOKS: Final = frozenset(
    ("os.listdir", "os.scandir", "os.walk", "os.fwalk", "glob.glob", "glob.glob/2")
)
_FOR_ADDRESSES: Final = ("socket.getaddrinfo", "socket.gethostbyname")
#: Events that ask for the address of a host, or for the name of an address.
_LOOK_UPS: Final = (*_FOR_ADDRESSES, "socket.gethostbyaddr", "socket.getnameinfo")


library: Final = "os"


def install(patches: Patches) -> None:
    """Report audit events to watched deliveries from now on."""
    audit_hook.call(_on_event, (*_REPORTS, *_LOOKS))


def _on_event(event: str, args: tuple[Any, ...]) -> None:
    current = watcher.get()
    if current is not None and event in _LOOKS:
        current.look()
    elif current is not None:
        _REPORTS[event](current, event, args)


def _outside(current: Watch, event: str, args: tuple[Any, ...]) -> None:
    if not (event in _SIGNALS and _is_own_signal(*args)) and not logs():
        place = _OUTSIDE[event]
        current.outside(f"{event}({repr(args[place]) if place < len(args) else ''})")


def _sent(current: Watch, event: str, args: tuple[Any, ...]) -> None:
    if not is_datagram(current, args[0]):
        _outside(current, event, args)


def _connected(current: Watch, event: str, args: tuple[Any, ...]) -> None:
    if is_datagram(current, args[0]):
        # It only keeps the address to which datagrams go.
        return
    try:
        # Checked within effects as well: an effect source may be about to reach a real server.
        check_connection(args[1])
        _outside(current, event, args)
    except BaseException:
        # It would be left open, of which Python warns.
        args[0].close()
        raise


def _looked_up(current: Watch, event: str, args: tuple[Any, ...]) -> None:
    host = args[0]
    if event == "socket.getaddrinfo" and is_datagram(current, args[3]):
        return
    if not is_near_name(host, asks_for_address=event in _FOR_ADDRESSES) and not logs():
        # Checked within effects as well, and before the question leaves the machine.
        check_connection(host if isinstance(host, tuple) else (host, None))
        current.outside(f"{event}({host!r})")


def _opened(current: Watch, event: str, args: tuple[Any, ...]) -> None:
    current.look()
    path = args[0]
    if path is None or isinstance(path, int) or _CACHE.search(os.fsdecode(path)):
        return
    if opens_for_writing(*args[:3]) and not logs():
        current.changing(f"open({_name(path)!r}, {args[1]!r})")


def _changed(current: Watch, event: str, args: tuple[Any, ...]) -> None:
    if logs():
        # A handler that begins a new file.
        return
    names = [repr(_name(path)) for path in args[: _FILE_EVENTS[event]]]
    if event == "os.chmod":
        names.append(oct(args[1]))
    elif event == "os.chown":
        # The system takes the highest number for -1, which changes nothing.
        names += [str(-1 if number > _HIGHEST_ID else number) for number in args[1:3]]
    elif event in _ATTRIBUTES:
        names.append(repr(args[1]))
    counts = event in _UNSEEN and not _changes_nothing(event, args)
    current.changing(f"{event}({', '.join(names)})", counts=counts)


def _changes_nothing(event: str, args: tuple[Any, ...]) -> bool:
    """Return whether a file has the mode or the owner already, as a file that `dbm` has just made."""
    if event not in ("os.chmod", "os.chown"):
        return False
    try:
        found = os.fstat(args[0]) if isinstance(args[0], int) else Path(os.fsdecode(args[0])).stat()
    except (OSError, TypeError, ValueError):
        return False
    if event == "os.chmod":
        return bool(stat.S_IMODE(found.st_mode) == args[1])
    return all(
        number in (-1, _HIGHEST_ID + 1, own)
        for number, own in zip(args[1:3], (found.st_uid, found.st_gid), strict=True)
    )


def _opened_database(current: Watch, event: str, args: tuple[Any, ...]) -> None:
    from .sql.sqlite3 import is_opening

    # Before it is opened: of one that is left open Python warns.
    if not is_opening():
        current.outside("sqlite3.connect, under a name that it had before the check")


_REPORTS: Final[Mapping[str, Callable[[Watch, str, tuple[Any, ...]], None]]] = {
    "open": _opened,
    "sqlite3.connect": _opened_database,
    **dict.fromkeys(_FILE_EVENTS, _changed),
    **dict.fromkeys(_OUTSIDE, _outside),
    "socket.connect": _connected,
    "socket.sendto": _sent,
    **dict.fromkeys(_LOOK_UPS, _looked_up),
}


def _is_own_signal(process_id: int, sig: int) -> bool:
    """Return whether a signal only asks for a process, or goes to a program that the job has started."""
    if sig == 0:
        return True
    waits: Any = getattr(os, "waitid", None)
    if waits is None or process_id <= 0:
        return False
    try:
        # Succeeds for the children of this process alone, and takes nothing away from who waits for them.
        waits(os.P_PID, process_id, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:
        return False
    return True


def _name(path: Any) -> str:
    """Return the name of a file without its folder. Where the system allows it, an open file may stand for it."""
    return name_of_open_file(path) if isinstance(path, int) else Path(os.fsdecode(path)).name
