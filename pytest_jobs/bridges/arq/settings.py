"""Worker settings: the classes and dictionaries that say which functions a worker of arq has."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from arq.cron import CronJob
from arq.worker import Function, func, get_kwargs

from ...errors import AmbiguousJobError, ApplicationError
from ...harness.records.attributes import variables_of_modules


class Task(NamedTuple):
    """A function of a worker."""

    settings: WorkerSettings
    #: What arq makes of the function: its name, its coroutine function, and its options.
    function: Function | CronJob

    @property
    def name(self) -> str:
        name: str = self.function.name
        return name

    @property
    def body(self) -> Callable[..., Any]:
        body: Callable[..., Any] = self.function.coroutine
        return body


class WorkerSettings:
    """One class or dictionary of worker settings."""

    def __init__(self, given: Any) -> None:
        #: What the project wrote.
        self.given = given
        #: The arguments for `arq.worker.Worker`.
        self.options: dict[str, Any] = dict(get_kwargs(given))
        self.cron_jobs: tuple[CronJob, ...] = tuple(_listed(self.options, "cron_jobs"))
        functions = [func(each) for each in _listed(self.options, "functions")]
        self.tasks = {each.name: Task(self, each) for each in (*functions, *self.cron_jobs)}

    @property
    def queue(self) -> str | None:
        """The queue that the worker reads; None when its Redis pool says so."""
        queue: str | None = self.options.get("queue_name", "arq:queue")
        return queue

    def __repr__(self) -> str:
        return getattr(self.given, "__qualname__", None) or "worker settings"


class AllSettings:
    """The worker settings of the process, in the order in which they are asked for a function."""

    def __init__(self, named: Iterable[Any]) -> None:
        """Begin with the settings that `jobs_apps` names."""
        self.named = tuple(map(_checked, named))
        self._in_modules: tuple[int, tuple[WorkerSettings, ...]] = (0, ())

    def every(self) -> tuple[WorkerSettings, ...]:
        """Return all worker settings, the named ones first."""
        if self._in_modules[0] != len(sys.modules):
            known = {id(each.given): each for each in self._in_modules[1]}
            variables = variables_of_modules(lambda kind: kind in (type, dict))
            given = {id(value): value for *_, value in variables if is_settings(value)}
            found = [known.get(key) or WorkerSettings(value) for key, value in given.items()]
            self._in_modules = len(sys.modules), tuple(found)
        named = {id(each.given) for each in self.named}
        return (
            *self.named,
            *(each for each in self._in_modules[1] if id(each.given) not in named),
        )

    def named_task(self, name: str, queue: str | None = None) -> Task | None:
        """Return the function with a name: that of the worker of a queue, if there is one.

        Raises:
            AmbiguousJobError: when several workers have different functions of that name.
        """
        for settings in (self.named, self.every()):
            tasks = [each.tasks[name] for each in settings if name in each.tasks]
            of_queue = [task for task in tasks if task.settings.queue == queue]
            if len({id(task.body) for task in of_queue or tasks}) > 1:
                having = " and ".join(repr(task.settings) for task in of_queue or tasks)
                raise AmbiguousJobError(
                    f"{name!r} names a function of each of {having}, so it can mean any of them: name the "
                    "function itself."
                )
            if tasks:
                return (of_queue or tasks)[0]
        return None

    def task_of(self, body: object) -> Task | None:
        """Return the first task with a function."""
        tasks = (task for each in self.every() for task in each.tasks.values())
        return next((task for task in tasks if body in (task.body, task.function)), None)

    def names(self) -> set[str]:
        return {name for each in self.every() for name in each.tasks}

    def described(self) -> str:
        return "nothing is contacted"

    def __str__(self) -> str:
        return " and ".join(map(repr, self.named)) or "arq's worker settings"


def is_settings(found: Any) -> bool:
    """Say whether something is worker settings: a class, or a dictionary, with functions or cron jobs of arq."""
    if not issubclass(type(found), (type, dict)) or isinstance(found, type(Mapping)):
        return False
    attributes: Mapping[str, Any] = found if isinstance(found, dict) else vars(found)
    entries = [*_listed(attributes, "functions"), *_listed(attributes, "cron_jobs")]
    # The settings of SAQ are a dictionary with functions too, and with a queue.
    of_saq = isinstance(found, dict) and "queue" in found
    return bool(entries) and all(map(_is_entry, entries)) and not of_saq


def _listed(attributes: Mapping[str, Any], name: str) -> Sequence[Any]:
    """Return a list of worker settings. No worker can start with anything else, such as a descriptor."""
    found = attributes.get(name)
    return found if isinstance(found, (list, tuple)) else ()


def _is_entry(found: Any) -> bool:
    return isinstance(found, (Function, CronJob, str)) or inspect.iscoroutinefunction(found)


def _checked(given: Any) -> WorkerSettings:
    if not is_settings(given):
        raise ApplicationError(
            f"{given!r} is not worker settings of arq: name the class that the command `arq` gets, with "
            "`functions` or `cron_jobs`."
        )
    return WorkerSettings(given)
