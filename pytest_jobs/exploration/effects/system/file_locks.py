"""Locks on files, by `fcntl`: a dead worker holds none, and a suspended one keeps others waiting."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import select
import struct
import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ....harness.records.patches import Patches
from ...engine.acts import looking, note_connection, refuse_delivery, skippable, watcher
from ..wrapping import in_check
from .open_files import name_of_open_file

library: Final = "fcntl"

#: Gets a file, an operation such as `LOCK_EX | LOCK_NB`, and which part of the file.
Lock: TypeAlias = Callable[..., None]

#: The C structure that describes a lock: its type, where the part of the file begins, and how long it is.
_DESCRIPTION: Final = "hhqqi"
#: How often another process is asked for its lock, and how long after one another, in seconds.
_TRIES: Final = 1_000
_PAUSE: Final = 0.01
_STAYS_HELD: Final = (
    "The job waits for a lock on {name!r} that something outside of its deliveries holds, such as the test or "
    "another process, and {seconds:.0f} s have passed. Release the lock before the check, or let the world make "
    "a file of its own."
)


def install(patches: Patches) -> None:
    """Let no delivery wait for a lock whose holder is suspended, as with a lock of a database."""
    patches.set(fcntl, "flock", _watched(fcntl.flock, fcntl.flock))
    if hasattr(fcntl, "F_OFD_SETLK"):
        patches.set(fcntl, "lockf", _watched(fcntl.lockf, _lock_open_file))


def _watched(lock: Lock, lock_in_delivery: Lock) -> Lock:
    # The test and its world have the locks of their process.
    own = in_check(lock_in_delivery, lock)

    @functools.wraps(lock)
    def watched(file: Any, operation: int, /, *part: int) -> None:
        current = watcher.get()
        if current is None or operation & fcntl.LOCK_UN:
            own(file, operation, *part)
            return
        with skippable():
            try:
                with looking(_is_held):
                    own(file, operation | fcntl.LOCK_NB, *part)
            except OSError as error:
                if current.dead or operation & fcntl.LOCK_NB or not _is_held(error):
                    raise
                _wait(own, file, operation, *part)
            note_connection(_releasing(file, own))

    return watched


def _wait(lock: Lock, file: Any, operation: int, *part: int) -> None:
    """Wait until another process releases a lock: really, since the time of the test would not pass there."""
    for _ in range(_TRIES):
        select.select((), (), (), _PAUSE)
        try:
            lock(file, operation | fcntl.LOCK_NB, *part)
        except OSError as error:
            if not _is_held(error):
                raise
        else:
            return
    name = name_of_open_file(file if isinstance(file, int) else file.fileno())
    refuse_delivery(_STAYS_HELD.format(name=name, seconds=_TRIES * _PAUSE))


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
