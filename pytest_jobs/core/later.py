"""The `_later` twin of a method: the model does the work, the job is a shallow wrapper."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from ..errors import DeclarationError
from .functions import make_job_class
from .job import Job
from .options import Options

P = ParamSpec("P")
S = TypeVar("S")


class Later(Generic[S, P]):
    """The `_later` twin, as it stands in the class body.

    On the class it names the job, for assertions and rules; on a record it enqueues the job.
    """

    def __init__(
        self, method: Callable[Concatenate[S, P], object], options: dict[str, Any], base: type[Job]
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
        perform = _performer(self._method)
        perform.__name__ = name
        perform.__qualname__ = f"{owner.__qualname__}.{name}"
        perform.__module__ = owner.__module__
        vars(perform)["__signature__"] = _with_record(inspect.signature(self._method))
        self._job_class = make_job_class(perform, staticmethod(perform), self._options, self._base)
        self._job_class.public = self

    @overload
    def __get__(self, instance: None, owner: type[S]) -> Later[S, P]: ...
    @overload
    def __get__(self, instance: S, owner: type[S]) -> BoundLater[P]: ...
    def __get__(self, instance: S | None, owner: type[S]) -> Later[S, P] | BoundLater[P]:
        """Return the twin itself on the class, and a callable that enqueues on a record."""
        return self if instance is None else BoundLater(self.job_class, instance, None)

    def __repr__(self) -> str:
        return f"<later {'' if self._job_class is None else self._job_class.__qualname__}>"


class BoundLater(Generic[P]):
    """The `_later` twin of one record."""

    __slots__ = ("_options", "_record", "job_class")

    def __init__(self, job_class: type[Job], record: object, options: Options | None) -> None:
        self.job_class = job_class
        self._record = record
        self._options = options

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Enqueue a job that calls the method with these arguments."""
        return self.new(*args, **kwargs).enqueue()

    def new(self, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Return such a job, not enqueued yet; for `perform_all_later`."""
        return self.job_class._build((self._record, *args), kwargs, self._options)

    def set(
        self,
        *,
        wait: float | timedelta | None = None,
        at: datetime | None = None,
        queue: str | None = None,
        priority: int | None = None,
    ) -> BoundLater[P]:
        """Set options of the next enqueue; see `Job.set`."""
        options = Options(wait=wait, at=at, queue=queue, priority=priority)
        return BoundLater(self.job_class, self._record, options)

    def __repr__(self) -> str:
        return f"<later {self.job_class.__qualname__} of {self._record!r}>"


def _performer(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls the method of a record by name, so that overriding counts."""
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def aperform(record: Any, /, *args: Any, **kwargs: Any) -> Any:
            return await getattr(record, method.__name__)(*args, **kwargs)

        return aperform

    @functools.wraps(method)
    def perform(record: Any, /, *args: Any, **kwargs: Any) -> Any:
        return getattr(record, method.__name__)(*args, **kwargs)

    return perform


def _with_record(signature: inspect.Signature) -> inspect.Signature:
    """Return the signature of a method with its `self` named for what it is to the job."""
    first, *rest = signature.parameters.values()
    name = first.name if any(p.name == "record" for p in rest) else "record"
    return signature.replace(parameters=[first.replace(name=name), *rest])


def later(
    method: Callable[Concatenate[S, P], object],
    *,
    queue: str | Callable[..., str] | None = None,
    priority: int | Callable[..., int | None] | None = None,
    enqueue_after_commit: bool | None = None,
    base: type[Job] = Job,
) -> Later[S, P]:
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
