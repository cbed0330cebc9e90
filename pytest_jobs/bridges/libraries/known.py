"""The job libraries that are known, and the refusal of an enqueue that nobody could record."""

from __future__ import annotations

import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any, Final, Protocol

from ...errors import RefusedEnqueueError
from ..seam import Seam


@dataclass(frozen=True)
class Library:
    """A job library."""

    #: Its name in `jobs_apps` and in `jobs_ignore`.
    name: str
    #: Its name in sentences.
    title: str
    #: Its modules after whose import it can be captured; one of them is enough.
    modules: tuple[str, ...]
    #: The methods that put a job into a real queue, as "module:Class.method". A version may lack some of them.
    enqueues: tuple[str, ...]
    #: Whether pytest-jobs has a bridge to it, which is the module of its name in `bridges`.
    is_bridged: bool = False
    #: What it calls an application; None for a library that has exactly one, which its bridge finds.
    application: str | None = "app"
    #: Whether an application is a class or dictionary of the project, which `is_settings` of the bridge knows.
    has_settings: bool = False
    #: Where its enqueues are refused.
    seam: Seam = field(default_factory=Seam, repr=False, compare=False)

    @property
    def is_imported(self) -> bool:
        return any(module in sys.modules for module in self.modules)


#: For a library with a bridge the methods matter only when its version cannot be captured.
LIBRARIES: Final[Mapping[str, Library]] = {
    library.name: library
    for library in (
        Library(
            "celery",
            "Celery",
            # `celery` alone imports nothing: it finds its parts when they are asked for.
            ("celery.app",),
            ("celery.app.base:Celery.send_task", "celery.app.task:Task.apply_async"),
            is_bridged=True,
        ),
        Library(
            "django",
            "Django tasks",
            ("django.tasks", "django_tasks"),
            (
                "django.tasks.base:Task.enqueue",
                "django.tasks.base:Task.aenqueue",
                "django_tasks.base:Task.enqueue",
                "django_tasks.base:Task.aenqueue",
            ),
            is_bridged=True,
            application=None,
        ),
        Library(
            "taskiq",
            "Taskiq",
            ("taskiq",),
            (
                "taskiq.kicker:AsyncKicker.kiq",
                "taskiq.kicker:AsyncKicker.schedule_by_time",
                "taskiq.kicker:AsyncKicker.schedule_by_cron",
            ),
            is_bridged=True,
            application="broker",
        ),
        Library(
            "rq",
            "RQ",
            ("rq",),
            (
                "rq.queue:Queue.enqueue_call",
                "rq.queue:Queue.enqueue_job",
                "rq.queue:Queue.enqueue_many",
                "rq.queue:Queue.enqueue_at",
                "rq.queue:Queue.schedule_job",
            ),
            is_bridged=True,
            application="queue",
        ),
        Library(
            "dramatiq",
            "Dramatiq",
            ("dramatiq",),
            ("dramatiq.broker:Broker.enqueue",),
            is_bridged=True,
            application="broker",
        ),
        Library(
            "huey",
            "Huey",
            ("huey",),
            ("huey.api:Huey.enqueue",),
            is_bridged=True,
            application="huey",
        ),
        Library(
            "procrastinate",
            "Procrastinate",
            ("procrastinate",),
            (
                "procrastinate.manager:JobManager.batch_defer_jobs",
                "procrastinate.manager:JobManager.batch_defer_jobs_async",
                "procrastinate.manager:JobManager.defer_job",
                "procrastinate.manager:JobManager.defer_job_async",
            ),
            is_bridged=True,
        ),
        Library(
            "arq",
            "arq",
            ("arq",),
            ("arq.connections:ArqRedis.enqueue_job",),
            is_bridged=True,
            application="WorkerSettings",
            has_settings=True,
        ),
        Library(
            "saq",
            "SAQ",
            ("saq",),
            ("saq.queue.base:Queue.enqueue", "saq.queue:Queue.enqueue"),
            is_bridged=True,
            application="queue",
        ),
        Library(
            "oban",
            "Oban",
            ("oban",),
            ("oban.oban:Oban.enqueue", "oban.oban:Oban.enqueue_many"),
            is_bridged=True,
            application="oban",
        ),
        Library(
            "django_q",
            "Django-Q2",
            ("django_q.tasks",),
            # With `sync` it enqueues nothing, and runs the job.
            ("django_q.brokers:Broker.enqueue", "django_q.tasks:_sync"),
            is_bridged=True,
            application=None,
        ),
        Library(
            "apscheduler",
            "APScheduler",
            # The second is of APScheduler 4, another library by the same name.
            ("apscheduler.schedulers.base", "apscheduler._schedulers.async_"),
            (
                "apscheduler.schedulers.base:BaseScheduler.add_job",
                "apscheduler:AsyncScheduler.add_job",
                "apscheduler:AsyncScheduler.add_schedule",
            ),
            is_bridged=True,
            application="scheduler",
        ),
        Library(
            "background_tasks",
            "Background tasks of Starlette and FastAPI",
            # The last of its modules that an application imports: its bridge finds all others loaded.
            ("starlette.applications",),
            # There is no queue to keep them from.
            (),
            is_bridged=True,
            application=None,
        ),
        Library(
            "background_task",
            "django-background-tasks",
            ("background_task.tasks",),
            ("background_task.tasks:DBTaskRunner.schedule",),
        ),
        Library(
            "streaq",
            "streaQ",
            ("streaq",),
            ("streaq.task:Task.__await__", "streaq.worker:Worker.publish_task"),
        ),
        Library("pgqueuer", "PgQueuer", ("pgqueuer",), ("pgqueuer.queries:Queries.enqueue",)),
        Library(
            "chancy",
            "Chancy",
            ("chancy",),
            tuple(
                f"chancy.app:Chancy.{verb}"
                for push in ("push", "push_ex", "push_many", "push_many_ex")
                for verb in (push, f"sync_{push}")
            ),
        ),
        Library(
            "spinach",
            "Spinach",
            ("spinach",),
            ("spinach.engine:Engine.schedule_at", "spinach.engine:Engine.schedule_batch"),
        ),
        Library(
            "tasktiger",
            "TaskTiger",
            ("tasktiger",),
            ("tasktiger.task:Task.delay",),
        ),
        Library(
            "dbos",
            "DBOS",
            ("dbos",),
            (
                "dbos:Queue.enqueue",
                "dbos:Queue.enqueue_async",
                "dbos:DBOSClient.enqueue",
                "dbos:DBOSClient.enqueue_async",
                "dbos:DBOSClient.enqueue_in_transaction",
                # The others call a queue.
                "dbos:DBOS.start_workflow",
                "dbos:DBOS.start_workflow_async",
            ),
        ),
        Library(
            "hatchet_sdk",
            "Hatchet",
            ("hatchet_sdk",),
            tuple(
                f"hatchet_sdk.clients.admin:AdminClient.{prefix}{verb}"
                for verb in ("run_workflow", "run_workflows", "schedule_workflow")
                for prefix in ("", "aio_")
            ),
        ),
        Library(
            "inngest",
            "Inngest",
            ("inngest",),
            ("inngest:Inngest.send", "inngest:Inngest.send_sync"),
        ),
        Library(
            "repid",
            "Repid",
            ("repid",),
            ("repid:Repid.send_message", "repid:Repid.send_message_json"),
        ),
        Library("rearq", "ReArq", ("rearq",), ("rearq.task:Task.delay",)),
        Library(
            "wakaq",
            "WakaQ",
            ("wakaq",),
            (
                "wakaq:WakaQ._enqueue_at_front",
                "wakaq:WakaQ._enqueue_at_end",
                "wakaq:WakaQ._enqueue_with_eta",
            ),
        ),
    )
}


def packages_of(library: str) -> frozenset[str]:
    """Return the names of the packages of a library: what they have is not of a project."""
    known = LIBRARIES.get(library)
    if known is None:
        # The core of pytest-jobs, or the library of a bridge of the project's own.
        return frozenset(("pytest_jobs" if library == "core" else library,))
    return frozenset(name.partition(".")[0] for name in known.modules)


class Refused(Protocol):
    """Where refusals are noted: the ledger of a harness."""

    def refused(self, why: str) -> None: ...


class Beside(ABC):
    """What is in force for one harness at the methods of a library, without being a bridge to it."""

    def __init__(self, seam: Seam) -> None:
        """Prepare it; `install` puts it in force."""
        self.seam = seam

    def install(self) -> None:
        self.seam.enter(self)

    def uninstall(self) -> None:
        self.seam.leave(self)

    def takes(self, application: object) -> bool:
        return True

    @abstractmethod
    def patch(self, seam: Seam) -> None:
        """Stand in for the methods, once for all harnesses."""


class Refusal(Beside):
    """Refuses every enqueue of a library for one harness: the job would go to the real queue, unseen."""

    def __init__(self, library: Library, ledger: Refused, why: str) -> None:
        """Prepare it; `install` puts it in force.

        Args:
            library: the library.
            ledger: where refusals are noted.
            why: why the library cannot be captured, as a sentence without its full stop.
        """
        super().__init__(library.seam)
        self._library = library
        self._ledger = ledger
        self._why = why

    def patch(self, seam: Seam) -> None:
        for owner, name in methods_at(self._library.enqueues):
            method = partial(Refusal._refuse, call=name)
            if isinstance(vars(owner).get(name), classmethod):
                seam.set(owner, name, classmethod(_refused_of_class(seam, owner, name)))
            else:
                seam.replace(owner, name, method)
                seam.replace_below(owner, name, method)

    def _refuse(self, sender: object, /, *args: Any, call: str, **kwargs: Any) -> Any:
        shown = ", ".join(_shown(args, kwargs))
        of_class = sender if isinstance(sender, type) else type(sender)
        error = RefusedEnqueueError(
            f"{of_class.__name__}.{call}({shown}) was refused: the job would go to the real queue, where no "
            f"assertion sees it. {self._why}. Replace the call in this test, or say "
            f"jobs_ignore = {self._library.name} to let {self._library.title} through unseen."
        )
        self._ledger.refused(str(error))
        raise error


def methods_at(paths: Iterable[str]) -> Iterator[tuple[type, str]]:
    """Yield the class and the name of each method that is named as "module:Class.method" and exists."""
    for path in paths:
        module_name, _, attributes = path.partition(":")
        class_name, _, name = attributes.partition(".")
        owner = getattr(_imported(module_name), class_name, None)
        if isinstance(owner, type) and hasattr(owner, name):
            yield owner, name


def _refused_of_class(seam: Seam, owner: type, name: str) -> Callable[..., Any]:
    """Return what takes the place of a class method that enqueues."""
    genuine: Callable[..., Any] = vars(owner)[name].__func__

    def refuse(cls: type, *args: Any, **kwargs: Any) -> Any:
        refusal = seam.bridge_of(cls)
        if refusal is None:
            return genuine(cls, *args, **kwargs)
        return Refusal._refuse(refusal, cls, *args, call=name, **kwargs)

    return refuse


def _imported(name: str) -> ModuleType | None:
    """Return a module of a library; None when this version has no such module."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _shown(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the functions, tasks and messages among some arguments."""
    for value in (*args, *kwargs.values()):
        name = value
        for attribute in ("__qualname__", "func_name", "actor_name", "task_name", "name"):
            if isinstance(name, str):
                break
            name = getattr(value, attribute, None)
        if isinstance(name, str):
            yield name
