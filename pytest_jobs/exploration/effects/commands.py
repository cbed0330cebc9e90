"""What jobs let other programs do."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import shlex
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, Final

from ...harness.records.patches import Patches
from ..engine.acts import Act, note_connection, note_effect, perform_act

library: Final = "subprocess"


def install(patches: Patches) -> None:
    """Hear of the programs that are started: each has its effect, whatever it ends with."""
    _hear_of_starts(patches)
    _hear_of_runs(patches)
    # Advised against, and used all the same.
    system: Callable[[Any], int] = vars(os)["system"]

    @functools.wraps(system)
    def heard(command: Any) -> int:
        return perform_act(_act(command, counts=True), lambda: system(command))

    patches.set(os, "system", heard)


def _hear_of_starts(patches: Patches) -> None:
    left = _Left()
    patches.undo_by(left.end)
    start: Any = subprocess.Popen.__init__

    @functools.wraps(start)
    def heard(self: Any, args: Any, *rest: Any, **options: Any) -> None:
        act = _act(args)

        def do() -> None:
            start(self, args, *rest, **options)
            note_connection(lambda: left.take(self))
            note_effect(act)

        perform_act(act, do)

    patches.set(subprocess.Popen, "__init__", heard)


class _Left:
    """The programs that outlived the delivery that had started them, as those of a killed worker do."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[Any]] = []

    def take(self, process: subprocess.Popen[Any]) -> None:
        """Close its pipes, as the kernel does, and keep it if it still runs."""
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        if process.poll() is None:
            self._running.append(process)

    def end(self) -> None:
        """End those that still run when the exploration is over."""
        for process in self._running:
            process.kill()
            process.wait()


def _hear_of_runs(patches: Patches) -> None:
    """Let a run be one act to its end, of which the start is part."""
    run = subprocess.run

    @functools.wraps(run)
    def heard(*popenargs: Any, **options: Any) -> Any:
        args = popenargs[0] if popenargs else options.get("args", ())
        limit = options.get("timeout")

        def too_late() -> Exception:
            return subprocess.TimeoutExpired(args, limit or 0)

        act = _act(args, None if limit is None else too_late)
        return perform_act(act, lambda: run(*popenargs, **options))

    patches.set(subprocess, "run", heard)


def _act(
    args: Any, answer_lost: Callable[[], Exception] | None = None, *, counts: bool = False
) -> Act:
    words = _words(args)
    return Act(
        "subprocess",
        shlex.join(words) if len(words) > 1 else "".join(words),
        counts=counts,
        value=words,
        refused=_no_memory,
        answer_lost=answer_lost,
    )


def _words(args: Any) -> tuple[str, ...]:
    if isinstance(args, Sequence) and not isinstance(args, str | bytes):
        return tuple(os.fsdecode(word) for word in args)
    return (os.fsdecode(args),)


def _no_memory() -> Exception:
    return OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
