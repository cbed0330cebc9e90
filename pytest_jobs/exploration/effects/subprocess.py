"""What jobs let other programs do."""

from __future__ import annotations

import errno
import functools
import os
import shlex
import subprocess
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, Final

from ...harness.records.patches import Patches
from ..engine.acts import Act, Watch, acting, note_connection, note_effect
from .wrapping import in_delivery, surround

library: Final = "subprocess"


def install(patches: Patches) -> None:
    """Watch the programs that are started: starting one is its effect, whatever it ends with.

    `run` is an effect up to the end of the program, and starts it by `Popen`. That start is part of it, but
    notes the effect. All other functions of the module start programs by `Popen` alone.
    """
    outliving: list[subprocess.Popen[Any]] = []

    def end_all() -> None:
        for process in outliving:
            process.kill()
            process.wait()

    def leave(process: subprocess.Popen[Any]) -> None:
        """Do what the kernel does to a program when the worker that started it dies: close its pipes."""
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        if process.poll() is None:
            outliving.append(process)

    def start(
        current: object, genuine: Any, process: Any, args: Any, *rest: Any, **options: Any
    ) -> None:
        act = _act(args)
        with acting(act):
            genuine(process, args, *rest, **options)
            note_connection(functools.partial(leave, process))
            note_effect(act)

    def wait(current: Watch, genuine: Any, process: Any, *args: Any, **kwargs: Any) -> Any:
        # A dead worker waits for nobody, also where its `with` block ends.
        return process.poll() if current.dead else genuine(process, *args, **kwargs)

    patches.undo_by(end_all)
    in_delivery(patches, subprocess.Popen, "__init__", start)
    in_delivery(patches, subprocess.Popen, "wait", wait)
    is_stub = getattr(subprocess.run, "__module__", library) != library
    surround(patches, subprocess, "run", functools.partial(_run, counts=is_stub))
    surround(patches, os, "system", lambda command: acting(_act(command, counts=True)))


def _run(*popenargs: Any, counts: bool, **options: Any) -> AbstractContextManager[None]:
    # A stub that the test has put in place starts no program, so that the call itself is the effect.
    args = popenargs[0] if popenargs else options.get("args", ())
    limit = options.get("timeout")
    too_late = None if limit is None else lambda: subprocess.TimeoutExpired(args, limit)
    return acting(_act(args, too_late, counts=counts))


def _act(
    args: Any, answer_lost: Callable[[], Exception] | None = None, *, counts: bool = False
) -> Act:
    single = not isinstance(args, Sequence) or isinstance(args, str | bytes)
    given: Sequence[Any] = [args] if single else args
    words = tuple(map(os.fsdecode, given))
    return Act(
        "subprocess",
        shlex.join(words) if len(words) > 1 else "".join(words),
        counts=counts,
        value=words,
        refused=lambda: OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        answer_lost=answer_lost,
    )
