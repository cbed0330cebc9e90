"""Records jobs and performs them when asked: for test runners other than pytest."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..core.dead_letter import DeadLetter
from ..core.execution import Execution
from ..core.payload import Payload
from ..errors import LoopLimitError, RunningLoopError
from .delivery import deliver, taken_out

#: How many jobs `perform_due` performs before it takes them for a loop.
_LIMIT = 10_000


class TestAdapter:
    """Keeps every payload in a list. The fixtures of the plugin can do much more.

    Args:
        now_ns: returns the time in nanoseconds since the epoch; the system's by default.
    """

    __test__ = False

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self.now_ns = now_ns
        #: Every payload, retries included, in the order of enqueueing.
        self.enqueued: list[Payload] = []
        #: Those that have not been performed yet.
        self.pending: list[Payload] = []
        #: The jobs that were given up.
        self.dead: list[DeadLetter] = []

    def enqueue(self, payload: Payload) -> None:
        """Record the payload."""
        self.enqueued.append(payload)
        self.pending.append(payload)

    def withdraw(self, job_id: str) -> Payload | None:
        """Take back and return what is pending of a job; for `unique(on_conflict="replace")`."""
        return taken_out(self.pending, job_id)

    def perform(self, payload: Payload) -> Execution:
        """Perform one payload and return what came of it; errors of the job are not raised.

        Raises:
            RunningLoopError: for a coroutine job inside a running event loop; it stays pending.
        """
        place = self.pending.index(payload) if payload in self.pending else None
        if place is not None:
            del self.pending[place]
        try:
            return deliver(payload, self.dead)
        except RunningLoopError:
            if place is not None:
                self.pending.insert(place, payload)
            raise

    def perform_due(self) -> list[Execution]:
        """Perform what is due, and what that enqueues, in the order of enqueueing.

        Raises:
            LoopLimitError: when it goes on for more than 10,000 jobs.
        """
        executions: list[Execution] = []
        while due := [p for p in self.pending if p.due_ns is None or p.due_ns <= self.now_ns()]:
            if len(executions) == _LIMIT:
                raise LoopLimitError(
                    f"perform_due() stopped after {_LIMIT} jobs; next is {due[0].name}, which most likely "
                    "enqueues itself for ever: give its chain an end."
                )
            executions.append(self.perform(due[0]))
        return executions

    def clear(self) -> None:
        """Forget everything."""
        self.enqueued.clear()
        self.pending.clear()
        self.dead.clear()
