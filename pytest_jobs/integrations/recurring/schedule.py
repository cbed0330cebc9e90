"""Schedules of recurring jobs: a mapping, a YAML file or a crontab file, read into tasks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from ...core.foundation.vocabulary import in_our_words
from ...core.functions import JobFunction
from ...core.job import Job
from ...errors import ScheduleError, SignatureError
from .task import RecurringTask, find, read_task, split_command
from .timing import FoundDays, cronsim, find_zone
from .yaml import read_yaml, tasks_of

#: More than a year of one task that fires each minute.
_MOST_FIRINGS = 1_000_000
_MOST_YEARS = 100
_SETTING = re.compile(r"""([A-Za-z_]\w*)\s*=\s*["']?(.*?)["']?""")


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

    @in_our_words(SignatureError)
    def __init__(
        self,
        tasks: Mapping[str, Mapping[str, object]],
        *,
        timezone: str | ZoneInfo | None = None,
        source: str = "the schedule",
    ) -> None:
        """Read tasks.

        Args:
            tasks: by key what a file says of each: `class` (a job, or its dotted path) or `command`, and
                one of `schedule`, `cron` and `every`; maybe `args`, `queue`, `priority`, `timezone`,
                `description`, `enabled`.
            timezone: where a task names none; None for UTC.
            source: how messages call it.

        Raises:
            ScheduleError: when one of them cannot be meant, or cronsim is not installed.
        """
        cronsim()
        try:
            zone = find_zone("UTC" if timezone is None else timezone)
        except ScheduleError as error:
            raise ScheduleError(f"{source}: timezone={timezone!r}: {error}.") from None
        given: object = tasks
        if not isinstance(given, Mapping):
            raise ScheduleError(
                f"{source}: its tasks are {given!r}: write a mapping, as in "
                "{'tidy': {'class': Tidy, 'schedule': 'every hour'}}, or load_schedule('recurring.yml')."
            )
        read: dict[str, RecurringTask | None] = {}
        for key, written in given.items():
            try:
                if not isinstance(key, str):
                    raise ScheduleError("its key is not a text: put it in quotes")
                read[key] = read_task(key, written, zone)
            except ScheduleError as error:
                reason = str(error).removesuffix(".")
                raise ScheduleError(f"{source}: task {key!r}: {reason}.") from error
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
            ScheduleError: when there are more than a million, or more than a hundred years are asked for.
        """
        if until_ns - after_ns > _MOST_YEARS * 366 * 86_400 * 10**9:
            raise ScheduleError(
                f"The firings of more than {_MOST_YEARS} years are asked for: ask for a shorter time."
            )
        found: FoundDays = {}
        firings: list[tuple[int, RecurringTask]] = []
        for task in self.tasks.values():
            most = _MOST_FIRINGS + 1 - len(firings)
            instants = task.timing.between(after_ns, until_ns, found, most)
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


@in_our_words(SignatureError, by_position="environment")
def load_schedule(
    path: str | PathLike[str],
    *,
    environment: str | None = None,
    timezone: str | ZoneInfo | None = None,
) -> Schedule:
    """Read a file of recurring tasks.

    Args:
        path: a YAML file as those of Solid Queue (`recurring.yml`) and of Sidekiq's schedulers, or
            a file of crontab lines, which is what any other ending than `.yml` and `.yaml` means.
        environment: which part of the file, where it has tasks for several environments; None for
            `production`, or for the only one.
        timezone: where a task names none; None for UTC. Solid Queue takes that of the application, or of
            the machine.

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
        tasks = tasks_of(read_yaml(text, file.name, ScheduleError), environment, file.name)
    elif environment is not None:
        raise ScheduleError(
            f"{file.name} has crontab lines, which know no environments: leave environment={environment!r} out."
        )
    else:
        tasks = read_crontab(text, file.name)
    return Schedule(tasks, timezone=timezone, source=file.name)


def read_crontab(text: str, source: str) -> dict[str, dict[str, object]]:
    """Return the tasks of a crontab file, as a schedule takes them.

    `CRON_TZ=` and `TZ=` hold for the lines below them. Other settings are for the shell of cron, and are left out.

    Raises:
        ScheduleError: when a line has no command, or its command is not a dotted path.
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
            reason = str(error).removesuffix(".")
            raise ScheduleError(f"{source}: line {number}: {reason}.") from error
        if zone:
            task["timezone"] = zone
        tasks[f"{path} (line {number})" if path in tasks else path] = task
    return tasks


def _read_line(line: str) -> tuple[str, dict[str, object]]:
    fields = 1 if line.startswith("@") else 5
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
