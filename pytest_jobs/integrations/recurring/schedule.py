"""Schedules of recurring jobs: from files or mappings to what fires when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from ...core.functions import JobFunction
from ...core.job import Job
from ...errors import ScheduleError
from .phrases import find_zone
from .task import RecurringTask, find, read_task, split_command
from .timing import FoundDays, check_cronsim
from .yaml import read_yaml, tasks_of

_SETTING = re.compile(r"""([A-Za-z_]\w*)\s*=\s*["']?(.*?)["']?""")
_FIELDS = 5


def read_crontab(text: str, source: str) -> dict[str, dict[str, object]]:
    """Return the tasks of a crontab file, as a schedule takes them.

    `CRON_TZ=` and `TZ=` hold for the lines below them. Other settings are meant for a shell, which
    there is none of here.

    Raises:
        ScheduleError: when a line has no command, or one that is no dotted path.
    """
    tasks: dict[str, dict[str, object]] = {}
    zone: str | None = None
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        setting = _SETTING.fullmatch(line)
        if setting is not None:
            zone = setting[2] if setting[1] in ("CRON_TZ", "TZ") else zone
            continue
        try:
            path, task = _read_line(line)
        except ScheduleError as error:
            raise ScheduleError(
                f"{source}: line {number}: {str(error).removesuffix('.')}."
            ) from error
        if zone:
            task["timezone"] = zone
        tasks[f"{path} (line {number})" if path in tasks else path] = task
    return tasks


def _read_line(line: str) -> tuple[str, dict[str, object]]:
    fields = 1 if line.startswith("@") else _FIELDS
    pieces = line.split(None, fields)
    if len(pieces) <= fields:
        raise ScheduleError(
            f"{line!r} has no command: write the time and a dotted path, as in '0 9 * * 1 shop.reports.weekly'"
        )
    command = pieces.pop()
    path, args, kwargs = split_command(command)
    task: dict[str, object] = {"cron": " ".join(pieces)}
    found = find(path, "command")
    if isinstance(found, JobFunction) or (isinstance(found, type) and issubclass(found, Job)):
        return path, {**task, "class": found, "args": [*args, kwargs]}
    return path, {**task, "command": command}


#: More than a year of one task that fires each minute.
_MOST_FIRINGS = 1_000_000


class Schedule:
    """Recurring tasks by their keys, all of them checked.

    Nothing here fires them in production; that is what the scheduler of a job library is for. Under a
    harness `jobs.recurring(schedule)` does.
    """

    __slots__ = ("disabled", "tasks")

    #: The tasks by their keys.
    tasks: Mapping[str, RecurringTask]
    #: The keys of tasks that say `enabled: false`, which never fire.
    disabled: tuple[str, ...]

    def __init__(
        self,
        tasks: Mapping[str, Mapping[str, object]],
        *,
        timezone: str = "UTC",
        source: str = "the schedule",
    ) -> None:
        """Read tasks.

        Args:
            tasks: by key what a file says of each: `class` (a job, or its dotted path) or `command`, and
                one of `schedule`, `cron` and `every`; maybe `args`, `queue`, `priority`, `timezone`,
                `description`, `enabled`.
            timezone: where a task names none.
            source: how messages call it.

        Raises:
            ScheduleError: when one of them cannot be meant, or cronsim is not installed.
        """
        check_cronsim()
        zone = _zone(timezone, source)
        given: object = tasks
        if not isinstance(given, Mapping):
            raise ScheduleError(
                f"{source}: its tasks are {given!r}: write a mapping, as in "
                "{'tidy': {'class': Tidy, 'schedule': 'every hour'}}, or load_schedule('recurring.yml')."
            )
        read = {key: _read(key, told, zone, source) for key, told in tasks.items()}
        self.tasks = MappingProxyType({key: task for key, task in read.items() if task is not None})
        self.disabled = tuple(key for key, task in read.items() if task is None)

    def firings_between(self, after_ns: int, until_ns: int) -> list[tuple[int, RecurringTask]]:
        """Return when which tasks fire, after an instant and up to another.

        Args:
            after_ns: the instant before, itself left out, in nanoseconds since the epoch.
            until_ns: the last instant.

        Returns:
            Pairs of an instant and a task, in order; at the same instant in the order of the tasks.

        Raises:
            ScheduleError: when there are more than a million.
        """
        found: FoundDays = {}
        firings: list[tuple[int, RecurringTask]] = []
        for task in self.tasks.values():
            # A few more than that, since the first days may lie before the time that is asked for.
            instants = task._timing.between(after_ns, until_ns, found, 2 * _MOST_FIRINGS)
            firings += [(ns, task) for ns in instants]
            if len(firings) > _MOST_FIRINGS:
                raise ScheduleError(
                    f"More than {_MOST_FIRINGS:,} firings lie in that time, most of them of {task.key!r} or of "
                    "what stands before it: ask for a shorter time."
                )
        firings.sort(key=lambda firing: firing[0])
        return firings

    def __repr__(self) -> str:
        return f"<Schedule {', '.join(self.tasks) or 'without tasks'}>"


def load_schedule(
    path: str | PathLike[str], *, environment: str | None = None, timezone: str = "UTC"
) -> Schedule:
    """Read a file of recurring tasks.

    Args:
        path: a YAML file as those of Solid Queue (`recurring.yml`) and of Sidekiq's schedulers, or
            a file of crontab lines, which is what any other ending than `.yml` and `.yaml` means.
        environment: which part of the file, where it has tasks for several environments.
        timezone: where a task names none. Solid Queue takes that of the application, or of the machine.

    Raises:
        ScheduleError: when something in it cannot be meant; what to write stands in the message.
    """
    file = Path(path)
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScheduleError(f"{file} cannot be read: {error}.") from error
    tasks: Mapping[str, Mapping[str, object]]
    if file.suffix in (".yml", ".yaml"):
        told = read_yaml(text, file.name, ScheduleError)
        tasks = tasks_of(told, environment, file.name)
    elif environment is not None:
        raise ScheduleError(
            f"{file.name} has crontab lines, which know no environments: leave environment={environment!r} out."
        )
    else:
        tasks = read_crontab(text, file.name)
    return Schedule(tasks, timezone=timezone, source=file.name)


def _zone(name: str, source: str) -> ZoneInfo:
    try:
        return find_zone(name)
    except ScheduleError as error:
        raise ScheduleError(f"{source}: timezone={name!r}: {error}.") from None


def _read(key: object, told: object, zone: ZoneInfo, source: str) -> RecurringTask | None:
    try:
        if not isinstance(key, str):
            raise ScheduleError("its key is no text: put it in quotes")
        return read_task(key, told, zone)
    except ScheduleError as error:
        raise ScheduleError(f"{source}: task {key!r}: {str(error).removesuffix('.')}.") from error
