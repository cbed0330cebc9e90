"""Adapters without a queue server: `InlineAdapter` for scripts, `TestAdapter` for other test runners."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, MutableSequence

from .core.execution import perform_to_end
from .core.foundation.payload import GIVEN_UP, DeadLetter, Execution, Payload
from .errors import LoopLimitError, RunningLoopError


def _deliver(payload: Payload, dead: list[DeadLetter]) -> Execution:
    """Perform a payload once. If the job is given up, a dead letter is added to `dead`."""
    execution = perform_to_end(payload)
    if execution.status in GIVEN_UP:
        dead.append(DeadLetter(payload, execution.status, execution.error))
    return execution


def _take_out(payloads: MutableSequence[Payload], job_id: str) -> Payload | None:
    """Remove the first payload of a job from a sequence and return it; None when there is none."""
    found = next((payload for payload in payloads if payload.job_id == job_id), None)
    if found is not None:
        payloads.remove(found)
    return found


class InlineAdapter:
    """For scripts and consoles: no queue, no worker.

    A job that fails raises its error to whoever enqueued it, after the jobs that wait behind it were
    performed. A job that is due later, a retry included, is not performed early, as no worker would do
    that: it stays in `scheduled` until `perform_scheduled` is called.
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
        """Take back a waiting or scheduled job and return its payload: for `unique(on_conflict="replace")`."""
        return _take_out(self._waiting, job_id) or _take_out(self.scheduled, job_id)

    def perform_scheduled(self) -> None:
        """Perform the jobs in `scheduled` now, however late they are due; their retries are scheduled again."""
        self._waiting.extend(self.scheduled)
        self.scheduled.clear()
        self._run()

    def _run(self) -> None:
        errors: list[BaseException] = []
        self._running = True
        try:
            while self._waiting:
                try:
                    execution = _deliver(self._waiting.popleft(), self.dead)
                except RunningLoopError as error:
                    # Only of this job: those behind it can be performed.
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


#: How many jobs `perform_due` performs before it takes them for a loop.
_LIMIT = 10_000


class TestAdapter:
    """Keeps every payload in a list. The fixtures of the plugin do much more.

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
        """Take back a pending job and return its payload: for `unique(on_conflict="replace")`."""
        return _take_out(self.pending, job_id)

    def perform(self, payload: Payload) -> Execution:
        """Perform one payload and return its execution; errors of the job are not raised.

        Raises:
            RunningLoopError: for a coroutine job inside a running event loop; it stays pending.
        """
        place = self.pending.index(payload) if payload in self.pending else None
        if place is not None:
            del self.pending[place]
        try:
            return _deliver(payload, self.dead)
        except RunningLoopError:
            if place is not None:
                self.pending.insert(place, payload)
            raise

    def perform_due(self) -> list[Execution]:
        """Perform the jobs that are due, and those that they enqueue, in the order of enqueueing.

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
