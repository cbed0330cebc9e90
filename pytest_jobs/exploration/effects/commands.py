"""What jobs let other programs do."""

from __future__ import annotations

import errno
import functools
import os
import shlex
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, Final

from ...harness.patches import Patches
from ..acts import Act, note_effect, perform_act

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
    start: Any = subprocess.Popen.__init__

    @functools.wraps(start)
    def heard(self: Any, args: Any, *rest: Any, **options: Any) -> None:
        act = _act(args)

        def do() -> None:
            start(self, args, *rest, **options)
            note_effect(act)

        perform_act(act, do)

    patches.set(subprocess.Popen, "__init__", heard)


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
