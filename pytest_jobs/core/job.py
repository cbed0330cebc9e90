"""The job: what an application declares, enqueues and performs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from ..errors import SignatureError
from . import execution
from .arguments.encoding import encode
from .declaration import JobDeclaration
from .enqueueing import enqueue
from .enqueueing.context import Ambient, ambient, current_classes
from .foundation.options import ConfiguredJob, Options, checked_priority, checked_queue
from .foundation.payload import Payload
from .foundation.waits import Seconds

if TYPE_CHECKING:
    from .arguments.records import RecordWork
    from .batches.batch import Membership
    from .typing import APerformsNow, MakesJob, PerformsNow, SetsOptions


class Job(JobDeclaration):
    """Derive from it, and write `perform`.

    The class holds what is true of every such job; an instance is one requested run. A class
    without `perform` is a base for others: rules, callbacks, queue and priority are inherited.
    """

    #: The positional arguments.
    args: tuple[Any, ...] = ()
    #: The keyword arguments.
    kwargs: Mapping[str, Any] = {}
    #: What was handed to the adapter, or is being performed; None before.
    payload: Payload | None = None
    #: Whether an adapter took the job; of one that waits for a commit, whether it is still to.
    enqueued: bool = False
    #: Why none did: the adapter's `EnqueueError`, the `Halt` of a callback, or a `RolledBackError`.
    enqueue_error: Exception | None = None
    #: The id of the job for which this one was dropped, by `unique` or `limits_concurrency`.
    dropped_for: str | None = None

    _options: Options | None = None
    _ambient: Ambient | None = None
    _membership: Membership | None = None
    _running: bool = False
    _retry_wait_ns: int | None = None
    _aftermath: tuple[str, ...] = ()
    #: The records of the delivery, where there may be any.
    _record_work: RecordWork | None = None

    if TYPE_CHECKING:
        #: Enqueues a job with these arguments and returns it.
        perform_later: ClassVar[MakesJob]
        #: Performs a job with these arguments here and returns what `perform` returns.
        perform_now: ClassVar[PerformsNow]
        #: Does the same inside a running event loop.
        aperform_now: ClassVar[APerformsNow]
        #: Returns a job with these arguments that is not enqueued yet.
        new: ClassVar[MakesJob]
        #: Sets options of the next enqueue, as in `Pay.set(wait=60).perform_later(7)`.
        set: ClassVar[SetsOptions]

        def perform(self, *args: Any, **kwargs: Any) -> Any:
            """Do the work: written by each job class."""

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
            job = cls.__new__(cls)
            job.args = args
            job.kwargs = kwargs
            if current_classes.any:
                job._ambient = ambient.get()
            enqueue.enqueue(job)
            return job

        @classmethod
        def perform_now(cls, /, *args: Any, **kwargs: Any) -> Any:
            """Perform a job with these arguments here, by the same rules as a worker.

            The arguments make the round trip through the payload. It is no delivery: a harness does
            not list it.

            Returns:
                What `perform` returns; None when a callback halted the job or a rule discarded it.

            Raises:
                BaseException: the error of `perform`, unless a rule discards it; also when a retry was
                    enqueued, which a note on the error then says.
                RunningLoopError: for a coroutine job inside a running event loop.
            """
            return cls._build(args, kwargs, None)._perform_now()

        @classmethod
        async def aperform_now(cls, /, *args: Any, **kwargs: Any) -> Any:
            """Perform a job with these arguments on the running event loop; see `perform_now`."""
            return await cls._build(args, kwargs, None)._aperform_now()

        @classmethod
        def new(cls, /, *args: Any, **kwargs: Any) -> Job:
            """Return a job with these arguments, not enqueued yet; for `perform_all_later`."""
            return cls._build(args, kwargs, None)

        @classmethod
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
                WaitError: when wait is no wait.
                NaiveDatetimeError: when at has no timezone.
            """
            return ConfiguredJob(cls, Options(wait=wait, at=at, queue=queue, priority=priority))

    # Making and sending

    @classmethod
    def _build(
        cls, args: tuple[Any, ...], kwargs: Mapping[str, Any], options: Options | None
    ) -> Self:
        job = cls.__new__(cls)
        job.args = args
        job.kwargs = kwargs
        job._options = options
        if current_classes.any:
            job._ambient = ambient.get()
        return job

    def _encoded_arguments(self) -> str:
        cls = type(self)
        try:
            cls._signature().bind(*self.args, **self.kwargs)
        except TypeError as error:
            misfit = cls._signature().misfit(error, cls._name.rpartition(".")[2])
            raise SignatureError(misfit) from None
        return encode(self.args, self.kwargs, cls._argument_types)

    def _resolved_queue(self) -> str:
        cls = type(self)
        if self._options is not None and self._options.queue is not None:
            return self._options.queue
        queue = self.queue
        if isinstance(queue, str):
            return queue
        return checked_queue(
            queue(*self.args, **self.kwargs), f"the result of {cls.__qualname__}.queue"
        )

    def _asked_priority(self) -> int | None:
        ask = cast("Callable[..., object]", self.priority)
        return checked_priority(
            ask(*self.args, **self.kwargs), f"the result of {type(self).__qualname__}.priority"
        )

    def _perform_now(self) -> Any:
        return execution.perform_now(self)

    async def _aperform_now(self) -> Any:
        return await execution.aperform_now(self)

    def enqueue(self) -> Self:
        """Enqueue this job; see `perform_later`. Enqueued again, it keeps its id."""
        enqueue.enqueue(self)
        return self

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
        self._retry_wait_ns = enqueue.enqueue_retry(self, options)

    # Looking

    @property
    def job_id(self) -> str:
        """The id, the same over all attempts; empty before the job was enqueued."""
        return "" if self.payload is None else self.payload.job_id

    @property
    def params(self) -> dict[str, Any]:
        """The arguments by parameter name, however they were passed, defaults filled in."""
        return type(self)._signature().named(self.args, dict(self.kwargs))

    @property
    def attempt(self) -> int:
        """The number of this run, counted from 1."""
        return 1 if self.payload is None else self.payload.attempt

    @property
    def queue_name(self) -> str:
        """The name of the queue."""
        return self._resolved_queue() if self.payload is None else self.payload.queue

    def __repr__(self) -> str:
        shown = [
            *map(repr, self.args),
            *(f"{name}={value!r}" for name, value in self.kwargs.items()),
        ]
        return f"<{type(self).__qualname__}({', '.join(shown)}) job_id={self.job_id[:8]!r}>"
