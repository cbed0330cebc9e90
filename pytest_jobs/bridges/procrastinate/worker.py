"""One delivery through Procrastinate's worker, and what it came to."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from copy import copy
from datetime import datetime
from typing import Any

from procrastinate import App, utils as procrastinate_utils
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason, JobContext
from procrastinate.jobs import Job
from procrastinate.tasks import Task
from procrastinate.worker import Worker

from ...harness.time.waiting import off_the_loop
from ..toolkit import JOB_ERRORS, Attempt, Delivery, Seam, current_attempt, to_datetime
from .rows import SentJob


class TaskAttempt(Attempt[SentJob]):
    """One delivery of a task, with what is noted of it while it runs."""

    result: object = None
    #: What the function raised, or what a middleware made of it.
    raised: BaseException | None = None
    #: The time that Procrastinate read last, in nanoseconds since the epoch.
    computed_from_ns: int | None = None

    @property
    def is_killed(self) -> bool:
        """Whether a worker would have died. Procrastinate takes every error for one of the job."""
        of_job = (asyncio.CancelledError, *JOB_ERRORS)
        return self.raised is not None and not isinstance(self.raised, of_job)

    @contextmanager
    def _noting(self) -> Generator[None, None, None]:
        try:
            yield
        except BaseException as error:
            self.raised = error
            raise

    def noting(self, body: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that calls another by `around`, of the same kind, and notes what it raises."""
        if inspect.iscoroutinefunction(body):

            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with self._noting():
                    return await self.around(lambda: body(*args, **kwargs))

            return awaited

        def called(*args: Any, **kwargs: Any) -> Any:
            with self._noting():
                return self.around(lambda: body(*args, **kwargs))

        return called


class _AppOfTask:
    """An app whose task has another function: that of the application stays as it is."""

    def __init__(self, app: App, task: Task[Any, Any, Any]) -> None:
        self._app = app
        self.tasks = {task.name: task, **dict.fromkeys(task.aliases, task)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)


class HarnessWorker(Worker):  # type: ignore[misc]
    """A worker that performs one job when it is told to, and never polls."""

    async def perform(
        self, attempt: TaskAttempt, app: App, task: Task[Any, Any, Any], row: dict[str, Any]
    ) -> str:
        """Perform one job, and return the status of its row.

        Raises:
            BaseException: an error of the job that does not derive from Exception.
        """
        noting = copy(task)
        noting.func = attempt.noting(task.func)
        self.app = _AppOfTask(app, noting)
        self.worker_id = row["worker_id"]

        def abort_reason() -> AbortReason | None:
            return AbortReason.USER_REQUEST if row["abort_requested"] else None

        context = JobContext(
            app=app,
            worker_name=self.worker_name,
            worker_queues=self.queues,
            additional_context=dict(self.additional_context or {}),
            job=Job.from_row(row),
            abort_reason=abort_reason,
            start_timestamp=time.time(),
        )
        await self._process_job(context)
        status: str = row["status"]
        return status

    def _log_job_outcome(self, *, job_result: Any, exc_info: Any = False, **given: Any) -> None:
        """Note what the middlewares have made of the result and of the error."""
        attempt = current_attempt.get()
        if isinstance(attempt, TaskAttempt):
            attempt.result = job_result.result
            if not attempt.is_killed:
                attempt.raised = exc_info or None
        super()._log_job_outcome(job_result=job_result, exc_info=exc_info, **given)


def delivery_of(attempt: TaskAttempt, task: Task[Any, Any, Any], row: dict[str, Any]) -> Delivery:
    """Return what a run came to."""
    error = attempt.raised
    if attempt.again is not None:
        return attempt.retried(error, is_exact=True)
    if error is None:
        return attempt.performed(attempt.result)
    if isinstance(error, (JobAborted, asyncio.CancelledError)):
        return Delivery(attempt.record, attempt.now_ns, "cancelled", error=error)
    return attempt.failed(error, "exhausted" if _is_used_up(task, row, error) else "failed")


def _is_used_up(task: Task[Any, Any, Any], row: dict[str, Any], error: BaseException) -> bool:
    """Say whether the job would have been retried for this error, had there been fewer attempts."""
    strategy = task.retry_strategy
    if strategy is None or attempts_of(row) == 0:
        return False
    first = Job.from_row({**row, "attempts": 0})
    return strategy.get_retry_exception(exception=error, job=first) is not None


def attempts_of(row: dict[str, Any]) -> int:
    """Return how often a job had run before its last run."""
    before: int = row["attempts"] - 1
    return before


def pin_time(seam: Seam) -> None:
    """Let Procrastinate take the time from the harness during a delivery, and run functions in this thread."""
    now, hop = procrastinate_utils.utcnow, procrastinate_utils.sync_to_async

    def utcnow() -> datetime:
        attempt = current_attempt.get()
        if not isinstance(attempt, TaskAttempt):
            found: datetime = now()
            return found
        now_ns = attempt.bridge.sink.now_ns()
        # A wait of 60 s ends 60 s after the time that was read.
        attempt.computed_from_ns = now_ns - now_ns % 1000
        return to_datetime(now_ns)

    async def sync_to_async(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function as if no loop were running, as in a thread of the worker."""
        if not isinstance(current_attempt.get(), TaskAttempt):
            return await hop(function, *args, **kwargs)
        with off_the_loop():
            return function(*args, **kwargs)

    seam.set(procrastinate_utils, "utcnow", utcnow)
    seam.set(procrastinate_utils, "sync_to_async", sync_to_async)
