"""The result backend of a broker, while its tasks go to the harness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taskiq.abc.result_backend import AsyncResultBackend
from taskiq.result import TaskiqResult
from taskiq.result_backends.dummy import DummyResultBackend
from taskiq.task import AsyncTaskiqTask

from ...errors import NotPerformedError
from ...harness.records.bridge import Sink
from ...harness.records.patches import Patches
from ...harness.records.record import JobRecord


class Store:
    """Results and schedules, beside the sink that hears of messages."""

    __slots__ = ("progress", "results", "scheduled", "sink", "unsaved")

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        #: By the id of the task.
        self.results: dict[str, TaskiqResult[Any]] = {}
        #: Ids of tasks that were performed and asked for no result to be saved.
        self.unsaved: set[str] = set()
        #: How far tasks have come, by the id of the task.
        self.progress: dict[str, Any] = {}
        #: By the id of the schedule.
        self.scheduled: dict[str, JobRecord] = {}

    def schedule(self, schedule_id: str, record: JobRecord) -> None:
        """Take in what was scheduled, in the place of what had the same id."""
        self.withdraw(schedule_id)
        self.scheduled[schedule_id] = record
        self.sink.added(record)

    def withdraw(self, schedule_id: str) -> None:
        """Forget a schedule, if there is one of this id."""
        record = self.scheduled.pop(schedule_id, None)
        if record is not None:
            self.sink.removed(record)

    def result(self, task_id: str) -> TaskiqResult[Any]:
        """Return what a task came to.

        Raises:
            NotPerformedError: when there is nothing to return, for which the library would wait.
        """
        result = self.results.get(task_id)
        if result is not None:
            return result
        record = self.sink.pending_with(task_id)
        if record is not None:
            raise NotPerformedError(
                f"{record!r} has not been performed, so it has no result, and waiting for it would never end: "
                "drain first."
            )
        if task_id in self.unsaved:
            raise NotPerformedError(
                f"The task {task_id} was performed and raised NoResultError, so no result was saved, and waiting "
                "for one would never end: look at its delivery instead."
            )
        raise NotPerformedError(
            f"No task with the id {task_id} has been performed here, so it has no result: drain first, in the "
            "test that enqueued it."
        )


class Results(AsyncResultBackend[Any]):  # type: ignore[misc]
    """Serves results from deliveries, and never waits."""

    def __init__(self, real: AsyncResultBackend[Any], find_store: Callable[[], Store]) -> None:
        """Take the place of a result backend.

        Args:
            real: the result backend of the application.
            find_store: returns where the results are now.
        """
        #: What an application has that was given no result backend: it gets no result from a worker either.
        self.dummy: AsyncResultBackend[Any] | None = None
        if isinstance(real, Results):
            self.dummy = real.dummy
        elif isinstance(real, DummyResultBackend):
            self.dummy = real
        self._find_store = find_store

    async def set_result(self, task_id: str, result: TaskiqResult[Any]) -> None:
        """Keep a result."""
        self._find_store().results[task_id] = result

    async def is_result_ready(self, task_id: str) -> bool:
        """Return True, or raise: a task that nobody performs will never be ready.

        Raises:
            NotPerformedError: when the task has not been performed.
        """
        self.check(task_id)
        return True

    async def get_result(self, task_id: str, with_logs: bool = False) -> TaskiqResult[Any]:
        """Return a result, or what the application gets that has no result backend.

        Raises:
            NotPerformedError: when the task has not been performed.
        """
        result = self._find_store().result(task_id)
        if self.dummy is not None:
            return await self.dummy.get_result(task_id, with_logs)
        return result.model_copy()

    async def set_progress(self, task_id: str, progress: Any) -> None:
        """Keep how far a task has come."""
        self._find_store().progress[task_id] = progress

    async def get_progress(self, task_id: str) -> Any:
        """Return how far a task has come; None when it did not say."""
        return self._find_store().progress.get(task_id)

    def check(self, task_id: str) -> None:
        """Raise when a task has no result.

        Raises:
            NotPerformedError: when the task has not been performed.
        """
        self._find_store().result(task_id)


def serve_results(patches: Patches) -> None:
    """Let the tasks that `kiq` returns raise our error as it is: the library wraps each in one of its own."""
    is_ready, get_result = AsyncTaskiqTask.is_ready, AsyncTaskiqTask.get_result

    async def checked_is_ready(self: AsyncTaskiqTask[Any]) -> bool:
        _check(self)
        return bool(await is_ready(self))

    async def checked_get_result(
        self: AsyncTaskiqTask[Any], with_logs: bool = False
    ) -> TaskiqResult[Any]:
        _check(self)
        return await get_result(self, with_logs)

    patches.set(AsyncTaskiqTask, "is_ready", checked_is_ready)
    patches.set(AsyncTaskiqTask, "get_result", checked_get_result)


def _check(task: AsyncTaskiqTask[Any]) -> None:
    backend = task.result_backend
    if isinstance(backend, Results):
        backend.check(task.task_id)
