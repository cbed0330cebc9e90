"""What jobs write to sockets and files that are open, by functions of which Python reports nothing."""

from __future__ import annotations

import functools
import os
import socket
import stat
import sys
from pathlib import Path
from types import FrameType
from typing import Any, Final
from weakref import WeakSet

from ....harness.records.patches import Patches
from ...engine.acts import Watch
from ...stores.account import accounts
from ...stores.files import logs, package_of
from ..doubles.call_kinds import kinds_of
from ..wrapping import after_calls, before_calls

library: Final = "socket"

#: Functions of `os` that write at once, and the place of the argument with the number of the open file.
_WRITING: Final = {
    **dict.fromkeys(("write", "writev", "pwrite", "pwritev", "sendfile"), 0),
    **dict.fromkeys(("copy_file_range", "splice"), 1),
}
#: The output of the program, which is no effect, like a log.
_STANDARD: Final = (1, 2)


def install(patches: Patches) -> None:
    """Refuse bytes on sockets that are older than the check, and let each write to an open file be a point.

    A socket that is made later was either connected by an effect or by the world, or its connection was refused.
    """
    new: WeakSet[socket.socket] = WeakSet()

    def made(returned: None, connection: Any, *args: Any, **kwargs: Any) -> None:
        new.add(connection)

    after_calls(patches, socket.socket, "__init__", made)
    ways: list[tuple[Any, str]] = [
        (socket.socket, name) for name in ("send", "sendall", "sendmsg", "sendfile")
    ]
    if "ssl" in sys.modules:
        # What TLS sends does not pass through the methods of the plain class. If `ssl` is imported later, all
        # its connections are new.
        ways += [(sys.modules["ssl"].SSLSocket, name) for name in ("send", "sendall", "write")]
    for owner, name in ways:
        before_calls(patches, owner, name, functools.partial(_sending, name, new))
    for name in _WRITING:
        before_calls(patches, os, name, functools.partial(_writing, name, new))

    def making_pipe(current: Watch, path: Any, *args: Any, **kwargs: Any) -> None:
        # It has no content, so it is compared by itself.
        current.changing(f"os.mkfifo({Path(os.fsdecode(path)).name!r})", counts=True)

    before_calls(patches, os, "mkfifo", making_pipe)


def _sending(
    name: str,
    new: WeakSet[socket.socket],
    current: Watch,
    connection: Any,
    *args: Any,
    **kwargs: Any,
) -> None:
    if connection not in new and not is_datagram(current, connection):
        _refuse(current, f"socket.{name}", _peer(connection), sys._getframe(3))


def _peer(connection: socket.socket) -> object:
    """Return the address of the other end; "" for one of a pair of sockets."""
    try:
        return connection.getpeername()
    except OSError:
        return "an unknown address"


def _refuse(current: Watch, function: str, peer: object, caller: FrameType) -> None:
    """Refuse bytes for an address.

    Libraries wake their event loops by pairs of sockets, and those bytes do not leave the process.
    """
    is_of_python = package_of(caller) in sys.stdlib_module_names
    is_installed = not is_of_python and not current.is_of_project(caller.f_code)
    if peer == "" and (caller.f_code.co_name == "_write_to_self" or is_installed):
        return
    if not logs():
        end = f"the open connection {peer!r}" if peer else "a pair of sockets that was open before"
        current.outside(f"{function} on {end}")


def _writing(
    name: str, new: WeakSet[socket.socket], current: Watch, *args: Any, **kwargs: Any
) -> None:
    number = next(iter(args[_WRITING[name] :]), None)
    if not isinstance(number, int) or number in _STANDARD:
        return
    kind = os.fstat(number).st_mode
    if stat.S_ISSOCK(kind):
        if any(each.fileno() == number for each in list(new)):
            return
        with socket.socket(fileno=os.dup(number)) as copy:
            peer = None if is_datagram(current, copy) else _peer(copy)
        if peer is not None:
            _refuse(current, f"os.{name}", peer, sys._getframe(3))
    elif stat.S_ISREG(kind) and not logs():
        if accounts.current is not None:
            accounts.current.wrote_to(number)
        current.changing(f"os.{name}({name_of_open_file(number)!r})")


def name_of_open_file(number: int) -> str:
    """Return the name of an open file without its folder. Its number means nothing."""
    try:
        return Path(f"/proc/self/fd/{number}").readlink().name
    except OSError:
        return "an open file"


#: What the result of a check says of them, once.
_NAME: Final = "datagrams"


def is_datagram(current: Watch, connection: Any) -> bool:
    """Return whether a socket sends datagrams, and have the result of the check say that none of them counts."""
    kind = connection if isinstance(connection, int) else getattr(connection, "type", None)
    if kind != socket.SOCK_DGRAM:
        return False
    kinds_of(current.of_search).note(_NAME, "nothing")
    return True
