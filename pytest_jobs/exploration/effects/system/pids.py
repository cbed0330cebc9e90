"""The process id of each delivery, and the signals that jobs send to processes.

There are two sources here: this module itself is the one for the standard library, `psutil` the one for psutil.
"""

from __future__ import annotations

import builtins
import errno
import functools
import io
import os
import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import watcher
from ...stores.files import package_of
from ..wrapping import before_calls, source_of

library: Final = "posix"

#: Installed packages that write the process id down as the owner of a lock. All others compare it with an
#: earlier one, to find out whether they were forked, and are to find the real one.
_LOCKS: Final = frozenset(
    ("daemon", "fasteners", "filelock", "lockfile", "pid", "pidfile", "portalocker", "zc")
)
#: Modules with a property that returns the id of the current process to the code of the project.
_WITH_PROPERTY: Final = frozenset(("billiard.process", "multiprocessing.process"))
_OF_PROCESS: Final = re.compile(r"/proc/(\d+)(?=/|$)")


def install(patches: Patches) -> None:
    """Give each delivery a process id of its own, and let it be dead when the delivery is."""
    getpid, kill = os.getpid, os.kill
    folders = _ProcessFolders(patches, getpid)

    @functools.wraps(getpid)
    def own_id() -> int:
        current = watcher.get()
        if current is None or not _shows_the_process(sys._getframe(1)):
            return getpid()
        folders.translate()
        return current.process_id() or getpid()

    @functools.wraps(kill)
    def kill_watched(pid: int, sig: int, /) -> None:
        current = watcher.get()
        alive = None if current is None else current.is_alive(pid)
        if current is None or alive is None:
            kill(pid, sig)
        elif not alive:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        elif sig:
            current.outside(f"os.kill({pid}, {sig}), a signal to the worker of a delivery")

    patches.set(os, "getpid", own_id)
    patches.set(os, "kill", kill_watched)
    # With the process the whole session of the tests would end.
    before_calls(patches, os, "_exit", lambda current, n: current.outside(f"os._exit({n!r})"))
    before_calls(patches, os, "abort", lambda current: current.outside("os.abort()"))


class _ProcessFolders:
    """Lets the id and the folder of a living delivery stand for this process, for code that looks there."""

    def __init__(self, patches: Patches, getpid: Callable[[], int]) -> None:
        self._patches = patches
        self._getpid = getpid
        self._translates = False

    def translate(self) -> None:
        """Replace the functions that look at a process, as soon as a job has asked for its id."""
        if self._translates:
            return
        self._translates = True
        for owner, name in (
            (os, "getpgid"),
            (os, "getsid"),
            (os, "stat"),
            (builtins, "open"),
            (io, "open"),
        ):
            function = getattr(owner, name)
            translated = self._translated(function)
            self._patches.set(owner, name, translated)
            # `shutil` asks these sets what a function is able to do.
            for able in (os.supports_follow_symlinks, os.supports_dir_fd, os.supports_fd):
                if function in able:
                    able.add(translated)
                    self._patches.undo_by(functools.partial(able.discard, translated))

    def _translated(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def translated(target: Any, *args: Any, **kwargs: Any) -> Any:
            current = watcher.get()
            if current is not None:
                target = self._real(target, current.is_alive)
            return function(target, *args, **kwargs)

        return translated

    def _real(self, target: Any, is_alive: Callable[[int], bool | None]) -> Any:
        if isinstance(target, int):
            return self._getpid() if is_alive(target) else target
        path = os.fspath(target) if isinstance(target, os.PathLike) else target
        if not isinstance(path, str) or not path.startswith("/proc/"):
            return target
        found = _OF_PROCESS.match(path)
        if found is None or not is_alive(int(found[1])):
            return target
        return f"/proc/{self._getpid()}{path[found.end() :]}"


def _shows_the_process(frame: FrameType | None) -> bool:
    """Return whether the id that some code asks for becomes visible to the project or to other processes."""
    current = watcher.get()
    while frame is not None and frame.f_globals.get("__name__") in _WITH_PROPERTY:
        frame = frame.f_back
    if frame is None or current is None:
        return False
    return package_of(frame) in _LOCKS or current.is_of_project(frame.f_code)


@source_of("psutil")
def psutil(patches: Patches, module: Any) -> None:
    """Let the process of a living delivery be this one, by its own id."""
    exists, init = module.pid_exists, module.Process._init

    @functools.wraps(exists)
    def exists_watched(pid: int) -> bool:
        current = watcher.get()
        alive = None if current is None else current.is_alive(pid)
        return exists(pid) if alive is None else alive

    @functools.wraps(init)
    def init_watched(process: Any, pid: int | None, *args: Any, **kwargs: Any) -> None:
        current = watcher.get()
        if current is not None and pid is None and _shows_the_process(_outside_of_psutil()):
            # As the project would ask by itself.
            pid = current.process_id()
        if current is None or pid is None or not current.is_alive(pid):
            init(process, pid, *args, **kwargs)
            return
        init(process, None, *args, **kwargs)
        process._pid = pid

    patches.set(module, "pid_exists", exists_watched)
    patches.set(module.Process, "_init", init_watched)


def _outside_of_psutil() -> FrameType | None:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(
        ("psutil", __name__)
    ):
        frame = frame.f_back
    return frame
