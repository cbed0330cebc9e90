"""What a recurring task enqueues: a job of the core, or a task of Celery or of Django."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from ..core.foundation.options import ConfiguredJob, Options
from ..core.functions import JobFunction
from ..core.job import Job
from ..errors import DeclarationError, ScheduleError, SerializationError, SignatureError

Args: TypeAlias = tuple[Any, ...]
Kwargs: TypeAlias = Mapping[str, Any]


class Recurs(Protocol):
    """A job, and how its library enqueues it."""

    @property
    def name(self) -> str:
        """The name under which its records go."""
        ...

    def check(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> None:
        """Raise when it cannot be enqueued so.

        Raises:
            ScheduleError: with the reason.
        """
        ...

    def queue_of(self, args: Args, kwargs: Kwargs) -> str:
        """Return the queue in which it goes if nothing is said."""
        ...

    def enqueue(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> Any:
        """Enqueue it."""
        ...


def recurs(job: Any, shown: object) -> Recurs:
    """Return how a job is enqueued.

    Args:
        job: a job class or function of the core, a task of Celery, or a Task of Django.
        shown: how a message calls it.

    Raises:
        ScheduleError: when it is none of them.
    """
    if isinstance(job, JobFunction):
        return CoreJob(job.job_class)
    if isinstance(job, type) and issubclass(job, Job):
        return CoreJob(job)
    if _is_of(job, "celery.app.task", "Task"):
        return CeleryTask(job)
    if _is_of(job, "django.tasks.base", "Task") or _is_of(job, "django_tasks.base", "Task"):
        return DjangoTask(job)
    name = shown if isinstance(shown, str) else repr(job)
    if _is_of(job, "taskiq.decor", "AsyncTaskiqDecoratedTask"):
        raise ScheduleError(
            f"class is {name}, a task of Taskiq, which is enqueued by awaiting it: leave it to a scheduler of "
            "Taskiq, or write a job of the core that awaits its `kiq`"
        )
    raise ScheduleError(
        f"class is {name}, which is no job: derive it from Job or decorate it with @job; what is only to "
        "be called is a `command:`"
    )


@dataclass(frozen=True, slots=True)
class CoreJob:
    """A job of the core."""

    job: type[Job]

    @property
    def name(self) -> str:
        """The name of its class."""
        return self.job._name

    def check(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> None:
        """Build it, and write its arguments down."""
        try:
            self.job._build(args, kwargs, None)._encoded_arguments()
        except (DeclarationError, SignatureError, SerializationError) as error:
            raise ScheduleError(str(error).removesuffix(".")) from error

    def queue_of(self, args: Args, kwargs: Kwargs) -> str:
        """Return what the class declares."""
        return self.job.new(*args, **kwargs).queue_name

    def enqueue(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> Any:
        """Call `perform_later`."""
        configured: ConfiguredJob[Any]
        configured = ConfiguredJob(self.job, Options(queue=queue, priority=priority))
        return configured.perform_later(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class CeleryTask:
    """A task of Celery."""

    job: Any

    @property
    def name(self) -> str:
        """The name with which it is registered."""
        return str(self.job.name)

    def check(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> None:
        """Bind the arguments as `apply_async` does."""
        takes = getattr(self.job, "__header__", None)
        if takes is not None and self.job.typing:
            try:
                takes(*args, **kwargs)
            except TypeError as error:
                raise _unfit(self.name, error) from None

    def queue_of(self, args: Args, kwargs: Kwargs) -> str:
        """Return where its application routes it."""
        own = getattr(self.job, "queue", None)
        routed = self.job.app.amqp.router.route(
            {"queue": own} if own else {}, self.name, args, dict(kwargs), self.job
        )
        return str(getattr(routed["queue"], "name", routed["queue"]))

    def enqueue(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> Any:
        """Call `apply_async`."""
        said = {"queue": queue, "priority": priority}
        options = {name: value for name, value in said.items() if value is not None}
        return self.job.apply_async(args, dict(kwargs), **options)


@dataclass(frozen=True, slots=True)
class DjangoTask:
    """A Task of Django."""

    job: Any

    @property
    def name(self) -> str:
        """The path of its function."""
        return str(self.job.module_path)

    def check(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> None:
        """Bind the arguments to its function, and let its backend look at the options."""
        context = (None,) if self.job.takes_context else ()
        try:
            inspect.signature(self.job.func).bind(*context, *args, **kwargs)
        except TypeError as error:
            raise _unfit(self.name, error) from None
        try:
            self._configured(queue, priority)
        except Exception as error:  # Whatever a backend raises for what it does not support.
            raise ScheduleError(
                f"the backend of {self.name} refuses it: {str(error).removesuffix('.')}"
            ) from error

    def queue_of(self, args: Args, kwargs: Kwargs) -> str:
        """Return what it declares."""
        return str(self.job.queue_name)

    def enqueue(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> Any:
        """Call `enqueue`, after `using` where the schedule says something."""
        return self._configured(queue, priority).enqueue(*args, **kwargs)

    def _configured(self, queue: str | None, priority: int | None) -> Any:
        said = {"queue_name": queue, "priority": priority}
        options = {name: value for name, value in said.items() if value is not None}
        return self.job.using(**options) if options else self.job


def _is_of(job: object, module: str, name: str) -> bool:
    """Say whether it is an object of a class, without importing the library, which made it if it is one."""
    cls = getattr(sys.modules.get(module), name, None)
    return isinstance(cls, type) and isinstance(job, cls)


def _unfit(name: str, error: TypeError) -> ScheduleError:
    return ScheduleError(f"its arguments do not fit {name}: {str(error).removesuffix('.')}")
