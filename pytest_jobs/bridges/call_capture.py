"""Seeing direct calls of tasks, such as `task(1)`, for `--jobs-audit`."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from ..harness.records.home import is_installed
from ..harness.records.patches import Patches
from ..harness.running.direct_calls import DirectCall, direct_calls
from .toolkit import is_class_method, path_of


class Called(NamedTuple):
    """The task of a call, and what the call gives to it."""

    job: Any
    name: str
    body: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    #: What the call gives in place of what a worker gives; None when it gives nothing.
    context: Mapping[str, Any] | None = None
    #: The library that the function was given to; empty where the task says so itself.
    library: str = ""
    #: Whether nobody waits for it.
    can_wait: bool = False


#: Reads a call from the first argument of a captured function and from the others; None if it calls no job.
Reader = Callable[[Any, tuple[Any, ...], dict[str, Any]], Called | None]
#: Whether the captured function returns a coroutine; "as body" if it does when the task is a coroutine function.
Awaited = Literal["never", "always", "as body"]


class DirectCallCapture:
    """Lets the spectator of a session see the direct calls of tasks, once their library is imported.

    So it sees jobs that a library performs where they are enqueued, in modes for tests that do not call the task:
    `Queue(is_async=False)` of RQ, `immediate` of Huey.
    """

    def __init__(self, patches: Patches) -> None:
        """Capture nothing yet.

        Args:
            patches: puts everything back.
        """
        self._patches = patches
        self._waiting: dict[str, Callable[[Any], None]] = {
            # Its `Task` is imported at the first use of a task, which may be the first call.
            "celery": self._celery,
            "django.tasks.base": self._django,
            "django_tasks.base": self._django,
            "taskiq.decor": self._taskiq,
            "dramatiq.actor": self._dramatiq,
            "huey.api": self._huey,
            "huey.registry": self._huey_at_once,
            "procrastinate.tasks": self._procrastinate,
            "rq.job": self._rq_at_once,
            "starlette.background": self._background,
            "starlette.testclient": self._test_client,
            "pytest_jobs.core.functions": self._functions,
            "pytest_jobs.core.execution": self._core,
        }

    def catch_up(self) -> None:
        """Capture the calls of all libraries that are imported by now."""
        for name in [name for name in self._waiting if name in sys.modules]:
            self._waiting.pop(name)(sys.modules[name])

    def _celery(self, module: Any) -> None:
        self._capture(module.Task, "__call__", _read_celery, "never")
        self._capture(module.Task, "apply", _read_apply, "never")
        find = module.Task.__getattribute__

        def found(task: Any, name: str) -> Any:
            value = find(task, name)
            if name != "run" or direct_calls.spectator() is None:
                return value
            # Each task has a `run` of its own, so that there is no one place to capture it.
            return capturing(value, lambda args, kwargs: _read_celery(task, args, kwargs), "never")

        self._patches.set(module.Task, "__getattribute__", found)

    def _django(self, module: Any) -> None:
        self._capture(module.Task, "call", _read_django, "never")
        self._capture(module.Task, "acall", _read_django, "always")

    def _taskiq(self, module: Any) -> None:
        self._capture(module.AsyncTaskiqDecoratedTask, "__call__", _read_taskiq, "as body")

    def _dramatiq(self, module: Any) -> None:
        # An actor that is a coroutine function runs on a loop in a thread of Dramatiq, and its call waits.
        self._capture(module.Actor, "__call__", _read_dramatiq, "never")

    def _huey(self, module: Any) -> None:
        self._capture(module.TaskWrapper, "call_local", _read_huey, "never")

    def _huey_at_once(self, _: Any) -> None:
        self._capture(sys.modules["huey.api"].Huey, "_execute", _read_executed, "never")

    def _rq_at_once(self, module: Any) -> None:
        self._capture(module.Job, "_execute", _read_rq, "never")

    def _background(self, module: Any) -> None:
        # What a response runs once it has been sent. A group calls each of its tasks.
        self._capture(module.BackgroundTask, "__call__", _read_background, "always")

    def _test_client(self, module: Any) -> None:
        """Say when a request has ended: the client runs its application in another thread, and waits for it."""
        response = module.httpx.Response
        close = response.close

        @functools.wraps(close)
        def closed(response: Any) -> None:
            close(response)
            spectator = direct_calls.spectator()
            if spectator is not None:
                spectator.make_waiting()

        self._patches.set(response, "close", closed)

    def _procrastinate(self, module: Any) -> None:
        self._capture(module.Task, "__call__", _read_procrastinate, "as body")

    def _functions(self, module: Any) -> None:
        self._capture(module.JobFunction, "__call__", _read_function, "as body")

    def _core(self, module: Any) -> None:
        self._capture(module, "perform_now", _read_job, "never")
        self._capture(module, "aperform_now", _read_job, "always")

    def _capture(self, owner: Any, name: str, read: Reader, awaited: Awaited) -> None:
        genuine = getattr(owner, name)

        @functools.wraps(genuine)
        def captured(task: Any, /, *args: Any, **kwargs: Any) -> Any:
            if direct_calls.spectator() is None:
                return genuine(task, *args, **kwargs)
            call = functools.partial(genuine, task)
            reading = functools.partial(read, task)
            return capturing(call, reading, awaited)(*args, **kwargs)

        self._patches.set(owner, name, captured)


def capturing(
    call: Callable[..., Any],
    read: Callable[[tuple[Any, ...], dict[str, Any]], Called | None],
    awaited: Awaited,
) -> Callable[..., Any]:
    """Return a function that makes a call before the eyes of the spectator.

    Args:
        call: makes it.
        read: returns the task and its arguments.
        awaited: when it returns a coroutine.
    """

    @functools.wraps(call, updated=())
    def captured(*args: Any, **kwargs: Any) -> Any:
        spectator = direct_calls.spectator()
        called = None if spectator is None else read(args, kwargs)
        if spectator is None or called is None:
            return call(*args, **kwargs)
        kept_args, kept_kwargs = kept(args), kept(kwargs)

        def make() -> Any:
            return call(*kept(kept_args), **kept(kept_kwargs))

        given = (kept(called.args), kept(called.kwargs))
        is_awaited = awaited == "always" or (
            awaited == "as body" and inspect.iscoroutinefunction(inspect.unwrap(called.body))
        )
        direct = DirectCall(
            called.name,
            called.body,
            make,
            called.job,
            given,
            called.context,
            is_awaited,
            called.library,
            called.can_wait,
        )
        return spectator.acall(direct) if is_awaited else spectator.call(direct)

    return captured


def kept(value: Any) -> Any:
    """Copy containers at any depth: the message of a job has its arguments as they were at first."""
    if type(value) in {list, tuple}:
        return type(value)(map(kept, value))
    if type(value) is dict:
        return {name: kept(each) for name, each in value.items()}
    return value


def _read_celery(task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Called:
    return Called(task, str(task.name), type(task).run, args, kwargs)


def _read_apply(task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Called:
    given = (args[0] if args else kwargs.get("args")) or ()
    named = (args[1] if len(args) > 1 else kwargs.get("kwargs")) or {}
    return _read_celery(task, tuple(given), dict(named))


def _read_django(task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Called:
    return Called(task, str(task.module_path), task.func, args, kwargs)


def _read_taskiq(task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Called:
    return Called(task, str(task.task_name), task.original_func, args, kwargs)


def _read_dramatiq(actor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Called:
    from .dramatiq.worker import body_of

    return Called(actor, str(actor.actor_name), body_of(actor), args, kwargs)


def _read_huey(task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Called:
    made = task.task_class
    return Called(task, f"{made.__module__}.{made.__name__}", task.func, args, kwargs)


def _read_procrastinate(task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Called:
    return Called(task, str(task.name), task.func, args, kwargs)


def _read_function(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Called:
    return Called(
        function, function.job_class.__declaration__.name, function.__wrapped__, args, kwargs
    )


def _read_job(job: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Called:
    made = type(job)
    return Called(made, made.__declaration__.name, made.perform, job.args, dict(job.kwargs))


def _read_rq(job: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Called:
    name = str(job.func_name) if job.instance is None else path_of(job.func)
    args, kwargs = tuple(job.args), dict(job.kwargs)
    return Called(job.func, name, job.func, args, kwargs, None, _given_to("rq", job.func))


def _read_background(task: Any, _: tuple[Any, ...], __: dict[str, Any]) -> Called | None:
    function, args, kwargs = task.func, tuple(task.args), dict(task.kwargs)
    while isinstance(function, functools.partial):
        args, kwargs = (*function.args, *args), {**function.keywords, **kwargs}
        function = function.func
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    if not inspect.isroutine(function) or module is None or is_installed(module):
        return None
    library = _given_to("background_tasks", function)
    return Called(function, path_of(function), function, args, kwargs, None, library, can_wait=True)


def _given_to(library: str, function: object) -> str:
    """Return the library of a function; of a method none, since a job by its name has no object."""
    has_object = inspect.ismethod(function) and not is_class_method(function)
    return "" if has_object else library


def _read_executed(huey: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Called:
    task = args[0]
    made = type(task)
    name = f"{made.__module__}.{made.__name__}"
    return Called(made, name, made.execute, tuple(task.args), dict(task.kwargs))
