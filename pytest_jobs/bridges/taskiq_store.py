"""What the server of a broker would keep, of one harness or of one sandbox."""

from __future__ import annotations

from typing import Any

from taskiq.result import TaskiqResult

from ..errors import NotPerformedError
from ..harness.records.bridge import Sink
from ..harness.records.record import JobRecord


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
