"""The job: what an application declares, enqueues and performs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..errors import DeclarationError, SignatureError
from . import enqueueing, execution
from .argument_types import annotated_types
from .arguments import encode
from .callbacks import Callback
from .options import ConfiguredJob, Options, checked_priority, checked_queue
from .payload import Payload
from .registry import name_of, registry
from .rules import Rule, nearest_rule
from .signature import Binder
from .waits import Seconds

if TYPE_CHECKING:
    from .typing import APerformsNow, MakesJob, PerformsNow, SetsOptions


class Job:
    """Derive from it, and write `perform`.

    The class holds what is true of every such job; an instance is one requested run. A class
    without `perform` is a base for others: rules, callbacks, queue and priority are inherited.
    """

    #: The name of the queue, or a callable that takes the arguments of the job and returns it.
    queue: ClassVar[str | Callable[..., str]] = "default"
    #: The lower number is performed first; None counts as 0.
    priority: ClassVar[int | None] = None

    #: The class itself; for a job function the class behind it.
    job_class: ClassVar[type[Job]]
    #: What the application calls the job: the class, or the job function.
    public: ClassVar[Any]

    #: The positional arguments.
    args: tuple[Any, ...] = ()
    #: The keyword arguments.
    kwargs: Mapping[str, Any] = {}
    #: What was handed to the adapter, or is being performed; None before.
    payload: Payload | None = None
    #: Whether an adapter took the job.
    enqueued: bool = False
    #: Why none did: the adapter's `EnqueueError`, or the `Halt` of a callback.
    enqueue_error: Exception | None = None

    _name: ClassVar[str]
    _binder: ClassVar[Binder | None] = None
    _is_coroutine: ClassVar[bool] = False
    _declared_rules: ClassVar[list[Rule]] = []
    _declared_callbacks: ClassVar[list[Callback]] = []
    _declared_after_discard: ClassVar[list[str]] = []
    _enqueue_callbacks: ClassVar[tuple[Callback, ...]] = ()
    _perform_callbacks: ClassVar[tuple[Callback, ...]] = ()
    _rule_cache: ClassVar[dict[type[BaseException], Rule | None]] = {}
    _types: ClassVar[Mapping[str, type] | None] = None

    _options: Options | None = None
    _running: bool = False
    _retry_wait_ns: int | None = None

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
            """
            job = cls.__new__(cls)
            job.args = args
            job.kwargs = kwargs
            enqueueing.enqueue(job)
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
            return execution.perform_now(cls._build(args, kwargs, None))

        @classmethod
        async def aperform_now(cls, /, *args: Any, **kwargs: Any) -> Any:
            """Perform a job with these arguments on the running event loop; see `perform_now`."""
            return await execution.aperform_now(cls._build(args, kwargs, None))

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

    def __init__(self, *args: object, **kwargs: object) -> None:
        if args or kwargs:
            name = type(self).__qualname__
            raise SignatureError(
                f"{name}(...) makes a blank job and takes no arguments: write {name}.perform_later(...) to "
                f"enqueue one, or {name}.new(...) for perform_all_later."
            )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            raise DeclarationError(
                f"{cls.__qualname__} defines __init__, which a worker would never call: what a job needs "
                "are the parameters of `perform`."
            )
        cls._name = name_of(cls)
        cls.job_class = cls
        cls.public = cls.__dict__.get("public", cls)
        cls._declared_rules = cls.__dict__.get("_declared_rules", [])
        cls._declared_callbacks = cls.__dict__.get("_declared_callbacks", [])
        cls._declared_after_discard = cls.__dict__.get("_declared_after_discard", [])
        cls._rule_cache = {}
        cls._take_queue()
        checked_priority(cls.priority, f"{cls.__qualname__}.priority")
        cls._take_perform()
        cls._take_callbacks()
        registry.add(cls)

    # Declaring

    @classmethod
    def _take_queue(cls) -> None:
        declared = inspect.getattr_static(cls, "queue")
        if isinstance(declared, staticmethod | classmethod):
            return
        if callable(declared):
            is_method = (
                inspect.isfunction(declared) and "self" in inspect.signature(declared).parameters
            )
            if not is_method:
                cls.queue = staticmethod(declared)
        else:
            cls.queue = checked_queue(declared, f"{cls.__qualname__}.queue")

    @classmethod
    def _take_perform(cls) -> None:
        declared = inspect.getattr_static(cls, "perform", None)
        if declared is None:
            return
        function = getattr(declared, "__func__", declared)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise DeclarationError(
                f"{cls.__qualname__}.perform yields, so calling it would do nothing: return the result, or "
                "enqueue what should follow."
            )
        skip = 0 if isinstance(declared, staticmethod) else 1
        cls._binder = Binder(function, label=f"{cls.__qualname__}.perform", skip=skip)
        cls._is_coroutine = inspect.iscoroutinefunction(function)
        cls._types = None

    @classmethod
    def _take_callbacks(cls) -> None:
        declared: dict[tuple[str, str, str], Callback] = {}
        for base in reversed(cls.__mro__):
            for callback in _own(base, "_declared_callbacks"):
                declared.pop(callback.key, None)
                declared[callback.key] = callback
        chain = declared.values()
        cls._enqueue_callbacks = tuple(c for c in chain if c.event == "enqueue")
        cls._perform_callbacks = tuple(c for c in chain if c.event == "perform")
        may_await = () if cls._is_coroutine or cls._binder is None else cls._perform_callbacks
        for callback in (*cls._enqueue_callbacks, *may_await):
            if callback.is_coroutine:
                raise DeclarationError(
                    f"{callback.function.__qualname__} is a coroutine function, and nothing awaits it: only "
                    "the before_perform and after_perform callbacks of an `async def perform` may be."
                )

    @classmethod
    def _declare_callback(cls, callback: Callback) -> None:
        _own_list(cls, "_declared_callbacks").append(callback)

    @classmethod
    def _declare_after_discard(cls, name: str) -> None:
        _own_list(cls, "_declared_after_discard").append(name)

    @classmethod
    def _declare_rule(cls, rule: Rule, *, last: bool = False) -> None:
        rules = _own_list(cls, "_declared_rules")
        rules.insert(len(rules) if last else 0, rule)
        cls._forget_rules()

    @classmethod
    def _forget_rules(cls) -> None:
        cls._rule_cache = {}
        for child in cls.__subclasses__():
            child._forget_rules()

    @classmethod
    def _rule_for(cls, error_class: type[BaseException]) -> Rule | None:
        try:
            return cls._rule_cache[error_class]
        except KeyError:
            rule = cls._rule_cache[error_class] = nearest_rule(cls._rules(), error_class)
            return rule

    @classmethod
    def _rules(cls) -> Iterator[Rule]:
        return (rule for base in cls.__mro__ for rule in _own(base, "_declared_rules"))

    @classmethod
    def _after_discard_methods(cls) -> Iterable[str]:
        bases = reversed(cls.__mro__)
        return dict.fromkeys(
            name for base in bases for name in _own(base, "_declared_after_discard")
        )

    # Making and sending

    @classmethod
    def _build(
        cls, args: tuple[Any, ...], kwargs: Mapping[str, Any], options: Options | None
    ) -> Self:
        job = cls.__new__(cls)
        job.args = args
        job.kwargs = kwargs
        job._options = options
        return job

    @classmethod
    def _argument_types(cls) -> Mapping[str, type]:
        if cls._types is None:
            cls._types = annotated_types(
                inspect.unwrap(getattr(cls.perform, "__func__", cls.perform))
            )
        return cls._types

    @classmethod
    def _signature(cls) -> Binder:
        if cls._binder is None:
            raise DeclarationError(
                f"{cls.__qualname__} has no `perform`, so there is nothing to run: write one, or enqueue a "
                "class derived from it."
            )
        return cls._binder

    def _encoded_arguments(self) -> str:
        cls = type(self)
        try:
            cls._signature().bind(*self.args, **self.kwargs)
        except TypeError as error:
            raise SignatureError(
                f"{error}. The job takes {cls._name.rpartition('.')[2]}{cls._signature().signature}."
            ) from None
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

    def enqueue(self) -> Self:
        """Enqueue this job; see `perform_later`. Enqueued again, it keeps its id."""
        enqueueing.enqueue(self)
        return self

    def retry(
        self,
        *,
        wait: Seconds | None = None,
        at: datetime | None = None,
        queue: str | None = None,
        priority: int | None = None,
    ) -> None:
        """Enqueue this job once more, as its next attempt: for `rescue_from` and for `perform`.

        It does not end `perform`. No rule counts it. As ActiveJob's `retry_job`.

        Args:
            wait: seconds or a timedelta before the next attempt.
            at: the aware datetime of the next attempt.
            queue: the queue of the next attempt; None for the same.
            priority: the priority of the next attempt; None for the same.

        Raises:
            SignatureError: when the job is not being performed, or both wait and at are given.
        """
        options = Options(wait=wait, at=at, queue=queue, priority=priority)
        self._retry_wait_ns = enqueueing.enqueue_retry(self, options)

    # Looking

    @property
    def job_id(self) -> str:
        """The id, the same over all attempts; empty before the job was enqueued."""
        return "" if self.payload is None else self.payload.job_id

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


Job.job_class = Job
Job.public = Job
Job._name = name_of(Job)


def _own(cls: type, attribute: str) -> list[Any]:
    return cls.__dict__.get(attribute) or []


def _own_list(cls: type, attribute: str) -> list[Any]:
    if attribute not in cls.__dict__:
        setattr(cls, attribute, [])
    return cls.__dict__[attribute]  # type: ignore[no-any-return]
