"""The bridge of Huey: one delivery, and the bridge that makes it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial, wraps
from operator import attrgetter
from typing import Any, Final

import huey.api
import huey.exceptions
from huey import signals
from huey.api import Huey, Result, ResultGroup, Task, TaskWrapper
from huey.constants import WORKER_THREAD, WORKER_TYPES, EmptyData
from huey.contrib import asyncio as huey_asyncio
from huey.exceptions import RetryTask

from ...errors import (
    ApplicationError,
    BridgeError,
    CriterionError,
    NotPerformedError,
    UnknownJobError,
)
from ..applications import ApplicationBridge, Applications
from ..toolkit import (
    AT_MOST_ONCE,
    Attempt,
    Binder,
    Delivery,
    DeliverySemantics,
    Due,
    JobRecord,
    Probe,
    RetryPolicy,
    Seam,
    Steps,
    current_attempt,
    minutes_between,
    time_limit,
)
from .messages import TaskClass, TaskMessage, chord_of, naive, registered, steps
from .storage import Kept, NeverWaiting, Store

#: The signals of a task that is dropped with an error, when it has no retries left.
_DROPPING: Final = frozenset(
    (signals.SIGNAL_CANCELED, signals.SIGNAL_LOCKED, getattr(signals, "SIGNAL_RATE_LIMITED", ""))
)


class HueyAttempt(Attempt[TaskMessage]):
    """One delivery of a task, with what is noted of it while it runs."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        #: The task that `Huey.execute` is called with.
        self.task: Task | None = None
        #: The signals of this task.
        self.signals: set[str] = set()
        #: The time that Huey has read last, to which it adds the wait of a retry.
        self.read_ns = self.now_ns
        #: An error that ends a worker.
        self.ending: BaseException | None = None
        #: The task while it goes through the schedule to the worker; None at other times.
        self.on_the_way: bytes | None = None

    def run(self, body: Callable[[], Any]) -> Any:
        try:
            return self.around(body)
        except Exception as error:
            self.error = error
            raise
        except BaseException as error:
            # Huey takes a KeyboardInterrupt for the end of its consumer, and goes on.
            self.ending = error
            raise

    def outcome(self, value: object) -> Delivery:
        """Return what the delivery came to.

        Raises:
            BridgeError: when nothing was performed.
        """
        error, seen = self.error, self.signals
        if self.again is not None:
            return self.retried(error, is_exact=True)
        if signals.SIGNAL_COMPLETE in seen:
            return self.performed(value)
        if signals.SIGNAL_REVOKED in seen:
            return Delivery(self.record, self.now_ns, "cancelled")
        if signals.SIGNAL_EXPIRED in seen:
            return Delivery(self.record, self.now_ns, "discarded")
        if signals.SIGNAL_CANCELED in seen and error is None:
            return Delivery(self.record, self.now_ns, "halted")
        if seen & _DROPPING and error is not None:
            return Delivery(self.record, self.now_ns, "discarded", error=error)
        if error is not None:
            return self.failed(error, "exhausted" if self.message.retries_at_first else "failed")
        raise BridgeError(
            f"{type(self.message.huey).__name__}.execute performed nothing of {self.record!r}: it did not run the "
            "task, and sent no signal that says why. Let it call `super().execute(task, timestamp)`."
        )


_PROBE: Final = Probe(
    "huey",
    "huey.api:Huey.enqueue(_, _)",
    "huey.api:Huey.execute(_, _, _)",
    "huey.api:Huey.add_schedule(_, _)",
    "huey.api:Huey.serialize_task(_, _)",
    "huey.api:Huey.deserialize_task(_, _)",
    "huey.api:Huey._emit(_, _, _)",
    "huey.api:Huey._get_timestamp(_)",
    "huey.api:Huey.immediate",
    "huey.api:Result.get_raw_result(_, _)",
    "huey.api:ResultGroup.as_completed",
    "huey.api:Task.execute(_)",
    "huey.api:TaskWrapper.s",
    "huey.api:TaskWrapper.schedule",
    "huey.api:normalize_time(eta=, delay=, utc=)",
    "huey.contrib.asyncio:asyncio",
    "huey.registry:Registry.string_to_task(_, _)",
    "huey.registry:Registry.task_to_string(_, _)",
    "huey.storage:MemoryStorage.put_data(_, _, _)",
    tested=((2, 5), (3, 5)),
)

#: The last instant that was computed from a delay, and the time to which the delay was added.
_computed: ContextVar[tuple[datetime, int] | None] = ContextVar("pytest_jobs_huey", default=None)
_normalize_time: Final = huey.api.normalize_time


class HueyBridge(ApplicationBridge[Applications[Huey], TaskClass, TaskMessage, Store]):
    """Brings the tasks of all Hueys into the harness, instead of their storage."""

    name = "huey"
    tells_when_asked = True
    capabilities = frozenset(("eta", "priority", "retry", "discard", "serialise", "cron", "chains"))
    attempt_class = HueyAttempt
    asks_by = (RetryTask,)
    order = -1

    def __init__(self, hueys: Sequence[Any] = (), *, worker_type: str | None = None) -> None:
        """Prepare a bridge.

        Args:
            hueys: those that are asked first for a task that a test names by its name.
            worker_type: the option of the consumer. A thread does not interrupt a task at its `timeout=`, as a
                process and a greenlet do. Default: that of the settings of Django, and otherwise a thread.
        """
        _PROBE.check(huey.__version__)
        known: Applications[Huey] = Applications(
            hueys,
            Huey,
            wanted="a Huey: name the object whose `task` decorates the functions",
            otherwise="the Hueys of huey",
            tasks_of=lambda application: application._registry._registry,
            of_tasks=(TaskWrapper, "huey"),
        )
        super().__init__(huey.__version__, known)
        #: What the decorators made, by the classes of the tasks, which Huey alone keeps.
        self._wrappers: dict[TaskClass, TaskWrapper | None] = {}
        if worker_type is not None and worker_type not in WORKER_TYPES:
            raise ApplicationError(
                f"HueyBridge(worker_type={worker_type!r}) names no kind of worker of the consumer: write one of "
                f"{', '.join(sorted(WORKER_TYPES))}."
            )
        self._worker_type = worker_type

    def new_store(self) -> Store:
        return Store(self)

    # Instead of storages

    def patch(self, seam: Seam) -> None:
        seam.overlay(Huey, "storage", HueyBridge._storage)
        # Code that asks is told what production tells; what was set stays with the object.
        seam.overlay(Huey, "immediate", HueyBridge._immediate)
        seam.wrap(Huey, "serialize_task", HueyBridge._serialize)
        seam.wrap(Huey, "execute", HueyBridge._execute)
        for name in ("s", "schedule"):
            seam.wrap(TaskWrapper, name, HueyBridge._called)
        # No bridge is needed for it, and a task has three signals.
        seam.set(Huey, "_emit", _noting(Huey._emit))
        if hasattr(Huey, "_timeout_context"):
            seam.wrap(Huey, "_timeout_context", HueyBridge._limit)
        seam.wrap(Huey, "_get_timestamp", HueyBridge._get_timestamp)
        seam.set(huey.api, "normalize_time", _normalized)
        of_result = attrgetter("huey")
        seam.wrap(Result, "get_raw_result", HueyBridge._result, application=of_result)
        seam.wrap(ResultGroup, "as_completed", HueyBridge._as_completed)
        seam.set(huey_asyncio, "asyncio", NeverWaiting(huey_asyncio.asyncio, HueyBridge.seam))

    def _called(
        self, original: Callable[..., Any], wrapper: TaskWrapper, *args: Any, **kwargs: Any
    ) -> Any:
        self._wrappers[wrapper.task_class] = wrapper
        return original(*args, **kwargs)

    def _storage(self, original: Callable[[], Any], application: Huey) -> Kept:
        return self.store.storage_of(application)

    def _immediate(self, original: Callable[[], Any], application: Huey) -> bool:
        return False

    def _serialize(self, original: Callable[..., bytes], application: Huey, task: Task) -> bytes:
        data = original(task)
        self.store.note_written(task, data)
        return data

    def _execute(
        self, original: Callable[..., Any], application: Huey, task: Task, *args: Any, **kwargs: Any
    ) -> Any:
        attempt = current_attempt.get()
        is_delivered = isinstance(attempt, HueyAttempt) and attempt.task is task
        if application._immediate and not is_delivered:
            # Immediate mode: `enqueue` performs instead of sending.
            data = application.serialize_task(task)
            return self.store.storage_of(application).enqueue(data, task.priority)
        return original(task, *args, **kwargs)

    def _limit(
        self, original: Callable[..., Any], application: Huey, task: Task
    ) -> AbstractContextManager[object]:
        """Limit a task by its sleeps in virtual time, where workers other than threads set an alarm."""
        seconds = task.timeout if (self._worker_type or _worker_type()) != WORKER_THREAD else None
        return time_limit(seconds, lambda: huey.exceptions.TaskTimeout(f"timeout ({seconds}s)"))

    def _get_timestamp(self, original: Callable[[], datetime], application: Huey) -> datetime:
        attempt = current_attempt.get()
        if not isinstance(attempt, HueyAttempt):
            return original()
        attempt.read_ns = self._now_ns()
        return naive(attempt.read_ns, utc=application.utc)

    def after(self, delay: timedelta, *, utc: bool) -> datetime:
        """Return when a delay ends by the clock of the harness, as Huey writes it, and note when it began."""
        now_ns = self._now_ns()
        moment = naive(now_ns, utc=utc) + delay
        _computed.set((moment, now_ns))
        return moment

    def _now_ns(self) -> int:
        """Return the time in whole microseconds, which is how Huey writes it."""
        return self.sink.now_ns() // 1_000 * 1_000

    def _result(
        self,
        original: Callable[..., Any],
        result: Result,
        blocking: bool = False,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if blocking:
            self._check_result(result)
        return original(blocking, *args, **kwargs)

    def _as_completed(
        self, original: Callable[..., Any], group: ResultGroup, *args: Any, **kwargs: Any
    ) -> Any:
        for result in group:
            self._check_result(result)
        return original(*args, **kwargs)

    def _check_result(self, result: Result) -> None:
        """Raise a NotPerformedError when waiting for a result would never end."""
        is_there = result._result is not EmptyData
        if not is_there and not result.huey.storage.has_data_for_key(result.id):
            raise self.not_performed(result.id)

    def not_performed(self, job_id: str) -> NotPerformedError:
        if job_id in self.store.performed_ids and self.pending_with(job_id) is None:
            return NotPerformedError(
                f"The task {job_id} was performed, and Huey kept no result of it, so waiting for one would never "
                "end: Huey keeps no None without `store_none=True`, and a result is read once."
            )
        return super().not_performed(job_id)

    def enqueued(
        self, application: Huey, data: bytes, records: dict[int, JobRecord], *, is_in_schedule: bool
    ) -> None:
        """Report what was put into a queue or a schedule, and keep its record among others while it is pending."""
        attempt = current_attempt.get()
        running = attempt if isinstance(attempt, HueyAttempt) else None
        if running is not None and running.on_the_way is not None:
            running.on_the_way = data
            return
        task = self.store.task_written_as(data) or application.deserialize_task(data)
        before = running if running is not None and running.message.job_id == task.id else None
        now_ns, computed = self.sink.now_ns(), _computed.get()
        if computed is not None and computed[0] == task.eta:
            now_ns = computed[1]
            _computed.set(None)
        elif before is not None:
            now_ns = before.read_ns
        message = TaskMessage(application, data, task, now_ns, is_in_schedule=is_in_schedule)
        if before is not None:
            message.attempt = before.message.attempt + 1
            message.retries_at_first = before.message.retries_at_first
        self.applications.note(application)
        record = self.new_record(message)
        records[id(record)] = record
        self.sink.added(record)

    def withdraw(self, record: JobRecord) -> None:
        """Withdraw a record whose queue was emptied."""
        self.sink.removed(record)

    # Tasks and messages

    def find(self, job: object) -> TaskClass | None:
        """Return the class of a task.

        Args:
            job: what a decorator of Huey or of its Django app made, the class of a task, or a name.
        """
        if isinstance(job, TaskWrapper):
            found: TaskClass = job.task_class
            return found
        if isinstance(job, type) and issubclass(job, Task):
            return job
        if isinstance(job, str):
            named: TaskClass | None = self.applications.find(job)
            return named
        # `on_commit_task` of the Django app makes a function.
        function = vars(job).get("call_local") if inspect.isfunction(job) else None
        return None if function is None else self._having(function)

    def _having(self, function: Callable[..., Any]) -> TaskClass | None:
        name = f"{function.__module__}.{function.__name__}"
        found = self.find(name)
        return found if found is not None and self.body_of(found) is function else None

    def name_of(self, task: TaskClass) -> str:
        return f"{task.__module__}.{task.__name__}"

    def body_of(self, task: TaskClass) -> Callable[..., Any]:
        """Return the function that the decorator got; a task class of a project may have a body of its own."""
        function: Any = task.execute
        code = getattr(function, "__code__", None)
        if code is not None and "func" in code.co_freevars:
            function = function.__closure__[code.co_freevars.index("func")].cell_contents
        unwrapped: Callable[..., Any] = inspect.unwrap(function)
        return unwrapped

    def binder_of(self, task: TaskClass) -> Binder:
        function = self.body_of(task)
        if not getattr(task, "context", False):
            return Binder(function, label=self.name_of(task))
        # The worker passes the task itself, as `task=`.
        signature = inspect.signature(function)
        parameters = [each for name, each in signature.parameters.items() if name != "task"]

        def called() -> None:
            """Have a signature."""

        called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return Binder(called, label=self.name_of(task))

    def task_of(self, message: TaskMessage) -> TaskClass | None:
        return registered(message.huey, message.name)

    def job_of(self, record: JobRecord) -> object:
        """Return what the decorator made, or the class of a task that was not declared by a decorator."""
        found = self.task_of(self.message_of(record))
        if found is None:
            return record.name
        if found not in self._wrappers:
            # The scheduler of the consumer enqueues the class of a periodic task.
            made = [*vars(sys.modules.get(found.__module__, huey)).values()]
            # By the type, since a lazy object computes its `__class__`.
            wrappers = (each for each in made if TaskWrapper in type(each).__mro__)
            self._wrappers[found] = next(
                filter(lambda each: each.task_class is found, wrappers), None
            )
        return self._wrappers[found] or found

    def decoded(self, message: TaskMessage) -> tuple[tuple[Any, ...], dict[str, Any]]:
        task = message.read()
        return tuple(task.args), dict(task.kwargs)

    def payload_of(self, message: TaskMessage) -> object:
        return message.data

    def semantics_of(self, task: TaskClass) -> DeliverySemantics:
        """Return one answer for every task: each storage takes a task from the queue before it runs."""
        return AT_MOST_ONCE

    def policy_of(self, task: TaskClass) -> RetryPolicy:
        delay: float = task.default_retry_delay or 0
        backoff: float = getattr(task, "default_retry_backoff", 0) or 1
        retries: int = task.default_retries or 0
        return RetryPolicy(retries + 1, lambda n: timedelta(seconds=delay * backoff ** (n - 1)))

    def follow_ups(self, record: JobRecord) -> Collection[str]:
        return {str(step) for step in self.steps_after(record)}

    def steps_after(self, record: JobRecord) -> Steps:
        """Return the tasks of the pipeline after a record, and what follows the chord that it is part of."""
        try:
            return steps(self.message_of(record).read())
        except UnknownJobError:
            return ()

    def batch_of(self, record: JobRecord) -> str | None:
        """Return the id of the chord that a record is part of."""
        return chord_of(self.message_of(record).read())

    def retried(self, message: TaskMessage, attempt: int) -> TaskMessage:
        """Return the task as it is sent again."""
        further = attempt - message.attempt
        if further > message.retries:
            raise CriterionError(
                f"{message.name} has {message.retries} retries left at attempt {message.attempt}, so Huey never "
                f"makes attempt {attempt}: ask for one up to {message.attempt + message.retries}."
            )
        task = message.read()
        task.retries -= further
        task.retry_delay *= (getattr(task, "retry_backoff", 0) or 1) ** further
        data = message.huey.serialize_task(task)
        again = TaskMessage(message.huey, data, task, message.enqueued_ns, is_in_schedule=True)
        again.attempt = attempt
        again.retries_at_first = message.retries_at_first
        return again

    def _owner_of(self, task: TaskClass) -> Huey | None:
        name = self.name_of(task)
        owners = (each for each in self.applications.every() if registered(each, name) is task)
        return next(owners, None)

    def queue_of(self, task: TaskClass) -> str | None:
        return getattr(self._owner_of(task), "name", None)

    def send(self, task: TaskClass, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        owner = self._owner_of(task)
        if owner is None:
            raise CriterionError(
                f"No Huey that is known here has the task {self.name_of(task)}: name the Huey in jobs_apps, or "
                "enqueue a task of it first."
            )
        owner.enqueue(task(args, dict(kwargs)))

    def firings_between(self, after_ns: int, until_ns: int) -> Iterator[Due]:
        """Yield the periodic tasks that the scheduler of the consumer enqueues, which looks once a minute."""
        periodic = [
            (each, task)
            for each in self.applications.every()
            for task in each._registry._periodic_tasks
        ]
        for minute_ns in minutes_between(after_ns, until_ns) if periodic else ():
            for application, task_class in periodic:
                task = task_class()
                if task.validate_datetime(naive(minute_ns, utc=application.utc)):
                    yield (
                        minute_ns,
                        partial(application.enqueue, task),
                        *self.applications.far(application),
                    )

    # Performing

    def deliver(self, attempt: HueyAttempt) -> Delivery:
        """Make one delivery as a worker of the consumer does."""
        message = attempt.message
        application = message.huey
        task = message.read()
        timestamp = naive(attempt.now_ns, utc=application.utc)
        if message.due_ns is not None:
            task = self._through_the_schedule(attempt, task)
            timestamp = max(timestamp, task.eta or timestamp)
        body = task.execute
        task.execute = lambda: attempt.run(body)
        attempt.task = task
        try:
            value = application.execute(task, timestamp)
        except Exception as error:
            # The worker logs it: the result cannot be written, for example.
            attempt.error = attempt.error or error
            value = None
        if attempt.ending is not None:
            raise attempt.ending
        delivery = attempt.outcome(value)
        self.store.performed(attempt.record)
        return delivery

    def _through_the_schedule(self, attempt: HueyAttempt, task: Task) -> Task:
        """Take a task into the schedule and from there to the queue, as a worker and the scheduler do.

        The scheduler sets the time anew at which the task expires, and both send signals.
        """
        application = attempt.message.huey
        attempt.on_the_way = attempt.message.data
        if not attempt.message.is_in_schedule:
            application.add_schedule(task)
        application.enqueue(task)
        data, attempt.on_the_way = attempt.on_the_way, None
        return application.deserialize_task(data)


def _worker_type() -> str:
    """Return the kind of workers that the settings of Django name, or that of Huey."""
    settings = getattr(sys.modules.get("huey.contrib.djhuey"), "settings", None)
    declared = getattr(settings, "HUEY", None)
    consumer = declared.get("consumer", {}) if isinstance(declared, dict) else {}
    found: str = consumer.get("worker_type", WORKER_THREAD)
    return found


def _noting(emit: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method that sends signals; a delivery notes the signals of its task."""

    @wraps(emit)
    def noted(application: Huey, signal: str, task: Task, *args: Any, **kwargs: Any) -> Any:
        attempt = current_attempt.get()
        if isinstance(attempt, HueyAttempt) and attempt.task is task:
            attempt.signals.add(signal)
        return emit(application, signal, task, *args, **kwargs)

    return noted


def _normalized(eta: Any = None, delay: Any = None, utc: bool = True) -> Any:
    """Return the instant that a delay ends, by the clock of the harness: exactly that long after the enqueue."""
    bridge = HueyBridge.seam.bridge_of(None)
    if bridge is None or not delay or eta is not None:
        return _normalize_time(eta, delay, utc)
    if not isinstance(delay, timedelta):
        delay = timedelta(seconds=delay)
    return bridge.after(delay, utc=utc)
