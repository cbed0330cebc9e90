"""What workers and schedulers are configured to do: queues and recurring tasks, as files of a project say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ...errors import QueuesError, ScheduleError
from ...integrations.recurring.yaml import read_yaml, tasks_of
from .jobs import constant, entries
from .module import Module
from .project import Project

#: The names of files that may start workers.
_COMMANDS: Final = re.compile(
    r"(?:^Procfile|^Makefile|^Dockerfile|\.sh|\.service|\.ya?ml|\.toml|\.conf|\.ini|\.tf$)",
    re.IGNORECASE,
)
_CELERY_QUEUES: Final = re.compile(
    r"\bcelery\b[^\n]*?\bworker\b[^\n]*?(?:-Q|--queues)[ =]+([\w.,*-]+)"
)
_RQ_QUEUES: Final = re.compile(
    r"\b(?:rq worker|rqworker)((?:[ \t]+(?:--?[\w-]+(?:=\S+)?|[\w.-]+))*)"
)
_DRAMATIQ_QUEUES: Final = re.compile(r"\bdramatiq\b[^\n]*?(?:-Q|--queues)((?:[ \t]+[\w.-]+)+)")
_SETTINGS: Final = re.compile(r"RQ_QUEUES|TASKS")
_SCHEDULES: Final = re.compile(r"recurring|schedule", re.IGNORECASE)


@dataclass(frozen=True)
class Recurring:
    """One recurring task as it is written."""

    #: The dotted name of what is run.
    runs: str
    #: What the entry is called.
    key: str
    #: The file and the line.
    shown: str
    line: int


@dataclass
class Workers:
    """The queues that workers serve, by the library, and the recurring tasks."""

    queues: dict[str, set[str]] = field(default_factory=dict)
    recurring: list[Recurring] = field(default_factory=list)
    #: Files that could not be read, each with the reason.
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def workers_of(project: Project) -> Workers:
    """Read what the files of a project say."""
    workers = Workers()
    for path in project.tree.files:
        if _COMMANDS.search(path.name) and not path.name.endswith(".py"):
            text = project.tree.text(path) or ""
            for library, names in _queues_in_commands(text):
                workers.queues.setdefault(library, set()).update(names)
            if path.suffix in (".yml", ".yaml"):
                _read_yaml_file(path, text, project, workers)
    for module in project.modules:
        _read_settings(module, workers)
    return workers


def _queues_in_commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the queues that each command of a worker names, with the library."""
    # A command goes on in the next line.
    joined = text.replace("\\\n", " ")
    for found in _CELERY_QUEUES.finditer(joined):
        yield "celery", found[1].split(",")
    for library, pattern in (("rq", _RQ_QUEUES), ("dramatiq", _DRAMATIQ_QUEUES)):
        for found in pattern.finditer(joined):
            names = [name for name in found[1].split() if not name.startswith("-")]
            if names:
                yield library, names


def _read_yaml_file(path: Path, text: str, project: Project, workers: Workers) -> None:
    is_schedule = bool(_SCHEDULES.search(path.stem))
    if not is_schedule and path.stem not in ("queue", "solid_queue"):
        return
    try:
        content = read_yaml(text, project.shown(path), ScheduleError)
        if is_schedule:
            environment = (
                "production" if isinstance(content, Mapping) and "production" in content else None
            )
            tasks = tasks_of(content, environment, project.shown(path))
        else:
            queues = workers.queues.setdefault("core", set())
            queues.update(_queues_in(content))
            return
    except (ScheduleError, QueuesError, RecursionError) as error:
        workers.unreadable.append((project.shown(path), str(error)))
        return
    for key, task in tasks.items():
        if isinstance(task, Mapping):
            runs = task.get("class") or task.get("command")
            if isinstance(runs, str):
                line = _line_of(text, str(key))
                workers.recurring.append(Recurring(runs, str(key), project.shown(path), line))


def _queues_in(content: Any) -> Iterator[str]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            if str(key).strip(":") == "queues":
                for one in [value] if isinstance(value, str) else value or ():
                    yield str(one[0] if isinstance(one, list) and one else one)
            else:
                yield from _queues_in(value)
    elif isinstance(content, list):
        for one in content:
            yield from _queues_in(one)


def _line_of(text: str, key: str) -> int:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip().startswith(f"{key}:"):
            return number
    return 1


def _read_settings(module: Module, workers: Workers) -> None:
    if not _SETTINGS.search(module.text):
        return
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Assign):
            continue
        name = ast.unparse(node.targets[0]).rpartition(".")[2]
        if name == "RQ_QUEUES":
            workers.queues.setdefault("rq", set()).update(entries(node.value))
        for backend in entries(node.value).values() if name == "TASKS" else ():
            queues = entries(backend).get("QUEUES")
            if isinstance(queues, ast.List | ast.Tuple) and queues.elts:
                names = {str(constant(one)) for one in queues.elts}
                workers.queues.setdefault("django", set()).update(names)
