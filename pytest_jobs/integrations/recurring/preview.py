"""What a schedule will fire: `preview(schedule, window)`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import overload

from ...core.foundation.options import to_ns
from ...core.foundation.waits import Seconds
from ...errors import ScheduleError
from ...harness.records.instants import delta_ns, to_datetime
from ...harness.records.texts import call_of, instant, short_name, table
from ...harness.running.recurring import Firing
from .schedule import Schedule
from .task import RecurringTask

_ROWS_SHOWN = 50
_HEADER = ("at", "task", "job", "queue", "cron")


class Preview(Sequence[Firing]):
    """The firings of a while, in order. `str()` of it is a table of the first 50."""

    __slots__ = ("_after_ns", "_firings", "_schedule", "_until_ns")

    def __init__(self, schedule: Schedule, after_ns: int, until_ns: int) -> None:
        self._schedule = schedule
        self._after_ns = after_ns
        self._until_ns = until_ns
        self._firings = schedule.firings_between(after_ns, until_ns)

    @overload
    def __getitem__(self, index: int) -> Firing: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Firing, ...]: ...
    def __getitem__(self, index: int | slice) -> Firing | tuple[Firing, ...]:
        if isinstance(index, slice):
            return tuple(Firing(*pair) for pair in self._firings[index])
        return Firing(*self._firings[index])

    def __iter__(self) -> Iterator[Firing]:
        return (Firing(*pair) for pair in self._firings)

    def __len__(self) -> int:
        return len(self._firings)

    def of(self, key: str) -> tuple[datetime, ...]:
        """Return when one task fires, in the timezone of the task.

        Raises:
            KeyError: when the schedule has no such task.
        """
        zone = self._schedule.tasks[key].timing.timezone
        return tuple(
            to_datetime(ns).astimezone(zone) for ns, task in self._firings if task.key == key
        )

    def table(self, rows: int | None = None) -> str:
        """Return a table.

        Args:
            rows: how many firings it shows at most; None for all.
        """
        lines = [self._title()]
        shown = []
        for ns, task in self._firings if rows is None else self._firings[:rows]:
            local = instant(to_datetime(ns).astimezone(task.timing.timezone))
            call = task.command or call_of(short_name(task.sender.name), task.args, task.kwargs)
            shown.append((local, task.key, call, queue_of(task), task.cron))
        if shown:
            lines.append(table(_HEADER, shown))
        if len(shown) < len(self._firings):
            lines.append(f"... and {len(self._firings) - len(shown)} more")
        fired = {task.key for _, task in self._firings}
        lines += [
            f"{key} ({task.cron}) does not fire in this time."
            for key, task in self._schedule.tasks.items()
            if key not in fired
        ]
        return "\n".join([*lines, *(f"{key} is not enabled." for key in self._schedule.disabled)])

    def _title(self) -> str:
        start, end = (instant(to_datetime(ns)) for ns in (self._after_ns, self._until_ns))
        firings, tasks = (
            f"{count} {noun}" if count == 1 else f"{count} {noun}s"
            for count, noun in ((len(self._firings), "firing"), (len(self._schedule.tasks), "task"))
        )
        return f"{firings} of {tasks} after {start} up to {end}"

    def __str__(self) -> str:
        return self.table(_ROWS_SHOWN)

    def __repr__(self) -> str:
        return f"<Preview {self._title()}>"


def preview(schedule: Schedule, window: Seconds, *, start: datetime | None = None) -> Preview:
    """List what a schedule fires within a time.

    It is what `jobs.recurring(schedule)` and `jobs.run_for(window)` would enqueue.

    Args:
        schedule: the schedule.
        window: seconds or a timedelta.
        start: the aware datetime at which the time begins; itself it is left out, and the end is not.
            None for now.

    Raises:
        NaiveDatetimeError: when start has no timezone.
        WaitError: when the window is not a duration.
        ScheduleError: when it is not a schedule, or when more than a million firings lie in it.
    """
    if not isinstance(schedule, Schedule):
        raise ScheduleError(
            f"preview({schedule!r}, ...) is given no schedule: write preview(load_schedule('recurring.yml'), ...)."
        )
    after_ns = to_ns(datetime.now(UTC) if start is None else start, "start")
    return Preview(schedule, after_ns, after_ns + delta_ns(window, "window"))


def queue_of(task: RecurringTask) -> str:
    """Return the queue of a task's jobs."""
    return task.sender.queue_of(task.args, task.kwargs) if task.queue is None else task.queue
