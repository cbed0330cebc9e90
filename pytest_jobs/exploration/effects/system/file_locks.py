"""Locks on files, by `fcntl.flock`: a dead worker holds none, and a suspended one keeps others waiting."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
from collections.abc import Callable
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import is_explored, looking, note_connection, skippable, watcher

library: Final = "fcntl"


def install(patches: Patches) -> None:
    """Let no delivery wait for a lock whose holder is suspended, as with a lock of a database."""
    flock: Callable[[Any, int], None] = fcntl.flock

    @functools.wraps(flock)
    def watched(file: Any, operation: int, /) -> None:
        if not is_explored() or operation & fcntl.LOCK_UN:
            flock(file, operation)
            return
        current = watcher.get()
        with skippable():
            try:
                with looking(_is_held):
                    flock(file, operation | fcntl.LOCK_NB)
            except OSError as error:
                given_up = current is not None and current.dead
                if given_up or operation & fcntl.LOCK_NB or not _is_held(error):
                    raise
                # The holder is another process.
                flock(file, operation)
            note_connection(_releasing(file, flock))

    patches.set(fcntl, "flock", watched)


def _is_held(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.EAGAIN, errno.EWOULDBLOCK)


def _releasing(file: Any, flock: Callable[[Any, int], None]) -> Callable[[], None]:
    """Return what releases a lock, as the kernel does when it closes the files of a dead process."""
    number = file if isinstance(file, int) else file.fileno()
    locked = os.fstat(number)

    def release() -> None:
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(number), locked):
                flock(number, fcntl.LOCK_UN)

    return release
