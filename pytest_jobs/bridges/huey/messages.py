"""Tasks as Huey puts them into queues and schedules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from huey.api import Huey, Task
from huey.exceptions import HueyException

from ...errors import UnknownJobError
from ..toolkit import Message, Steps, duration_ns, to_datetime, to_ns

#: The class of a task, which the decorator of a function makes and Huey keeps by its name.
TaskClass: TypeAlias = type[Task]


class TaskMessage(Message):
    """A task as it goes into a queue or a schedule."""

    __slots__ = ("data", "huey", "is_in_schedule", "retries", "retries_at_first")

    def __init__(
        self, huey: Huey, data: bytes, task: Task, now_ns: int, *, is_in_schedule: bool
    ) -> None:
        due_ns = instant_ns(huey, task.eta)
        if due_ns is not None and due_ns <= now_ns:
            due_ns = None
        super().__init__(
            huey._registry.task_to_string(type(task)),
            task.id,
            now_ns,
            queue=huey.name,
            priority=task.priority,
            due_ns=due_ns,
            expires_ns=_expiry_ns(huey, task, due_ns),
        )
        self.huey = huey
        self.data = data
        self.is_in_schedule = is_in_schedule
        #: How many retries are left, and how many there were at first.
        self.retries = self.retries_at_first = task.retries

    def read(self) -> Task:
        """Read the task anew.

        Raises:
            UnknownJobError: when the Huey has no task of this name.
        """
        try:
            return self.huey.deserialize_task(self.data)
        except HueyException as error:
            raise UnknownJobError(
                f"{self.huey!r} has no task {self.name!r}, so a worker logs that and drops the task: import the "
                f"module that declares it ({error})."
            ) from error


def naive(at_ns: int, *, utc: bool) -> datetime:
    """Return a time as Huey writes it: without timezone, in UTC or in local time."""
    moment = to_datetime(at_ns)
    return (moment if utc else moment.astimezone()).replace(tzinfo=None)


def instant_ns(application: Huey, moment: datetime | None) -> int | None:
    if moment is None:
        return None
    return to_ns(moment.replace(tzinfo=UTC) if application.utc else moment.astimezone(), "eta")


def _expiry_ns(application: Huey, task: Task, due_ns: int | None) -> int | None:
    """Return when a task expires. A span begins when the scheduler puts the task into the queue."""
    if due_ns is None or isinstance(task.expires, datetime | None):
        return instant_ns(application, task.expires_resolved)
    span = task.expires
    return due_ns + duration_ns(span.total_seconds() if isinstance(span, timedelta) else span)


def registered(application: Huey, name: str) -> TaskClass | None:
    try:
        found: TaskClass = application._registry.string_to_task(name)
    except HueyException:
        return None
    return found


def chord_of(task: Task) -> str | None:
    part: Task | None = task
    while part is not None:
        config = getattr(part, "chord_config", None)
        if config is not None:
            return str(config.cid)
        part = part.on_complete
    return None


def steps(task: Task) -> Steps:
    """Return the names of the tasks after a task."""
    found: list[str] = []
    part: Task | None = task
    while part is not None:
        config = getattr(part, "chord_config", None)
        part = part.on_complete or (None if config is None else config.callback)
        if part is not None:
            found.append(f"{type(part).__module__}.{type(part).__name__}")
    return tuple(found)
