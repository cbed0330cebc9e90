"""One recurring task: what it enqueues, and when.

A task names a job (`class:`), which a `Sender` enqueues as the job's own library does, or a dotted path to a
callable (`command:`), which `RecurringCommand` calls.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from ...core.enqueueing.enqueue import encoded_arguments
from ...core.foundation.options import checked_priority, checked_queue
from ...core.functions import JobFunction
from ...core.job import Job
from ...errors import DeclarationError, ScheduleError, SerializationError, SignatureError
from .phrases import read_interval, read_schedule
from .timing import Timing, find_zone

Args: TypeAlias = tuple[Any, ...]
Kwargs: TypeAlias = Mapping[str, Any]

# Commands


class RecurringCommand(Job):
    """The job of a recurring task that has a command in place of a class.

    As `SolidQueue::RecurringJob`, whose commands are Ruby; ours are dotted paths, and nothing is
    evaluated.
    """

    queue = "recurring"

    def perform(self, command: str) -> Any:
        """Call what the command names.

        Args:
            command: such as `shop.cards.postpone_due(limit=50)`.

        Raises:
            ScheduleError: when it names nothing that can be called.
        """
        return read_command(command)()


def read_command(text: str) -> Callable[[], Any]:
    """Return the callable of a command, with its arguments.

    Raises:
        ScheduleError: when the text is not a command, or its callable does not take the arguments.
    """
    path, args, kwargs = split_command(text)
    target = find(path, "command")
    if not callable(target):
        raise ScheduleError(
            f"command is {text!r}, and {path} is {target!r}, which cannot be called"
        )
    if inspect.iscoroutinefunction(target):
        raise ScheduleError(
            f"command is {text!r}, and {path} is a coroutine function: make it a job with @job and write "
            f"`class: {path}`"
        )
    try:
        signature = inspect.signature(target)
    except ValueError:  # Some builtins have none.
        return partial(target, *args, **kwargs)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise ScheduleError(
            f"command is {text!r}, and its arguments do not fit {path}{signature}: {error}"
        ) from None
    return partial(target, *args, **kwargs)


def split_command(text: str) -> tuple[str, Args, dict[str, Any]]:
    """Return the path and the arguments of a command; nothing is imported or evaluated.

    Raises:
        ScheduleError: when the text is not a command.
    """
    try:
        expression = ast.parse(text.strip(), mode="eval").body
        called = expression.func if isinstance(expression, ast.Call) else expression
        path = ast.unparse(called)
        if not all(piece.isidentifier() for piece in path.split(".")):
            raise ValueError(path)
        if not isinstance(expression, ast.Call):
            return path, (), {}
        args = tuple(ast.literal_eval(value) for value in expression.args)
        if any(word.arg is None for word in expression.keywords):
            raise ValueError(text)
        named = {str(word.arg): ast.literal_eval(word.value) for word in expression.keywords}
    except (SyntaxError, ValueError, TypeError):
        raise ScheduleError(
            f"command is {text!r}, which is not a command: write a dotted path to a callable, with plain "
            "values as "
            "arguments if there are any, as in 'shop.cards.postpone_due' or 'shop.cards.postpone_due(limit=50)'"
        ) from None
    return path, args, named


def find(path: str, what: str) -> Any:
    """Return what a dotted path names, importing its module.

    Args:
        path: such as `shop.reports.DailyReport`.
        what: the key that holds the path: `class` or `command`.

    Raises:
        ScheduleError: when there is no such thing, or its module raises when it is imported.
    """
    pieces = path.split(".")
    if len(pieces) == 1:
        raise ScheduleError(
            f"{what} is {path!r}, without its module: write a dotted path, as in 'shop.reports.{path}'"
        )
    for length in range(len(pieces) - 1, 0, -1):
        name = ".".join(pieces[:length])
        try:
            found: Any = importlib.import_module(name)
        except Exception as error:
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            if missing is not None and f"{name}.".startswith(f"{missing}."):
                continue  # The last piece is a class, say, and not a module.
            raise ScheduleError(
                f"{what} is {path!r}, and {name} cannot be imported: {type(error).__name__}: {error}. "
                "Mend that first"
            ) from error
        for piece in pieces[length:]:
            if not hasattr(found, piece):
                raise ScheduleError(
                    f"{what} is {path!r}, and {name} has no {piece!r}: correct the path"
                )
            found, name = getattr(found, piece), f"{name}.{piece}"
        return found
    raise ScheduleError(
        f"{what} is {path!r}, and there is no module {pieces[0]!r}: correct the path, or run where it can "
        "be imported"
    )


# Senders


@dataclass(frozen=True, slots=True)
class Sender(ABC):
    """Enqueues a job in the way of its library."""

    job: Any

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the job in its records."""

    @abstractmethod
    def check(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> None:
        """Raise when the job cannot be enqueued with these.

        Raises:
            ScheduleError: with the reason.
        """

    @abstractmethod
    def queue_of(self, args: Args, kwargs: Kwargs) -> str:
        """Return the queue that the library chooses."""

    @abstractmethod
    def enqueue(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> Any:
        """Enqueue the job; None for the queue and the priority that the library chooses."""


class CoreSender(Sender):
    """Enqueues a job of the core."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self.job.__declaration__.name)

    def check(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> None:
        try:
            encoded_arguments(self.job.new(*args, **kwargs))
        except (DeclarationError, SignatureError, SerializationError) as error:
            raise ScheduleError(str(error).removesuffix(".")) from error

    def queue_of(self, args: Args, kwargs: Kwargs) -> str:
        return str(self.job.new(*args, **kwargs).queue_name)

    def enqueue(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> Any:
        return self.job.set(queue=queue, priority=priority).perform_later(*args, **kwargs)


class CelerySender(Sender):
    """Enqueues a task of Celery."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self.job.name)

    def check(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> None:
        # `apply_async` binds the arguments in the same way.
        takes = getattr(self.job, "__header__", None)
        if takes is not None and self.job.typing:
            try:
                takes(*args, **kwargs)
            except TypeError as error:
                raise _misfit(self.name, error) from None

    def queue_of(self, args: Args, kwargs: Kwargs) -> str:
        own = getattr(self.job, "queue", None)
        routed = self.job.app.amqp.router.route(
            {"queue": own} if own else {}, self.name, args, dict(kwargs), self.job
        )
        return str(getattr(routed["queue"], "name", routed["queue"]))

    def enqueue(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> Any:
        options = _given(queue=queue, priority=priority)
        return self.job.apply_async(args, dict(kwargs), **options)


class DjangoSender(Sender):
    """Enqueues a Task of Django."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self.job.module_path)

    def check(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> None:
        context = (None,) if self.job.takes_context else ()
        try:
            inspect.signature(self.job.func).bind(*context, *args, **kwargs)
        except TypeError as error:
            raise _misfit(self.name, error) from None
        try:
            self._configured(queue, priority)
        except (
            Exception
        ) as error:  # A backend raises what it likes for an option that it does not support.
            raise ScheduleError(
                f"the backend of {self.name} refuses it: {str(error).removesuffix('.')}"
            ) from error

    def queue_of(self, args: Args, kwargs: Kwargs) -> str:
        return str(self.job.queue_name)

    def enqueue(self, args: Args, kwargs: Kwargs, queue: str | None, priority: int | None) -> Any:
        return self._configured(queue, priority).enqueue(*args, **kwargs)

    def _configured(self, queue: str | None, priority: int | None) -> Any:
        options = _given(queue_name=queue, priority=priority)
        return self.job.using(**options) if options else self.job


def sender_of(job: Any, shown: object) -> Sender:
    """Return what enqueues a job.

    Args:
        job: a job class or function of the core, a task of Celery, or a Task of Django.
        shown: the job as the schedule names it, for messages.

    Raises:
        ScheduleError: for any other object.
    """
    if isinstance(job, JobFunction):
        return CoreSender(job.job_class)
    if isinstance(job, type) and issubclass(job, Job):
        return CoreSender(job)
    if _is_of(job, "celery.app.task", "Task"):
        return CelerySender(job)
    if _is_of(job, "django.tasks.base", "Task") or _is_of(job, "django_tasks.base", "Task"):
        return DjangoSender(job)
    name = shown if isinstance(shown, str) else repr(job)
    if _is_of(job, "taskiq.decor", "AsyncTaskiqDecoratedTask"):
        raise ScheduleError(
            f"class is {name}, a task of Taskiq, which is enqueued by awaiting it: leave it to a scheduler of "
            "Taskiq, or write a job of the core that awaits its `kiq`"
        )
    raise ScheduleError(
        f"class is {name}, which is not a job: derive it from Job or decorate it with @job; what is only to "
        "be called is a `command:`"
    )


def _is_of(job: object, module: str, name: str) -> bool:
    """Say whether an object is of a class of a library, without importing it: that made it if it is."""
    cls = getattr(sys.modules.get(module), name, None)
    return isinstance(cls, type) and isinstance(job, cls)


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _misfit(name: str, error: TypeError) -> ScheduleError:
    return ScheduleError(f"its arguments do not fit {name}: {str(error).removesuffix('.')}")


# Tasks

#: What a task may say, Solid Queue's words first.
KEYS: Final = (
    *("class", "command", "args", "queue", "priority", "schedule", "description"),
    *("cron", "every", "timezone", "enabled"),
)
#: The keys that say when; a task has one of them.
WHEN: Final[Mapping[str, Callable[[str, ZoneInfo], Timing]]] = {
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
    #: When it fires, as it is understood.
    timing: Timing
    #: Enqueues its job.
    sender: Sender

    @property
    def cron(self) -> str:
        """When it fires, as crontab lines; what they cannot say stands behind them."""
        return self.timing.text

    @property
    def timezone(self) -> str:
        """The timezone in which it fires."""
        return self.timing.timezone.key

    @property
    def command(self) -> str | None:
        """The command; None where there is a class."""
        return str(self.args[0]) if self.job is RecurringCommand else None

    def enqueue(self) -> Any:
        """Enqueue a job as its firing does, and return what its library returns."""
        return self.sender.enqueue(self.args, self.kwargs, self.queue, self.priority)


def read_task(key: str, written: object, zone: ZoneInfo) -> RecurringTask | None:
    """Return the task that a mapping describes; None for one that is not enabled.

    Args:
        key: the key of the task in its schedule.
        written: the mapping below the key.
        zone: the timezone of a task that names none.

    Raises:
        ScheduleError: when the mapping is wrong, with the reason alone.
    """
    if not isinstance(written, Mapping):
        raise ScheduleError(
            f"it is {written!r}: write the keys of a task below it, such as class and schedule"
        )
    for word in written:
        if word not in KEYS:
            near = difflib.get_close_matches(str(word), KEYS, 1)
            hint = f"did you mean {near[0]!r}? There are" if near else "there are"
            raise ScheduleError(
                f"it has a key {word!r}, which means nothing here: {hint} {', '.join(KEYS)}"
            )
    job, args, kwargs = _read_job(written)
    sender = sender_of(job, written.get("class"))
    queue, priority = written.get("queue"), written.get("priority")
    try:
        queue = None if queue is None else checked_queue(queue, "queue")
        priority = checked_priority(priority, "priority")
    except DeclarationError as error:
        raise ScheduleError(str(error).removesuffix(".")) from error
    sender.check(args, kwargs, queue, priority)
    schedule, timing = _read_when(written, zone)
    enabled = written.get("enabled", True)
    if not isinstance(enabled, bool):
        raise ScheduleError(f"enabled is {enabled!r}: write true or false")
    description = str(written.get("description", ""))
    task = RecurringTask(
        key, job, args, kwargs, queue, priority, description, schedule, timing, sender
    )
    return task if enabled else None


def _read_when(written: Mapping[Any, object], zone: ZoneInfo) -> tuple[str, Timing]:
    given = [name for name in WHEN if name in written]
    if len(given) != 1:
        what = f"both {given[0]} and {given[1]}" if given else "nothing of when"
        raise ScheduleError(f"it says {what}: write one of schedule, cron and every")
    (name,) = given
    text = written[name]
    if not isinstance(text, str):
        raise ScheduleError(
            f"{name} is {text!r}, which is not a text: put it in quotes, as in '0 9 * * 1'"
        )
    own_zone = written.get("timezone")
    if own_zone is not None:
        zone = find_zone(own_zone)
    try:
        return text, WHEN[name](text, zone)
    except ScheduleError as error:
        raise ScheduleError(f"{name} {str(error).removesuffix('.')}") from None


def _read_job(written: Mapping[Any, object]) -> tuple[Any, Args, Kwargs]:
    job, command, args = written.get("class"), written.get("command"), written.get("args")
    if (job is None) == (command is None):
        both = "both a class and a command" if job is not None else "neither a class nor a command"
        raise ScheduleError(
            f"it has {both}: write `class:` with a job, or `command:` with a dotted path to a callable"
        )
    if job is None:
        if "args" in written:
            raise ScheduleError(
                "a command has no args: write them into it, as in 'shop.cards.postpone_due(limit=50)'"
            )
        if not isinstance(command, str):
            raise ScheduleError(f"command is {command!r}, which is not a text: write a dotted path")
        read_command(command)
        return RecurringCommand, (command,), {}
    found = find(job, "class") if isinstance(job, str) else job
    positional: list[Any]
    positional = [] if args is None else [*args] if isinstance(args, list | tuple) else [args]
    if not positional or not isinstance(positional[-1], Mapping):
        return found, tuple(positional), {}
    # A mapping at the end holds the keyword arguments, as in Solid Queue.
    named = positional.pop()
    if not all(isinstance(name, str) for name in named):
        raise ScheduleError(f"args ends with {named!r}, whose keys are not names of parameters")
    return found, tuple(positional), dict(named)
