"""Schedules: when the scheduler would send a task, first and again, and how it sends the task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pycron
from taskiq import AsyncBroker, TaskiqScheduler
from taskiq.abc.schedule_source import ScheduleSource
from taskiq.message import BrokerMessage
from taskiq.schedule_sources import LabelScheduleSource
from taskiq.scheduler.scheduled_task import ScheduledTask

from ...errors import DeclarationError
from ...harness.time.waiting import off_the_loop
from ..toolkit import duration_ns, times_between, to_datetime, to_ns

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
    """Send a scheduled task as the scheduler does, and return the message; None when its source cancels it."""
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

    Raises:
        DeclarationError: when a crontab line matches no time, or cannot be read.
    """
    if scheduled.time is not None:
        at = scheduled.time
        return to_ns(at.replace(tzinfo=UTC) if at.tzinfo is None else at, "time")
    if scheduled.cron is None:
        return None  # The scheduler sends a task with an interval as soon as it sees it.
    now = to_datetime(now_ns)
    first = _first_match(scheduled, now, now + _HORIZON)
    if first is None:
        raise DeclarationError(
            f"cron={scheduled.cron!r} of {scheduled.task_name} matches no minute of the next four years, so the "
            "scheduler would never send the task: write a line of five fields that does."
        )
    due_ns = to_ns(first, "cron")
    return due_ns if due_ns > now_ns else None


def times_again(
    scheduled: ScheduledTask, first_ns: int, after_ns: int, until_ns: int
) -> Iterator[int]:
    """Yield when the scheduler sends a task again in a span, which it has sent first at a time."""
    step: Any = scheduled.interval
    if scheduled.cron is not None:
        last = to_datetime(until_ns)

        def following(moment: datetime) -> datetime | None:
            return _first_match(scheduled, moment + _MINUTE, last)

        yield from times_between(following, max(first_ns, after_ns), until_ns)
    elif step is not None:
        step_ns = duration_ns(step.total_seconds() if isinstance(step, timedelta) else step)
        passed = max(after_ns - first_ns, 0) // step_ns
        yield from range(first_ns + (passed + 1) * step_ns, until_ns + 1, step_ns)


class LabelSchedules:
    """What the labels `schedule=` of tasks say, as a scheduler reads it that starts when time first passes."""

    def __init__(self) -> None:
        #: By the id of the broker: its source, and when the scheduler began.
        self._begun: dict[int, tuple[LabelScheduleSource, int]] = {}
        #: The ids of schedules with a time that were sent.
        self._sent: set[str] = set()

    def firings_between(
        self, brokers: Iterable[AsyncBroker], after_ns: int, until_ns: int
    ) -> Iterator[tuple[int, AsyncBroker, ScheduleSource, ScheduledTask]]:
        """Yield when the scheduler sends a task in a span, by which broker and for which source."""
        for broker in brokers:
            if id(broker) not in self._begun:
                if not any("schedule" in each.labels for each in broker.get_all_tasks().values()):
                    continue
                self._begun[id(broker)] = _started(broker), after_ns
            source, begun_ns = self._begun[id(broker)]
            for scheduled in list(source.schedules.values()):
                for at_ns in self._times(scheduled, begun_ns, after_ns, until_ns):
                    yield at_ns, broker, source, scheduled

    def _times(
        self, scheduled: ScheduledTask, begun_ns: int, after_ns: int, until_ns: int
    ) -> Iterator[int]:
        if scheduled.time is not None:
            at_ns = max(first_due_ns(scheduled, begun_ns) or 0, after_ns + 1)
            if at_ns <= until_ns and scheduled.schedule_id not in self._sent:
                self._sent.add(scheduled.schedule_id)
                yield at_ns
            return
        if scheduled.cron is None and after_ns == begun_ns < until_ns:
            # A task with an interval is sent as soon as the scheduler sees it.
            yield after_ns + 1
        yield from times_again(scheduled, begun_ns, after_ns, until_ns)


def _started(broker: AsyncBroker) -> LabelScheduleSource:
    source = LabelScheduleSource(broker)
    with off_the_loop():
        asyncio.run(source.startup())
    return source


def _first_match(scheduled: ScheduledTask, now: datetime, last: datetime) -> datetime | None:
    """Return the first minute of a crontab line from the minute of now on; None if there is none by the last."""
    cron, offset = scheduled.cron or "", scheduled.cron_offset
    minute = now.replace(second=0, microsecond=0)
    try:
        any_minute = " ".join(["*", *cron.split(" ")[1:]])
        while minute <= last:
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
