"""One run of a job as a scheduler submits it, and its delivery through the executor."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy
from datetime import datetime
from functools import partial
from typing import Any, Final

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_MISSED,
    EVENT_JOB_SUBMITTED,
    JobSubmissionEvent,
)
from apscheduler.executors.base import run_job
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.util import iscoroutinefunction_partial

from ...harness.time.waiting import in_running_loop, off_the_loop
from ..toolkit import JOB_ERRORS, REDELIVERY, Attempt, Delivery, Message, to_ns
from .schedulers import name_of

#: The schedulers whose default executor awaits coroutine functions.
_AWAITING: Final = frozenset(("AsyncIOScheduler", "TornadoScheduler"))
_SECOND_NS: Final = 1_000_000_000
#: The id of a job whose application chose none: a random UUID.
_MADE_ID: Final = re.compile(r"[0-9a-f]{12}4[0-9a-f]{19}")


class Run(Message):
    """One run of a job."""

    __slots__ = ("_arguments", "has_own_id", "job", "late_ns", "run_time", "scheduler")

    def __init__(
        self,
        scheduler: BaseScheduler,
        job: Any,
        run_time: datetime,
        job_id: str,
        now_ns: int,
    ) -> None:
        """Describe a run by the id of its job, or for a job that recurs by an id of its own."""
        due_ns = to_ns(run_time, "run_time")
        super().__init__(
            name_of(job.func),
            job_id,
            now_ns,
            queue=job.executor,
            due_ns=due_ns if due_ns > now_ns else None,
        )
        self.scheduler = scheduler
        self.has_own_id = _MADE_ID.fullmatch(job_id) is None
        self.job = job
        self.run_time = run_time
        #: How late it was already when it was enqueued: its date was past, or the scheduler was paused.
        self.late_ns = max(0, now_ns - due_ns)
        self._arguments = snapshot(tuple(job.args), dict(job.kwargs))

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return a copy of the arguments, as they were when the job was added."""
        args, kwargs = self._arguments()
        return args, kwargs

    @property
    def exceeded_grace(self) -> int | None:
        """The seconds of grace, when the run was later than that at its enqueue; None when it is to run.

        How much later the test performs it is no delay of the scheduler.
        """
        default = self.scheduler._job_defaults["misfire_grace_time"]
        seconds: int | None = getattr(self.job, "misfire_grace_time", default)
        return seconds if seconds is not None and self.late_ns > seconds * _SECOND_NS else None

    @property
    def is_coroutine(self) -> bool:
        """Whether the function is a coroutine function."""
        return bool(iscoroutinefunction_partial(self.job.func))

    @property
    def is_awaited(self) -> bool:
        """Whether the executor of the scheduler awaits coroutine functions."""
        return any(each.__name__ in _AWAITING for each in type(self.scheduler).__mro__)


def snapshot(args: Any, kwargs: Any) -> Callable[[], Any]:
    """Return a function that returns copies of arguments, or these where they cannot be copied."""
    try:
        return partial(pickle.loads, pickle.dumps((args, kwargs)))
    except Exception:
        # Only a store that writes jobs down needs to pickle them.
        try:
            return partial(deepcopy, deepcopy((args, kwargs)))
        except Exception:
            return lambda: (args, kwargs)


class RunAttempt(Attempt[Run]):
    """One delivery of a run, with what is noted of it."""

    raised: BaseException | None = None

    def run(self) -> Delivery:
        """Run a function as an executor with threads does."""

        def body(*args: Any, **kwargs: Any) -> Any:
            try:
                return self.around(partial(self.message.job.func, *args, **kwargs))
            except BaseException as error:
                self.raised = error
                raise

        if self.message.is_coroutine:
            return self.failed(
                TypeError(
                    f"{self.message.name} is a coroutine function, and {type(self.message.scheduler).__name__} "
                    "never awaits it: use AsyncIOScheduler, or a plain function that calls asyncio.run."
                )
            )
        with off_the_loop() if in_running_loop() else nullcontext():
            return self._ended(run_job(*self._submitted(body)))

    async def run_coroutine(self) -> Delivery:
        """Run a coroutine function as an executor on an event loop does."""
        from apscheduler.executors.asyncio import run_coroutine_job

        async def body(*args: Any, **kwargs: Any) -> Any:
            try:
                return await self.around(partial(self.message.job.func, *args, **kwargs))
            except BaseException as error:
                self.raised = error
                raise

        return self._ended(await run_coroutine_job(*self._submitted(body)))

    def _submitted(self, body: Callable[..., Any]) -> tuple[Any, str, list[datetime], str]:
        """Tell the listeners that the run was submitted, and return what an executor calls its function with."""
        message = self.message
        job = message.job
        alias = job._jobstore_alias or "default"
        args, kwargs = self._arguments()
        run_times = [message.run_time]
        message.scheduler._dispatch_event(
            JobSubmissionEvent(EVENT_JOB_SUBMITTED, job.id, alias, run_times)
        )
        called = _Called(job, body, args, kwargs, message.exceeded_grace)
        return called, alias, run_times, f"apscheduler.executors.{job.executor}"

    def _arguments(self) -> tuple[Any, Any]:
        """Return the arguments. A store in memory gives the very objects that the application has added."""
        job = self.message.job
        store = self.message.scheduler._jobstores.get(job._jobstore_alias or "default")
        is_written = store is not None and store.is_writing
        if is_written or self.record.origin == REDELIVERY:
            return self.message.arguments()
        return job.args, job.kwargs

    def _ended(self, events: list[Any]) -> Delivery:
        error = self.raised
        if error is not None and not isinstance(error, JOB_ERRORS):
            # The executor swallows it. It stands for a process that is killed, which reports nothing.
            raise error
        for event in events:
            self.message.scheduler._dispatch_event(event)
        (event,) = events
        if event.code == EVENT_JOB_MISSED:
            return Delivery(self.record, self.now_ns, "discarded")
        if event.code == EVENT_JOB_ERROR:
            return self.failed(event.exception)
        return self.performed(event.retval)


class _Called:
    """A job with another function, for the executor."""

    def __init__(
        self, job: Any, func: Callable[..., Any], args: Any, kwargs: Any, grace: int | None
    ) -> None:
        self._job = job
        self.func, self.args, self.kwargs = func, args, kwargs
        self.misfire_grace_time = grace

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)

    def __str__(self) -> str:
        return str(self._job)
