"""One recurring task: what it enqueues, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from ..core.foundation.options import checked_priority, checked_queue
from ..errors import DeclarationError, ScheduleError
from .recurring_commands import RecurringCommand, find, read_command
from .recurring_jobs import Recurs, recurs
from .recurring_text import find_zone, read_interval, read_schedule
from .recurring_timing import Timing
from .recurring_words import closest

#: What a task may say, Solid Queue's words first.
KEYS = (
    "class",
    "command",
    "args",
    "queue",
    "priority",
    "schedule",
    "description",
    "cron",
    "every",
    "timezone",
    "enabled",
)
#: What says when; a task has one of them.
WHEN: Mapping[str, Callable[[str, ZoneInfo], Timing]] = {
    "schedule": read_schedule,
    "cron": read_schedule,
    "every": read_interval,
}


@dataclass(frozen=True, slots=True)
class RecurringTask:
    """What a schedule says under one key."""

    #: The key, unique in its schedule.
    key: str
    #: The job class or job function, or the task of Celery or Django; `RecurringCommand` for a command.
    job: Any
    #: The positional arguments.
    args: tuple[Any, ...]
    #: The keyword arguments.
    kwargs: Mapping[str, Any]
    #: The queue, in place of the job's own; None for the job's own.
    queue: str | None
    #: The priority, in place of the job's own; None for the job's own.
    priority: int | None
    #: What the file says of it.
    description: str
    #: When it fires, as it is written.
    schedule: str
    _timing: Timing
    _recurs: Recurs

    @property
    def cron(self) -> str:
        """When it fires, as crontab lines; what they cannot say stands behind them."""
        return self._timing.text

    @property
    def timezone(self) -> str:
        """The timezone in which it fires."""
        return self._timing.timezone.key

    @property
    def command(self) -> str | None:
        """The command; None where there is a class."""
        return str(self.args[0]) if self.job is RecurringCommand else None

    def enqueue(self) -> Any:
        """Enqueue a job as its firing does, and return what its library returns."""
        return self._recurs.enqueue(self.args, self.kwargs, self.queue, self.priority)


def read_task(key: str, told: object, zone: ZoneInfo) -> RecurringTask | None:
    """Return the task that a mapping describes; None for one that is not enabled.

    Raises:
        ScheduleError: when it cannot be meant, with the reason alone.
    """
    if not isinstance(told, Mapping):
        raise ScheduleError(
            f"it is {told!r}: write the keys of a task below it, such as class and schedule"
        )
    _check_keys(told)
    job, args, kwargs = _read_what(told)
    enqueued = recurs(job, told.get("class"))
    queue, priority = told.get("queue"), told.get("priority")
    try:
        queue = None if queue is None else checked_queue(queue, "queue")
        priority = checked_priority(priority, "priority")
    except DeclarationError as error:
        raise ScheduleError(str(error).removesuffix(".")) from error
    enqueued.check(args, kwargs, queue, priority)
    written, timing = _read_when(told, zone)
    if not _read_flag(told):
        return None
    described = str(told.get("description", ""))
    return RecurringTask(
        key, job, args, kwargs, queue, priority, described, written, timing, enqueued
    )


def _check_keys(told: Mapping[Any, object]) -> None:
    for word in told:
        if word in KEYS:
            continue
        meant = closest(str(word), KEYS)
        hint = f"did you mean {meant!r}? There are" if meant else "there are"
        raise ScheduleError(
            f"it has a key {word!r}, which means nothing here: {hint} {', '.join(KEYS)}"
        )


def _read_flag(told: Mapping[Any, object]) -> bool:
    enabled = told.get("enabled", True)
    if not isinstance(enabled, bool):
        raise ScheduleError(f"enabled is {enabled!r}: write true or false")
    return enabled


def _read_when(told: Mapping[Any, object], zone: ZoneInfo) -> tuple[str, Timing]:
    given = [name for name in WHEN if name in told]
    if len(given) != 1:
        what = f"both {given[0]} and {given[1]}" if given else "nothing of when"
        raise ScheduleError(f"it says {what}: write one of schedule, cron and every")
    (name,) = given
    text = told[name]
    if not isinstance(text, str):
        raise ScheduleError(
            f"{name} is {text!r}, which is no text: put it in quotes, as in '0 9 * * 1'"
        )
    own_zone = told.get("timezone")
    if own_zone is not None:
        zone = find_zone(str(own_zone))
    try:
        return text, WHEN[name](text, zone)
    except ScheduleError as error:
        raise ScheduleError(f"{name} {str(error).removesuffix('.')}") from None


def _read_what(told: Mapping[Any, object]) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    job, command = told.get("class"), told.get("command")
    if (job is None) == (command is None):
        both = "both a class and a command" if job is not None else "neither a class nor a command"
        raise ScheduleError(
            f"it has {both}: write `class:` with a job, or `command:` with a dotted path to a callable"
        )
    if job is not None:
        found = find(job, "class") if isinstance(job, str) else job
        return found, *_read_arguments(told.get("args"))
    if "args" in told:
        raise ScheduleError(
            "a command has no args: write them into it, as in 'shop.cards.postpone_due(limit=50)'"
        )
    if not isinstance(command, str):
        raise ScheduleError(f"command is {command!r}, which is no text: write a dotted path")
    read_command(command)
    return RecurringCommand, (command,), {}


def _read_arguments(args: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Take a mapping at the end for keyword arguments, as Solid Queue does."""
    listed: list[Any]
    listed = [] if args is None else [*args] if isinstance(args, list | tuple) else [args]
    if not listed or not isinstance(listed[-1], Mapping):
        return tuple(listed), {}
    positional, named = listed[:-1], listed[-1]
    if not all(isinstance(name, str) for name in named):
        raise ScheduleError(f"args ends with {named!r}, whose keys are no names of parameters")
    return tuple(positional), dict(named)
