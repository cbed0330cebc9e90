"""Schedules: when the scheduler would first send a task, and how it sends the task."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pycron
from taskiq import AsyncBroker, TaskiqScheduler
from taskiq.abc.schedule_source import ScheduleSource
from taskiq.message import BrokerMessage
from taskiq.scheduler.scheduled_task import ScheduledTask

from ...errors import DeclarationError
from ..toolkit import to_datetime, to_ns

#: A leap day comes within this time, unless a century leaves it out.
_HORIZON: Final = timedelta(days=4 * 366)
#: The offsets of all timezones are multiples of this.
_QUARTER: Final = timedelta(minutes=15)
_MINUTE: Final = timedelta(minutes=1)


class Recorder:
    """Stands in for a schedule source while a kicker schedules one task."""

    def __init__(self, record: Callable[[ScheduledTask], None]) -> None:
        self._record = record

    async def add_schedule(self, schedule: ScheduledTask) -> None:
        self._record(schedule)


async def fire(
    broker: AsyncBroker, source: ScheduleSource, scheduled: ScheduledTask
) -> BrokerMessage | None:
    """Send a scheduled task as the scheduler does, and return the message; None when it is cancelled.

    Args:
        broker: the broker that sends it; its middlewares are called.
        source: the schedule source, which may cancel it.
        scheduled: the task.
    """
    catcher: Any = _Catcher(broker)
    task = scheduled.model_copy(update={"labels": dict(scheduled.labels)})
    await TaskiqScheduler(catcher, [source]).on_ready(source, task)
    message: BrokerMessage | None = catcher.message
    return message


class _Catcher:
    """A broker that keeps the one message that it sends."""

    def __init__(self, broker: AsyncBroker) -> None:
        self._broker = broker
        self.message: BrokerMessage | None = None

    async def kick(self, message: BrokerMessage) -> None:
        self.message = message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)


def first_due_ns(scheduled: ScheduledTask, now_ns: int) -> int | None:
    """Return when the scheduler first sends a task; None for at once.

    Args:
        scheduled: the task.
        now_ns: the time, in nanoseconds since the epoch.

    Raises:
        DeclarationError: when a crontab line matches no time, or cannot be read.
    """
    if scheduled.time is not None:
        at = scheduled.time
        return to_ns(at.replace(tzinfo=UTC) if at.tzinfo is None else at, "time")
    if scheduled.cron is None:
        return None  # The scheduler sends a task with an interval as soon as it sees it.
    first = _first_match(scheduled.cron, scheduled.cron_offset, to_datetime(now_ns))
    if first is None:
        raise DeclarationError(
            f"cron={scheduled.cron!r} of {scheduled.task_name} matches no minute of the next four years, so the "
            "scheduler would never send the task: write a line of five fields that does."
        )
    due_ns = to_ns(first, "cron")
    return due_ns if due_ns > now_ns else None


def _first_match(cron: str, offset: str | timedelta | None, now: datetime) -> datetime | None:
    minute = now.replace(second=0, microsecond=0)
    last = minute + _HORIZON
    try:
        any_minute = " ".join(["*", *cron.split(" ")[1:]])
        while minute < last:
            if not pycron.is_now(any_minute, _local(minute, offset)):
                minute += _QUARTER - timedelta(minutes=minute.minute % 15)
            elif not pycron.is_now(cron, _local(minute, offset)):
                minute += _MINUTE
            else:
                return minute
    except ValueError as error:
        raise DeclarationError(
            f"cron={cron!r} is not a line that the scheduler can read: write five fields, as in '0 9 * * 1'."
        ) from error
    return None


def _local(minute: datetime, offset: str | timedelta | None) -> datetime:
    """Return the local time, with which the fields of a crontab line are compared."""
    if isinstance(offset, timedelta):
        return minute + offset
    return minute.astimezone(ZoneInfo(offset)) if offset else minute
