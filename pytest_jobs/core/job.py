"""The job: what an application declares, enqueues and performs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    ParamSpec,
    Protocol,
    Self,
    TypeVar,
    overload,
)

from ..errors import SignatureError
from . import execution
from .enqueueing.enqueue import enqueue, new_job, queue_of
from .foundation.base import JobBase
from .foundation.options import Options
from .foundation.settings import returns_coroutine, settings
from .foundation.vocabulary import ForeignVerb, foreign_verb, in_our_words, missing_attribute
from .foundation.waits import Seconds

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Job(JobBase):
    """Derive from it, and write `perform`.

    The class holds what is true of every such job; an instance is one requested run. A class
    without `perform` is a base for others: rules, callbacks, queue and priority are inherited.
    """

    if TYPE_CHECKING:
        job_class: ClassVar[type[Job]]
        __run__: execution.Run | None

        #: Enqueues a job with these arguments and returns it.
        perform_later: ClassVar[MakesJob]
        #: Performs a job with these arguments here and returns what `perform` returns.
        perform_now: ClassVar[PerformsNow]
        #: Performs a job so inside a running event loop.
        aperform_now: ClassVar[APerformsNow]
        #: Returns a job with these arguments that is not enqueued yet.
        new: ClassVar[MakesJob]
        #: Sets options of the next enqueue, as in `Pay.set(wait=60).perform_later(7)`.
        set: ClassVar[SetsOptions]

    else:

        @classmethod
        def perform_later(cls, /, *args: Any, **kwargs: Any) -> Job:
            """Enqueue a job with these arguments.

            Returns:
                The job, always: `.enqueued` says whether an adapter took it, `.enqueue_error` why not.

            Raises:
                SignatureError: when the arguments do not fit `perform`.
                SerializationError: when one cannot be written into a payload.
                NoAdapterError: when no adapter is configured.
                CommitError: when it is enqueued after the commit, and nothing knows of transactions.
            """
            job = new_job(cls, args, kwargs)
            enqueue(job)
            return job

        @classmethod
        def perform_now(cls, /, *args: Any, **kwargs: Any) -> Any:
            """Perform a job with these arguments here, by the same rules as a worker.

            The arguments make the round trip through the payload. It is not a delivery: a harness does
            not list it.

            Returns:
                What `perform` returns; None when a callback halted the job or a rule discarded it.

            Raises:
                BaseException: the error of `perform`, unless a rule discards it; also when a retry was
                    enqueued, which a note on the error then says.
                RunningLoopError: for a coroutine job inside a running event loop.
            """
            return execution.perform_now(new_job(cls, args, kwargs))

        @classmethod
        @returns_coroutine
        def aperform_now(cls, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
            """Perform a job with these arguments on the running event loop; see `perform_now`."""
            performing = execution.aperform_now(new_job(cls, args, kwargs))
            return settings.to_be_awaited(f"{cls.__qualname__}.aperform_now", performing)

        @classmethod
        def new(cls, /, *args: Any, **kwargs: Any) -> Job:
            """Return a job with these arguments, not enqueued yet; for `perform_all_later`."""
            return new_job(cls, args, kwargs)

        @classmethod
        @in_our_words(SignatureError, by_position="wait")
        def set(
            cls, *, wait: Any = None, at: Any = None, queue: Any = None, priority: Any = None
        ) -> ConfiguredJob[Any]:
            """Set options of the next enqueue.

            Args:
                wait: seconds or a timedelta from now until the job is due.
                at: the aware datetime at which it is due; in the past means at once.
                queue: the queue, instead of the job's own.
                priority: the priority, instead of the job's own.

            Raises:
                SignatureError: when both wait and at are given.
                WaitError: when wait is not a time.
                NaiveDatetimeError: when at has no timezone.
            """
            return ConfiguredJob(cls, Options(wait=wait, at=at, queue=queue, priority=priority))

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.enqueue_after_commit:
            # Not at the top: a program whose jobs wait for no commit does not load it.
            from .enqueueing.commits import sources_in_use

            sources_in_use()  # They listen from now on, before the first transaction begins.

    def enqueue(self) -> Self:
        """Enqueue this job; see `perform_later`. Enqueued again, it keeps its id."""
        enqueue(self)
        return self

    @in_our_words(SignatureError, by_position="wait")
    def retry(
        self,
        *,
        wait: Seconds | None = None,
        at: datetime | None = None,
        queue: str | None = None,
        priority: int | None = None,
    ) -> None:
        """Enqueue this job once more, as its next attempt: for `perform`, its callbacks and `rescue_from`.

        It does not end `perform`. No rule counts it. A job that calls it in `then=` or `after_discard`, or
        before it raises `Halt`, goes on: it is retried, and neither given up nor halted. As ActiveJob's
        `retry_job`.

        Args:
            wait: seconds or a timedelta before the next attempt.
            at: the aware datetime of the next attempt.
            queue: the queue of the next attempt; None for the same.
            priority: the priority of the next attempt; None for the same.

        Raises:
            SignatureError: when the job is not being performed, or both wait and at are given.
        """
        options = Options(wait=wait, at=at, queue=queue, priority=priority)
        run = self.__run__
        if run is not None and run.retry_wait_ns is not None:
            raise SignatureError(
                f"{self!r} has asked for its next attempt already, and there is one only."
            )
        if run is None:
            raise SignatureError(
                f"{self!r} is not being performed, so it has no next attempt: enqueue it instead."
            )
        run.retry(options)

    if not TYPE_CHECKING:
        enqueue = ForeignVerb(enqueue)
        apply_async = ForeignVerb()
        delay = ForeignVerb()
        kiq = ForeignVerb()
        perform_async = ForeignVerb()

    @property
    def queue_name(self) -> str:
        """The name of the queue."""
        return queue_of(self) if self.payload is None else self.payload.queue


class ConfiguredJob(Generic[P]):
    """A job class together with the options of the next enqueue, as `set` returns it."""

    __slots__ = ("_options", "target")

    def __init__(self, job_class: type[Job], options: Options) -> None:
        #: The job class. Not `job_class`: what has that attribute counts as a job.
        self.target = job_class
        self._options = options

    def new(self, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Return a job with these arguments and options, not enqueued yet."""
        return new_job(self.target, args, kwargs, self._options)

    def perform_later(self, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Enqueue a job with these arguments and options; see `Job.perform_later`."""
        return self.new(*args, **kwargs).enqueue()

    def perform_now(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Perform a job with these arguments here; a retry goes where the options say.

        Raises:
            SignatureError: when the options say when the job is due.
        """
        self._options.check_now(self.target, "perform_now")
        return execution.perform_now(self.new(*args, **kwargs))

    @returns_coroutine
    def aperform_now(self, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, Any]:
        """Perform a job with these arguments on the running event loop; see `perform_now`."""
        self._options.check_now(self.target, "aperform_now")
        performing = execution.aperform_now(self.new(*args, **kwargs))
        return settings.to_be_awaited(
            f"{self.target.__qualname__}.set(...).aperform_now", performing
        )

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            job = f"{self.target.__qualname__}.set(...)"
            raise missing_attribute(self, name, lambda: foreign_verb(job, name))

    def __repr__(self) -> str:
        return f"<{self.target.__qualname__} with options>"


# The types of the verbs, for type checkers: they take the parameters of `perform`


class Performs(Protocol[P, R_co]):
    """Anything with a `perform`."""

    def perform(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class SetOptions(Protocol[P]):
    """The type of `Job.set`, as it is called."""

    def __call__(
        self,
        *,
        wait: float | timedelta | None = None,
        at: datetime | None = None,
        queue: str | None = None,
        priority: int | None = None,
    ) -> ConfiguredJob[P]: ...


class MakesJob(Protocol):
    """The type of `perform_later` and of `new`: a callable with the parameters of `perform`."""

    def __get__(
        self, instance: object, owner: Callable[..., Performs[P, Any]]
    ) -> Callable[P, Job]: ...


class PerformsNow(Protocol):
    """The type of `perform_now`, which returns what `perform` returns or awaits."""

    @overload
    def __get__(
        self, instance: object, owner: Callable[..., Performs[P, Coroutine[Any, Any, R]]]
    ) -> Callable[P, R]: ...
    @overload
    def __get__(self, instance: object, owner: Callable[..., Performs[P, R]]) -> Callable[P, R]: ...
    def __get__(self, instance: object, owner: Any) -> Any: ...


class APerformsNow(Protocol):
    """The type of `aperform_now`."""

    @overload
    def __get__(
        self, instance: object, owner: Callable[..., Performs[P, Coroutine[Any, Any, R]]]
    ) -> Callable[P, Coroutine[Any, Any, R]]: ...
    @overload
    def __get__(
        self, instance: object, owner: Callable[..., Performs[P, R]]
    ) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, instance: object, owner: Any) -> Any: ...


class SetsOptions(Protocol):
    """The type of `set`, as an attribute of the class."""

    def __get__(
        self, instance: object, owner: Callable[..., Performs[P, Any]]
    ) -> SetOptions[P]: ...
