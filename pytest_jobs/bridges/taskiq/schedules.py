"""Schedule sources: what goes to one is recorded, and due when the scheduler would first send it."""

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
    """Stands in for a schedule source while one task is scheduled."""

    def __init__(self, record: Callable[[ScheduledTask], None]) -> None:
        self._record = record

    async def add_schedule(self, schedule: ScheduledTask) -> None:
        """Record what the source would have stored."""
        self._record(schedule)


async def fire(
    broker: AsyncBroker, source: ScheduleSource, scheduled: ScheduledTask
) -> BrokerMessage | None:
    """Send a scheduled task as the scheduler does, and return the message; None when it is cancelled.

    Args:
        broker: whose middlewares hear of it.
        source: may cancel it.
        scheduled: what was scheduled.
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
        scheduled: what was scheduled.
        now_ns: the time, in nanoseconds since the epoch.

    Raises:
        DeclarationError: when a crontab line has no such time, or is none.
    """
    if scheduled.time is not None:
        at = scheduled.time
        return to_ns(at.replace(tzinfo=UTC) if at.tzinfo is None else at, "time")
    if scheduled.cron is None:
        return None  # The scheduler sends what has an interval when it first sees it.
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
            f"cron={cron!r} is no line that the scheduler can read: write five fields, as in '0 9 * * 1'."
        ) from error
    return None


def _local(minute: datetime, offset: str | timedelta | None) -> datetime:
    """Return the time that the fields of a crontab line are compared with."""
    if isinstance(offset, timedelta):
        return minute + offset
    return minute.astimezone(ZoneInfo(offset)) if offset else minute
