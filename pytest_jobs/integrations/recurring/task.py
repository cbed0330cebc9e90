"""One recurring task: what it enqueues, and when."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias
from zoneinfo import ZoneInfo

from ...core.foundation.options import ConfiguredJob, Options, checked_priority, checked_queue
from ...core.functions import JobFunction
from ...core.job import Job
from ...errors import DeclarationError, ScheduleError, SerializationError, SignatureError
from .phrases import closest, find_zone, read_interval, read_schedule
from .timing import Timing

_HELP = (
    "write a dotted path to a callable, with plain values as arguments if there are any, as in "
    "'shop.cards.postpone_due' or 'shop.cards.postpone_due(limit=50)'"
)


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
        return read_command(command).call()


@dataclass(frozen=True, slots=True)
class Command:
    """A callable and its arguments."""

    target: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def call(self) -> Any:
        """Call it."""
        return self.target(*self.args, **self.kwargs)


def read_command(text: str) -> Command:
    """Return what a command says.

    Raises:
        ScheduleError: when it is none, names nothing that can be called, or gives it arguments that it
            does not take.
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
        return Command(target, args, kwargs)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise ScheduleError(
            f"command is {text!r}, and its arguments do not fit {path}{signature}: {error}"
        ) from None
    return Command(target, args, kwargs)


def split_command(text: str) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Return the path and the arguments of a command, by reading it alone.

    Raises:
        ScheduleError: when it is none.
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
        raise ScheduleError(f"command is {text!r}, which is no command: {_HELP}") from None
    return path, args, named


def find(path: str, what: str) -> Any:
    """Return what a dotted path names, importing its module.

    Args:
        path: such as `shop.reports.DailyReport`.
        what: how a message calls it: `class` or `command`.

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
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise ScheduleError(_broken(what, path, name, error)) from error
            continue
        except Exception as error:
            raise ScheduleError(_broken(what, path, name, error)) from error
        return _attribute(found, name, pieces[length:], path, what)
    raise ScheduleError(
        f"{what} is {path!r}, and there is no module {pieces[0]!r}: correct the path, or run where it can "
        "be imported"
    )


def _attribute(found: Any, name: str, pieces: list[str], path: str, what: str) -> Any:
    for piece in pieces:
        if not hasattr(found, piece):
            raise ScheduleError(
                f"{what} is {path!r}, and {name} has no {piece!r}: correct the path"
            )
        found = getattr(found, piece)
        name = f"{name}.{piece}"
    return found


def _broken(what: str, path: str, name: str, error: Exception) -> str:
    return f"{what} is {path!r}, and {name} cannot be imported: {type(error).__name__}: {error}. Mend that first"


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


#: What a task may say, Solid Queue's words first.
KEYS = (
    "class",
    "command",
    "args",
    "queue",
    "priority",
    "schedule",
    "description",
    "cron",
    "every",
    "timezone",
    "enabled",
)
#: What says when; a task has one of them.
WHEN: Mapping[str, Callable[[str, ZoneInfo], Timing]] = {
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
    _timing: Timing
    _recurs: Recurs

    @property
    def cron(self) -> str:
        """When it fires, as crontab lines; what they cannot say stands behind them."""
        return self._timing.text

    @property
    def timezone(self) -> str:
        """The timezone in which it fires."""
        return self._timing.timezone.key

    @property
    def command(self) -> str | None:
        """The command; None where there is a class."""
        return str(self.args[0]) if self.job is RecurringCommand else None

    def enqueue(self) -> Any:
        """Enqueue a job as its firing does, and return what its library returns."""
        return self._recurs.enqueue(self.args, self.kwargs, self.queue, self.priority)


def read_task(key: str, told: object, zone: ZoneInfo) -> RecurringTask | None:
    """Return the task that a mapping describes; None for one that is not enabled.

    Raises:
        ScheduleError: when it cannot be meant, with the reason alone.
    """
    if not isinstance(told, Mapping):
        raise ScheduleError(
            f"it is {told!r}: write the keys of a task below it, such as class and schedule"
        )
    _check_keys(told)
    job, args, kwargs = _read_what(told)
    enqueued = recurs(job, told.get("class"))
    queue, priority = told.get("queue"), told.get("priority")
    try:
        queue = None if queue is None else checked_queue(queue, "queue")
        priority = checked_priority(priority, "priority")
    except DeclarationError as error:
        raise ScheduleError(str(error).removesuffix(".")) from error
    enqueued.check(args, kwargs, queue, priority)
    written, timing = _read_when(told, zone)
    if not _read_flag(told):
        return None
    described = str(told.get("description", ""))
    return RecurringTask(
        key, job, args, kwargs, queue, priority, described, written, timing, enqueued
    )


def _check_keys(told: Mapping[Any, object]) -> None:
    for word in told:
        if word in KEYS:
            continue
        meant = closest(str(word), KEYS)
        hint = f"did you mean {meant!r}? There are" if meant else "there are"
        raise ScheduleError(
            f"it has a key {word!r}, which means nothing here: {hint} {', '.join(KEYS)}"
        )


def _read_flag(told: Mapping[Any, object]) -> bool:
    enabled = told.get("enabled", True)
    if not isinstance(enabled, bool):
        raise ScheduleError(f"enabled is {enabled!r}: write true or false")
    return enabled


def _read_when(told: Mapping[Any, object], zone: ZoneInfo) -> tuple[str, Timing]:
    given = [name for name in WHEN if name in told]
    if len(given) != 1:
        what = f"both {given[0]} and {given[1]}" if given else "nothing of when"
        raise ScheduleError(f"it says {what}: write one of schedule, cron and every")
    (name,) = given
    text = told[name]
    if not isinstance(text, str):
        raise ScheduleError(
            f"{name} is {text!r}, which is no text: put it in quotes, as in '0 9 * * 1'"
        )
    own_zone = told.get("timezone")
    if own_zone is not None:
        zone = find_zone(str(own_zone))
    try:
        return text, WHEN[name](text, zone)
    except ScheduleError as error:
        raise ScheduleError(f"{name} {str(error).removesuffix('.')}") from None


def _read_what(told: Mapping[Any, object]) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    job, command = told.get("class"), told.get("command")
    if (job is None) == (command is None):
        both = "both a class and a command" if job is not None else "neither a class nor a command"
        raise ScheduleError(
            f"it has {both}: write `class:` with a job, or `command:` with a dotted path to a callable"
        )
    if job is not None:
        found = find(job, "class") if isinstance(job, str) else job
        return found, *_read_arguments(told.get("args"))
    if "args" in told:
        raise ScheduleError(
            "a command has no args: write them into it, as in 'shop.cards.postpone_due(limit=50)'"
        )
    if not isinstance(command, str):
        raise ScheduleError(f"command is {command!r}, which is no text: write a dotted path")
    read_command(command)
    return RecurringCommand, (command,), {}


def _read_arguments(args: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Take a mapping at the end for keyword arguments, as Solid Queue does."""
    listed: list[Any]
    listed = [] if args is None else [*args] if isinstance(args, list | tuple) else [args]
    if not listed or not isinstance(listed[-1], Mapping):
        return tuple(listed), {}
    positional, named = listed[:-1], listed[-1]
    if not all(isinstance(name, str) for name in named):
        raise ScheduleError(f"args ends with {named!r}, whose keys are no names of parameters")
    return tuple(positional), dict(named)
