"""Performs each job in this process, as soon as the one running has ended."""

from __future__ import annotations

import time
from collections import deque

from ..core.dead_letter import DeadLetter
from ..core.payload import Payload
from ..errors import RunningLoopError
from .delivery import deliver, taken_out


class InlineAdapter:
    """For scripts and consoles: no queue, no worker.

    A job that fails raises its error to whoever enqueued it, after the jobs that wait behind it were
    performed. A job that is due later, a retry included, is not performed at once, since that would be
    another program: it stays in `scheduled` until `perform_scheduled` is called.
    """

    def __init__(self) -> None:
        #: The payloads that are due later, in the order of enqueueing.
        self.scheduled: list[Payload] = []
        #: The jobs that were given up.
        self.dead: list[DeadLetter] = []
        self._waiting: deque[Payload] = deque()
        self._running = False

    def now_ns(self) -> int:
        """Return the time of the system."""
        return time.time_ns()

    def enqueue(self, payload: Payload) -> None:
        """Perform the payload, after the job that enqueued it.

        Raises:
            RunningLoopError: for a coroutine job inside a running event loop.
            BaseException: the error of a job that no rule dealt with.
        """
        if payload.due_ns is not None and payload.due_ns > payload.enqueued_ns:
            self.scheduled.append(payload)
            return
        self._waiting.append(payload)
        if not self._running:
            self._run()

    def withdraw(self, job_id: str) -> Payload | None:
        """Take back and return what waits or is scheduled of a job; for `unique(on_conflict="replace")`."""
        return taken_out(self._waiting, job_id) or taken_out(self.scheduled, job_id)

    def perform_scheduled(self) -> None:
        """Perform what is in `scheduled` now, however far off its time is; once, retries not included."""
        self._waiting.extend(self.scheduled)
        self.scheduled.clear()
        self._run()

    def _run(self) -> None:
        errors: list[BaseException] = []
        self._running = True
        try:
            while self._waiting:
                try:
                    execution = deliver(self._waiting.popleft(), self.dead)
                except (
                    RunningLoopError
                ) as error:  # Of this job alone: those behind it can be performed.
                    errors.append(error)
                    continue
                if execution.error is not None and not execution.handled:
                    errors.append(execution.error)
        finally:
            self._running = False
        if errors:
            for other in errors[1:]:
                errors[0].add_note(f"Another job failed too: {type(other).__name__}: {other}")
            raise errors[0]
