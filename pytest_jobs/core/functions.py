"""Functions and methods as jobs: `job` and `later`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from ..errors import DeclarationError, SignatureError
from .enqueueing.enqueue import new_job
from .foundation.base import JobDecorator
from .foundation.options import Options
from .foundation.settings import returns_coroutine
from .foundation.vocabulary import foreign_verb, in_our_words, missing_attribute
from .job import ConfiguredJob, Job

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
        return self.job_class.perform_later(*args, **kwargs)

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
    @returns_coroutine
    def aperform_now(self, /, *args: Any, **kwargs: Any) -> Any:
        """Perform a job with these arguments on the running event loop."""
        return self.job_class.aperform_now(*args, **kwargs)

    def new(self, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Return a job with these arguments, not enqueued yet; for `perform_all_later`."""
        return self.job_class.new(*args, **kwargs)

    @in_our_words(SignatureError, by_position="wait")
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

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise missing_attribute(self, name, lambda: foreign_verb(self.__name__, name))

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
@in_our_words(DeclarationError)
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
    options = {
        "queue": queue,
        "priority": priority,
        "enqueue_after_commit": enqueue_after_commit,
    }
    given = {name: value for name, value in options.items() if value is not None}

    def decorate(decorated: Callable[..., Any]) -> JobFunction[..., Any]:
        if isinstance(decorated, JobDecorator):
            raise DeclarationError(
                f"@job stands above @{decorated.name} without parentheses, which has taken the function for "
                f"something else: write @{decorated.name}() above @job."
            )
        if not inspect.isfunction(decorated):
            raise DeclarationError(
                f"@job decorates {decorated!r}, which is not a function: for a class derive from Job, for a "
                "method "
                "write `later(method)`."
            )
        job_class = make_job_class(decorated, staticmethod(decorated), given, base)
        made = JobFunction(decorated, job_class)
        job_class.public = made
        return made

    return decorate if function is None else decorate(function)


def make_job_class(
    function: Callable[..., Any], perform: object, options: dict[str, Any], base: type[Job]
) -> type[Job]:
    """Return a job class that goes by the name of a function.

    Raises:
        DeclarationError: when its base is not a job class.
    """
    if not (isinstance(base, type) and issubclass(base, Job)):
        raise DeclarationError(
            f"{function.__qualname__} has base={base!r}, which is not a job class: write a class derived from Job."
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


Q = ParamSpec("Q")
S = TypeVar("S")


class Later(Generic[S, Q]):
    """The `_later` twin, as it stands in the class body.

    On the class it names the job, for assertions and rules; on a record it enqueues the job.
    """

    def __init__(
        self, method: Callable[Concatenate[S, Q], object], options: dict[str, Any], base: type[Job]
    ) -> None:
        self._method = method
        self._options = options
        self._base = base
        self._job_class: type[Job] | None = None

    @property
    def job_class(self) -> type[Job]:
        """The job class behind the twin."""
        if self._job_class is None:
            raise DeclarationError(
                "`later(method)` is assigned in the body of the class that has the method."
            )
        return self._job_class

    def __set_name__(self, owner: type, name: str) -> None:
        called = getattr(self._method, "__name__", None)
        if called is None or not hasattr(owner, called):
            raise DeclarationError(
                f"{owner.__qualname__}.{name} = later(...) is given {self._method!r}, which its job is to call by "
                f"name, and {owner.__qualname__} has no attribute {called!r}: give it a `def` of the class whose "
                "name does not begin with two underscores, and let its decorators use functools.wraps."
            )
        perform = _performer(self._method, owner, name)
        self._job_class = make_job_class(perform, staticmethod(perform), self._options, self._base)
        self._job_class.public = self

    @overload
    def __get__(self, instance: None, owner: type[S]) -> Later[S, Q]: ...
    @overload
    def __get__(self, instance: S, owner: type[S]) -> BoundLater[Q]: ...
    def __get__(self, instance: S | None, owner: type[S]) -> Later[S, Q] | BoundLater[Q]:
        """Return the twin itself on the class, and a callable that enqueues on a record."""
        return self if instance is None else BoundLater(self.job_class, instance, None)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            def foreign() -> AttributeError:
                job = self.job_class
                return foreign_verb(job.__qualname__, name, f"record.{job.__name__}")

            raise missing_attribute(self, name, foreign)

    def __repr__(self) -> str:
        return f"<later {'' if self._job_class is None else self._job_class.__qualname__}>"


class BoundLater(Generic[Q]):
    """The `_later` twin of one record."""

    __slots__ = ("_options", "_record", "job_class")

    def __init__(self, job_class: type[Job], record: object, options: Options | None) -> None:
        self.job_class = job_class
        self._record = record
        self._options = options

    def __call__(self, /, *args: Q.args, **kwargs: Q.kwargs) -> Job:
        """Enqueue a job that calls the method with these arguments."""
        return self.new(*args, **kwargs).enqueue()

    def new(self, /, *args: Q.args, **kwargs: Q.kwargs) -> Job:
        """Return such a job, not enqueued yet; for `perform_all_later`."""
        return new_job(self.job_class, (self._record, *args), kwargs, self._options)

    @in_our_words(SignatureError, by_position="wait")
    def set(
        self,
        *,
        wait: float | timedelta | None = None,
        at: datetime | None = None,
        queue: str | None = None,
        priority: int | None = None,
    ) -> BoundLater[Q]:
        """Set options of the next enqueue; see `Job.set`."""
        options = Options(wait=wait, at=at, queue=queue, priority=priority)
        return BoundLater(self.job_class, self._record, options)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            called = f"record.{self.job_class.__name__}"
            raise missing_attribute(self, name, lambda: foreign_verb(called, name, called))

    def __repr__(self) -> str:
        return f"<later {self.job_class.__qualname__} of {self._record!r}>"


def _performer(method: Callable[..., Any], owner: type, name: str) -> Callable[..., Any]:
    """Return a function that calls the method of a record by name, so that overriding counts."""
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def aperform(record: Any, /, *args: Any, **kwargs: Any) -> Any:
            return await getattr(record, method.__name__)(*args, **kwargs)

        made: Callable[..., Any] = aperform
    else:

        @functools.wraps(method)
        def perform(record: Any, /, *args: Any, **kwargs: Any) -> Any:
            return getattr(record, method.__name__)(*args, **kwargs)

        made = perform
    made.__name__ = name
    made.__qualname__ = f"{owner.__qualname__}.{name}"
    made.__module__ = owner.__module__
    # In messages `self` is the record, unless the method has a parameter of that name.
    signature = inspect.signature(method)
    first, *rest = signature.parameters.values()
    if all(parameter.name != "record" for parameter in rest):
        first = first.replace(name="record")
    vars(made)["__signature__"] = signature.replace(parameters=[first, *rest])
    return made


@in_our_words(DeclarationError)
def later(
    method: Callable[Concatenate[S, Q], object],
    *,
    queue: str | Callable[..., str] | None = None,
    priority: int | Callable[..., int | None] | None = None,
    enqueue_after_commit: bool | None = None,
    base: type[Job] = Job,
) -> Later[S, Q]:
    """Return the twin of a method that enqueues it, for the body of the method's class.

    After `deliver_later = later(deliver)`, `record.deliver_later()` enqueues a job that finds the
    record again and calls its `deliver`. The class must be a `reference`, so that a payload can name its records.

    Args:
        method: the method, or coroutine method, defined above.
        queue: the name of the queue, or a callable that takes the record and the arguments.
        priority: a number, the lower first, or a callable that takes the record and the arguments.
        enqueue_after_commit: whether a job waits for the commit of the transactions that are open;
            None for what the base says.
        base: a job class whose rules and callbacks hold for this job too.

    Raises:
        DeclarationError: when it is given no method, or one that the class does not have by its name.
    """
    given: object = method
    if not callable(given):
        raise DeclarationError(
            f"later({given!r}) is given no method: write `deliver_later = later(deliver)` below the method "
            "`deliver`."
        )
    options = {
        "queue": queue,
        "priority": priority,
        "enqueue_after_commit": enqueue_after_commit,
    }
    return Later(
        method, {name: value for name, value in options.items() if value is not None}, base
    )
