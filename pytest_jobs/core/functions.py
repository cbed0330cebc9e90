"""Functions as jobs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Generic, ParamSpec, TypeVar, overload

from ..errors import DeclarationError
from .declares import Declares
from .job import Job
from .options import ConfiguredJob, Options

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")


class JobFunction(Generic[P, R_co]):
    """A function that stays callable and can be enqueued too, as `@job` returns it."""

    __name__: str
    __qualname__: str

    def __init__(self, function: Callable[P, R_co], job_class: type[Job]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        #: The job class behind the function.
        self.job_class = job_class

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function itself, as if it were no job."""
        return self._function(*args, **kwargs)

    def __set_name__(self, owner: type, name: str) -> None:
        raise DeclarationError(
            f"{owner.__qualname__}.{name} is a method, and @job is for functions: write the method and "
            f"`{name}_later = later({name})` below it."
        )

    def perform_later(self, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Enqueue a job with these arguments; see `Job.perform_later`."""
        job = self.job_class._build(args, kwargs, None)
        return job.enqueue()

    @overload
    def perform_now(
        self: JobFunction[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...
    @overload
    def perform_now(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    def perform_now(self, /, *args: Any, **kwargs: Any) -> Any:
        """Perform a job with these arguments here; see `Job.perform_now`."""
        return self.job_class.perform_now(*args, **kwargs)

    @overload
    async def aperform_now(
        self: JobFunction[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...
    @overload
    async def aperform_now(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    async def aperform_now(self, /, *args: Any, **kwargs: Any) -> Any:
        """Perform a job with these arguments on the running event loop."""
        return await self.job_class.aperform_now(*args, **kwargs)

    def new(self, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Return a job with these arguments, not enqueued yet; for `perform_all_later`."""
        return self.job_class._build(args, kwargs, None)

    def set(
        self,
        *,
        wait: float | timedelta | None = None,
        at: datetime | None = None,
        queue: str | None = None,
        priority: int | None = None,
    ) -> ConfiguredJob[P]:
        """Set options of the next enqueue; see `Job.set`."""
        return ConfiguredJob(
            self.job_class, Options(wait=wait, at=at, queue=queue, priority=priority)
        )

    def __repr__(self) -> str:
        return f"<job {self.__qualname__}>"


@overload
def job(function: Callable[P, R], /) -> JobFunction[P, R]: ...
@overload
def job(
    *,
    queue: str | Callable[..., str] | None = None,
    priority: int | Callable[..., int | None] | None = None,
    enqueue_after_commit: bool | None = None,
    base: type[Job] = Job,
) -> Callable[[Callable[P, R]], JobFunction[P, R]]: ...
def job(
    function: Callable[..., Any] | None = None,
    /,
    *,
    queue: str | Callable[..., str] | None = None,
    priority: int | Callable[..., int | None] | None = None,
    enqueue_after_commit: bool | None = None,
    base: type[Job] = Job,
) -> Any:
    """Make a job of a function: a decorator, with or without arguments.

    Args:
        function: a function or coroutine function at the top of a module.
        queue: the name of the queue, or a callable that takes the arguments and returns it; None
            for the queue of the base.
        priority: a number, the lower first, or a callable that takes the arguments and returns it;
            None for the priority of the base.
        enqueue_after_commit: whether a job waits for the commit of the transactions that are open;
            None for what the base says.
        base: a job class whose rules and callbacks hold for this job too.

    Raises:
        DeclarationError: when it decorates something else than a function.
    """
    if function is not None:
        return _make(function, {}, base)
    options = {
        "queue": queue,
        "priority": priority,
        "enqueue_after_commit": enqueue_after_commit,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return lambda decorated: _make(decorated, given, base)


def _make(
    function: Callable[..., Any], options: dict[str, Any], base: type[Job]
) -> JobFunction[..., Any]:
    if isinstance(function, Declares):
        raise DeclarationError(
            f"@job stands above @{function.name} without parentheses, which has taken the function for something "
            f"else: write @{function.name}() above @job."
        )
    if not inspect.isfunction(function):
        raise DeclarationError(
            f"@job decorates {function!r}, which is no function: for a class derive from Job, for a method "
            "write `later(method)`."
        )
    job_class = make_job_class(function, staticmethod(function), options, base)
    made = JobFunction(function, job_class)
    job_class.public = made
    return made


def make_job_class(
    function: Callable[..., Any], perform: object, options: dict[str, Any], base: type[Job]
) -> type[Job]:
    """Return a job class that goes by the name of a function.

    Raises:
        DeclarationError: when its base is no job class.
    """
    if not (isinstance(base, type) and issubclass(base, Job)):
        raise DeclarationError(
            f"{function.__qualname__} has base={base!r}, which is no job class: write a class derived from Job."
        )
    options = {
        name: staticmethod(value) if callable(value) else value for name, value in options.items()
    }
    namespace = {
        **options,
        "perform": perform,
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "__doc__": function.__doc__,
    }
    return type(function.__name__, (base,), namespace)
