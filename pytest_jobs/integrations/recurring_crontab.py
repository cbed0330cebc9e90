"""Reading crontab files, whose commands are dotted paths."""

from __future__ import annotations

import re

from ..core.functions import JobFunction
from ..core.job import Job
from ..errors import ScheduleError
from .recurring_commands import find, split_command

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
