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
from ...engine.acts import Watch
from ...stores.files import package_of
from ..wrapping import before_calls, in_delivery, source_of

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
    # As soon as a job has asked for its id.
    translate = functools.cache(functools.partial(_translate, patches, os.getpid))

    def own_id(current: Watch, getpid: Callable[[], int]) -> int:
        if not _shows_the_process(current, sys._getframe(2)):
            return getpid()
        translate()
        return current.process_id() or getpid()

    in_delivery(patches, os, "getpid", own_id)
    in_delivery(patches, os, "kill", _kill)
    # With the process the whole session of the tests would end.
    before_calls(patches, os, "_exit", lambda current, n: current.outside(f"os._exit({n!r})"))
    before_calls(patches, os, "abort", lambda current: current.outside("os.abort()"))


def _kill(current: Watch, kill: Callable[[int, int], None], pid: int, sig: int, /) -> None:
    alive = current.is_alive(pid)
    if alive is None:
        kill(pid, sig)
    elif not alive:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    elif sig:
        current.outside(f"os.kill({pid}, {sig}), a signal to the worker of a delivery")


def _translate(patches: Patches, getpid: Callable[[], int]) -> None:
    """Let the id and the folder of a living delivery stand for this process, for code that looks there."""

    def translated(
        current: Watch, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        real = [_real(target, current.is_alive, getpid) for target in args[:1]]
        return function(*real, *args[1:], **kwargs)

    for owner, name in (
        *((os, "getpgid"), (os, "getsid"), (os, "stat")),
        *((builtins, "open"), (io, "open")),
    ):
        function = getattr(owner, name)
        in_delivery(patches, owner, name, translated)
        replaced = getattr(owner, name)
        # `shutil` asks these sets what a function is able to do.
        for able in (os.supports_follow_symlinks, os.supports_dir_fd, os.supports_fd):
            if function in able:
                able.add(replaced)
                patches.undo_by(functools.partial(able.discard, replaced))


def _real(target: Any, is_alive: Callable[[int], bool | None], getpid: Callable[[], int]) -> Any:
    if isinstance(target, int):
        return getpid() if is_alive(target) else target
    path = os.fspath(target) if isinstance(target, os.PathLike) else target
    found = _OF_PROCESS.match(path) if isinstance(path, str) else None
    if found is None or not is_alive(int(found[1])):
        return target
    return f"/proc/{getpid()}{path[found.end() :]}"


def _shows_the_process(current: Watch, frame: FrameType | None) -> bool:
    """Return whether the id that some code asks for becomes visible to the project or to other processes."""
    while frame is not None and frame.f_globals.get("__name__") in _WITH_PROPERTY:
        frame = frame.f_back
    return frame is not None and (
        package_of(frame) in _LOCKS or current.is_of_project(frame.f_code)
    )


@source_of("psutil")
def psutil(patches: Patches, module: Any) -> None:
    """Let the process of a living delivery be this one, by its own id."""

    def exists(current: Watch, genuine: Callable[[int], bool], pid: int) -> bool:
        alive = current.is_alive(pid)
        return genuine(pid) if alive is None else alive

    def init(
        current: Watch, genuine: Any, process: Any, pid: int | None, *args: Any, **kwargs: Any
    ) -> None:
        if pid is None:
            asking: FrameType | None = sys._getframe(2)
            while asking is not None and str(asking.f_globals.get("__name__")).startswith("psutil"):
                asking = asking.f_back
            if _shows_the_process(current, asking):
                # As the project would ask by itself.
                pid = current.process_id()
        if pid is None or not current.is_alive(pid):
            genuine(process, pid, *args, **kwargs)
            return
        genuine(process, None, *args, **kwargs)
        process._pid = pid

    in_delivery(patches, module, "pid_exists", exists)
    in_delivery(patches, module.Process, "_init", init)
