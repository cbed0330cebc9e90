"""One delivery through Oban's executor."""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from oban import _backoff, _executor
from oban._executor import Executor
from oban.job import Job, Record

from ...errors import DeclarationError
from ..toolkit import Attempt, Delivery, PinnedRandom, Seam, current_attempt, duration_ns
from .rows import SentJob

#: Where in its range a wait lies, while the bounds of its jitter are computed.
_drawn: ContextVar[float | None] = ContextVar("pytest_jobs_oban_drawn", default=None)
_LAST_BEFORE_ONE: Final = math.nextafter(1.0, 0.0)


class JobAttempt(Attempt[SentJob]):
    """One delivery of a job, with what is noted of it while it runs."""

    #: The job that the worker is given.
    job: Job | None = None
    #: Whether the executor has looked for the worker.
    is_begun = False

    async def execute(self, job: Job) -> Executor:
        """Perform a job as a queue of Oban does."""
        self.job = job
        return await Executor(job=job, safe=True).execute()

    def ended(self, executor: Executor) -> Delivery:
        """Return what a run came to that the library does not repeat."""
        result, state = executor.result, executor.action.state
        if state == "cancelled":
            return Delivery(self.record, self.now_ns, "cancelled", result)
        if state == "discarded":
            return self.failed(result, "exhausted" if executor.job.max_attempts > 1 else "failed")
        return self.performed(result.value if isinstance(result, Record) else result)

    def repeated(self, executor: Executor) -> Delivery:
        """Return what a run came to that the library repeats."""
        if executor.action.state == "scheduled":
            return self.retried(None, is_exact=True, status="snoozed")
        if self.drawn is None:
            return self.retried(executor.result, is_exact=True)
        # A `backoff` of the project may make of a draw what it likes.
        is_own = hasattr(executor.worker, "backoff")
        return self.retried(executor.result, bounds_ns=None if is_own else bounds_of(executor.job))


class _NotedWorker:
    """The worker of the application, whose `process` runs by the `around` of an attempt."""

    def __init__(self, worker: Any, attempt: JobAttempt) -> None:
        self._worker = worker
        self._attempt = attempt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._worker, name)

    async def process(self, job: Job) -> Any:
        body: Awaitable[Any] = self._attempt.around(partial(self._worker.process, job))
        return await body


class _PinnedJitter(PinnedRandom):
    """Stands in for `random` where Oban draws the jitter of a wait."""

    def random(self) -> float:
        drawn = _drawn.get()
        return super().random() if drawn is None else drawn


def pin(seam: Seam) -> None:
    """Let the executor perform by the attempt, and `jobs_jitter` decide on waits."""
    resolve = _executor.resolve_worker

    def resolve_worker(path: str) -> Callable[[], Any]:
        found: Callable[[], Any] = resolve(path)
        attempt = current_attempt.get()
        if not isinstance(attempt, JobAttempt) or attempt.is_begun:
            return found
        attempt.is_begun = True
        return lambda: _NotedWorker(found(), attempt)

    seam.set(_executor, "resolve_worker", resolve_worker)
    seam.set(_backoff, "random", _PinnedJitter(random))


def wait_of(attempt: int, max_attempts: int, drawn: float) -> int:
    """Return the seconds that Oban waits after an attempt, for what is drawn from 0 up to 1."""
    token = _drawn.set(drawn)
    try:
        seconds: int = _backoff.jittery_clamped(attempt, max_attempts)
        return seconds
    finally:
        _drawn.reset(token)


def bounds_of(job: Job) -> tuple[int, int]:
    """Return the shortest and the longest wait after an attempt, in nanoseconds."""
    lowest, highest = (
        wait_of(job.attempt, job.max_attempts, drawn) for drawn in (0.0, _LAST_BEFORE_ONE)
    )
    return duration_ns(lowest), duration_ns(highest)


def schedule_in_ns(executor: Executor) -> int:
    """Return the wait that an executor asks for, as the database computes it.

    Raises:
        DeclarationError: when it is not a number of seconds.
    """
    seconds = executor.action.schedule_in
    if seconds is None:
        return 0
    if not isinstance(seconds, (int, float)):
        source = "Snooze(...)" if executor.action.state == "scheduled" else "backoff()"
        raise DeclarationError(
            f"{source} of {executor.job.worker} waits for {seconds!r}, and Oban takes a number of seconds: "
            "PostgreSQL refuses anything else, and the job would stay `executing`."
        )
    # PostgreSQL casts it to an integer.
    return duration_ns(round(seconds))
