"""Locks on files, by `fcntl`: a dead worker holds none, and a suspended one keeps others waiting."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import struct
import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ....harness.records.patches import Patches
from ...engine.acts import is_explored, looking, note_connection, skippable, watcher

library: Final = "fcntl"

#: Gets a file, an operation such as `LOCK_EX | LOCK_NB`, and which part of the file.
Lock: TypeAlias = Callable[..., None]

#: The C structure that describes a lock: its type, where the part of the file begins, and how long it is.
_DESCRIPTION: Final = "hhqqi"


def install(patches: Patches) -> None:
    """Let no delivery wait for a lock whose holder is suspended, as with a lock of a database."""
    patches.set(fcntl, "flock", _watched(fcntl.flock, fcntl.flock))
    if hasattr(fcntl, "F_OFD_SETLK"):
        patches.set(fcntl, "lockf", _watched(fcntl.lockf, _lock_open_file))


def _watched(lock: Lock, lock_in_delivery: Lock) -> Lock:
    @functools.wraps(lock)
    def watched(file: Any, operation: int, /, *part: int) -> None:
        if not is_explored():
            lock(file, operation, *part)
            return
        if operation & fcntl.LOCK_UN:
            lock_in_delivery(file, operation, *part)
            return
        current = watcher.get()
        with skippable():
            try:
                with looking(_is_held):
                    lock_in_delivery(file, operation | fcntl.LOCK_NB, *part)
            except OSError as error:
                given_up = current is not None and current.dead
                if given_up or operation & fcntl.LOCK_NB or not _is_held(error):
                    raise
                # The holder is another process.
                lock_in_delivery(file, operation, *part)
            note_connection(_releasing(file, lock_in_delivery))

    return watched


def _lock_open_file(
    file: Any, operation: int, length: int = 0, start: int = 0, whence: int = 0, /
) -> None:
    """Do what `fcntl.lockf` does, for an open file rather than for the process.

    A lock of `fcntl.lockf` belongs to a process, and all deliveries run in one: it would exclude none of them.
    """
    sys.audit("fcntl.lockf", file, operation, length, start, whence)
    kind = fcntl.F_RDLCK if operation & fcntl.LOCK_SH else fcntl.F_WRLCK
    if operation & fcntl.LOCK_UN:
        kind = fcntl.F_UNLCK
    # By name, since only Linux has them.
    command = vars(fcntl)["F_OFD_SETLK" if operation & fcntl.LOCK_NB else "F_OFD_SETLKW"]
    fcntl.fcntl(file, command, struct.pack(_DESCRIPTION, kind, whence, start, length, 0))


def _is_held(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.EAGAIN, errno.EWOULDBLOCK)


def _releasing(file: Any, lock: Lock) -> Callable[[], None]:
    """Return what releases a lock, as the kernel does when it closes the files of a dead process."""
    number = file if isinstance(file, int) else file.fileno()
    locked = os.fstat(number)

    def release() -> None:
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(number), locked):
                lock(number, fcntl.LOCK_UN)

    return release
