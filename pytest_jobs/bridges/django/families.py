"""The two packages that define Django tasks, and what differs between their versions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import django

from ..toolkit import Probe

_ATOMS: Final = frozenset((str, int, bool, float, type(None)))


def _seams(package: str) -> tuple[str, ...]:
    return (
        f"{package}:task_backends.configure_settings(_)",
        f"{package}.backends.base:BaseTaskBackend.enqueue(_, _, _, _)",
        f"{package}.backends.base:BaseTaskBackend.aenqueue(_, _, _, _)",
        f"{package}.backends.base:BaseTaskBackend.get_result(_, _)",
        f"{package}.backends.base:BaseTaskBackend.validate_task(_, _)",
        f"{package}.base:TASK_REFRESH_ATTRS",
        # Up to django-tasks 0.9 there is one argument more, by which a task waits for a commit.
        f"{package}.base:Task(func=, priority=, backend=, queue_name=, run_after=, takes_context=)",
        f"{package}.base:TaskContext(task_result=)",
        f"{package}.base:TaskError(exception_class_path=, traceback=)",
        f"{package}.base:TaskResultStatus.READY",
        f"{package}.base:normalize_json(_)",
        f"{package}.signals:task_enqueued",
    )


_DJANGO: Final = Probe("Django", *_seams("django.tasks"), tested=((6, 0), (6, 1)))
_BACKPORT: Final = Probe("django-tasks", *_seams("django_tasks"), tested=((0, 10), (0, 12)))


class Family:
    """`django.tasks` or `django_tasks`. They have the same names, and different classes."""

    def __init__(self, package: str, backport: str = "") -> None:
        base = import_module(f"{package}.base")
        self._base: Any = base
        #: The attributes of a TaskResult that change after its enqueueing.
        self.refreshed: frozenset[str] = frozenset(base.TASK_REFRESH_ATTRS)
        #: Whether a task can keep metadata beside its result, as in django-tasks up to 0.11.
        self.has_metadata = "metadata" in self.refreshed
        #: The name and version of the backport; empty for what Django has itself.
        self.backport = backport
        #: The name of the package.
        self.package = package
        self.task_class: type = base.Task
        self.backend_class: Any = import_module(f"{package}.backends.base").BaseTaskBackend
        #: `task_backends`, which makes the configured backends.
        self.handler: Any = import_module(package).task_backends
        self.signals: Any = import_module(f"{package}.signals")
        self.no_such_result: type[Exception] = import_module(
            f"{package}.exceptions"
        ).TaskResultDoesNotExist
        self.ready: Any = base.TaskResultStatus.READY
        self.running: Any = base.TaskResultStatus.RUNNING
        self.failed: Any = base.TaskResultStatus.FAILED
        #: The name of the status changed with django-tasks 0.12.
        self.successful: Any = getattr(
            base.TaskResultStatus, "SUCCESSFUL", None
        ) or base.TaskResultStatus("SUCCEEDED")

    def new_result(
        self, task: Any, result_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Return the TaskResult of a task that has just been enqueued.

        Raises:
            TypeError: when an argument cannot be JSON.
        """
        return self._base.TaskResult(
            task=task,
            id=result_id,
            status=self.ready,
            enqueued_at=None,
            started_at=None,
            last_attempted_at=None,
            finished_at=None,
            args=args,
            kwargs=kwargs,
            backend=task.backend,
            errors=[],
            worker_ids=[],
            **({"metadata": {}} if self.has_metadata else {}),
        )

    def context(self, result: Any) -> Any:
        """Return the first argument of a task with `takes_context=True`."""
        return self._base.TaskContext(task_result=result)

    def error(self, error: BaseException, traceback: str) -> Any:
        """Return an entry of `TaskResult.errors`."""
        kind = type(error)
        return self._base.TaskError(
            exception_class_path=f"{kind.__module__}.{kind.__qualname__}", traceback=traceback
        )

    def normalised(self, value: Any) -> Any:
        """Return a copy of a value as JSON keeps it.

        Raises:
            TypeError: when it cannot be JSON.
        """
        if type(value) in _ATOMS:  # Most tasks return None.
            return value
        return json.loads(json.dumps(self._base.normalize_json(value)))

    def __repr__(self) -> str:
        return f"<Family {self.package}>"


@cache
def families() -> tuple[Family, ...]:
    """Return the families that are installed here.

    The backport is imported when it is installed, whether or not the settings name it: a task
    module that is imported later may use it.

    Raises:
        UnknownVersionError: when one of them lacks what the bridge relies on.
    """
    found = []
    if find_spec("django.tasks") is not None:
        _DJANGO.check(django.__version__)
        found.append(Family("django.tasks"))
    if find_spec("django_tasks") is not None:
        version = import_module("django_tasks").__version__
        _BACKPORT.check(version)
        found.append(Family("django_tasks", f"django-tasks {version}"))
    return tuple(found)
