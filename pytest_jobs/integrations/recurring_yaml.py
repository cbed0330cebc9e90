"""Which tasks a YAML file of recurring tasks holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ScheduleError


def tasks_of(told: object, environment: str | None, source: str) -> Mapping[Any, Any]:
    """Return the tasks of a file by their keys.

    Args:
        told: what the file says: tasks, or environments with tasks below them.
        environment: which of the environments; None when there are none, or one.
        source: how messages call the file.

    Raises:
        ScheduleError: when there is no such environment.
    """
    if told is None or told == {}:
        return {}
    if not isinstance(told, Mapping):
        raise ScheduleError(
            f"{source} holds {told!r}: write tasks, or environments with tasks below them."
        )
    if any(_is_task(value) for value in told.values()):
        return told
    names = ", ".join(str(name) for name in told)
    if environment is None:
        if len(told) > 1:
            raise ScheduleError(
                f"{source} has tasks for several environments: name one of {names}, as in "
                f"environment={next(iter(told))!r}."
            )
        environment = next(iter(told), None)
    if environment not in told:
        raise ScheduleError(f"{source} has no environment {environment!r}: there are {names}.")
    tasks = told[environment]
    if tasks is None:
        return {}
    if not isinstance(tasks, Mapping):
        raise ScheduleError(f"{source}: {environment} holds {tasks!r}: write tasks below it.")
    return tasks


def _is_task(value: object) -> bool:
    words = ("class", "command", "schedule", "cron", "every")
    return isinstance(value, Mapping) and any(word in value for word in words)
