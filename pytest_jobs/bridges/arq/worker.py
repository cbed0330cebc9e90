"""One delivery through arq's worker, and what it came to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from copy import copy
from dataclasses import replace
from typing import Any

from arq.jobs import deserialize_result
from arq.worker import JobExecutionFailed, Worker

from ...harness.running.direct_calls import given_context
from ..toolkit import Attempt, out_of_task
from .settings import Task, WorkerSettings


class HarnessWorker(Worker):  # type: ignore[misc]
    """A worker that performs one job when it is told to, and never polls."""

    #: The delivery that a copy of the worker makes.
    _attempt: TaskAttempt

    @classmethod
    def of(cls, settings: WorkerSettings, pool: Any) -> HarnessWorker:
        """Return the worker that has some settings, with its `ctx` as it is before `on_startup`."""
        given = settings.options
        own = {"redis_pool": pool, "burst": True, "handle_signals": False}
        worker = cls(**{**given, **own, "ctx": dict(given.get("ctx") or {})})
        worker.ctx["redis"] = pool
        return worker

    async def life(self) -> AsyncGenerator[HarnessWorker, None]:
        """Start the worker, and shut it down when the event loop closes, which ends all async generators."""
        given = given_context.get()
        self.ctx.update(given or {})
        startup, shutdown = (self.on_startup, self.on_shutdown) if given is None else (None, None)
        if startup:
            await startup(self.ctx)
        try:
            yield self
        finally:
            if shutdown:
                await shutdown(self.ctx)

    async def receive(self, attempt: TaskAttempt, task: Task, score: int) -> None:
        """Perform one job.

        Raises:
            BaseException: an error of the job that does not derive from Exception, or the error of a hook.
        """
        once = copy(self)
        once._attempt, once.loop, once.job_tasks = attempt, asyncio.get_running_loop(), {}
        # A copy, since the worker of the application keeps its function.
        function = replace(task.function, coroutine=attempt.noting(task.body))
        once.functions = {task.name: function}
        try:
            await once.run_job(attempt.message.job_id, score)
        except BaseException:
            # Out of the task in which arq runs the function a SystemExit would end the loop.
            if attempt.ending is None:
                raise
        if attempt.ending is not None:
            raise attempt.ending

    async def finish_job(self, job_id: str, finish: bool, *rest: Any) -> None:
        self._attempt.is_finished = finish
        # The last argument: for how many seconds the job stays in progress. A cron job does for a minute, whatever
        # it asks for, so that no second worker takes it at the same time.
        self._attempt.kept_ms = round((rest[-1] or 0) * 1000)
        await super().finish_job(job_id, finish, *rest)

    async def finish_failed_job(self, job_id: str, result_data: bytes | None) -> None:
        """Note why the worker does not run a job."""
        await super().finish_failed_job(job_id, result_data)
        self._attempt.is_finished = True
        if result_data is not None:
            found = deserialize_result(result_data, deserializer=self.job_deserializer).result
            self._attempt.refusal = (
                found if isinstance(found, BaseException) else JobExecutionFailed(found)
            )


class TaskAttempt(Attempt[Any]):
    """One delivery of a job, with what is noted of it while it runs."""

    was_called = False
    result: object = None
    #: What the function raised.
    raised: BaseException | None = None
    #: An error that ends a worker.
    ending: BaseException | None = None
    #: Why the worker did not call the function.
    refusal: BaseException | None = None
    #: Whether the worker has taken the job out of the queue.
    is_finished = False
    #: For how many milliseconds the server still knows the job as one that is in progress.
    kept_ms = 0

    def noting(self, body: Any) -> Any:
        """Return a coroutine function that calls another by `around`, and notes what comes of it."""

        async def called(*args: Any, **kwargs: Any) -> Any:
            self.was_called = True
            try:
                self.result = await self.around(lambda: body(*args, **kwargs))
            except (Exception, asyncio.CancelledError) as error:
                self.raised = error
                raise
            except BaseException as error:
                self.ending = error
                raise out_of_task(error) from None
            return self.result

        return called
