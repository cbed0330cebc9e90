"""The tasks that a delivery has left on its event loop: they go on as in a worker, or the test is told."""

from __future__ import annotations

import sys
import warnings
import weakref
from typing import Any, Final

from ...errors import LeftTaskWarning
from ..records.home import is_of_project
from ..records.record import JobRecord, call_text, current_record

#: So many turns of its loop may a task take that waits for no time.
_TURNS: Final = 100


class LeftTasks:
    """The tasks of the project that deliveries have left."""

    def __init__(self, *, noted: bool = True) -> None:
        """Note nothing yet, or nothing at all, where others look at what a delivery leaves."""
        self._noted = noted
        #: Each with its job and its name. Not kept alive here: a worker does not do so either.
        self._left: list[tuple[weakref.ref[Any], JobRecord, str]] = []

    def note(self, record: JobRecord, loop: Any = None) -> bool:
        """Note the tasks that a delivery leaves on a loop, by default the running one; return whether it left any.

        On Python 3.11 a task does not tell its context, so that nobody knows whose it is.
        """
        asyncio = sys.modules.get("asyncio") if self._noted else None
        if asyncio is None or (loop is None and asyncio._get_running_loop() is None):
            return False
        before = len(self._left)
        current = asyncio.current_task() if loop is None else None
        for task in asyncio.all_tasks(loop):
            if task is current or not hasattr(task, "get_context"):
                continue
            code = getattr(task.get_coro(), "cr_code", None)
            if code is None or task.get_context().get(current_record) is not record:
                continue
            if is_of_project(code.co_filename) and not task.cancelling():
                self._left.append((weakref.ref(task), record, f"{code.co_qualname}()"))
        return len(self._left) > before

    def any_waiting(self) -> bool:
        """Whether one of them has not ended."""
        return any((task := each[0]()) is not None and not task.done() for each in self._left)

    async def without_time(self) -> None:
        """Let them go on as long as they wait for no time."""
        import asyncio

        for _ in range(_TURNS):
            if not self.any_waiting():
                return
            await asyncio.sleep(0)

    async def for_seconds(self, seconds: float) -> None:
        """Let them go on for a time."""
        import asyncio

        await asyncio.sleep(seconds)

    def warn(self) -> None:
        """Tell the test which of them have failed or not ended."""
        left, self._left = self._left, []
        for reference, record, name in left:
            task = reference()
            end = ""
            if task is None or not task.done() or task.cancelled():
                end = "had not ended when the test ended: a worker goes on with it, and loses it when it stops"
            elif isinstance(error := task.exception(), Exception):
                end = f"has failed: {type(error).__name__}: {error}"
            if end:
                text = (
                    f"{call_text(record)} has left the task {name} behind, which {end}. Await it in the job, or "
                    "enqueue a job; or let time pass for it with `jobs.run_for(...)`."
                )
                warnings.warn(LeftTaskWarning(text), stacklevel=2)
