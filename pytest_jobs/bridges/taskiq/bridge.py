"""The bridge of Taskiq."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, Literal, TypeAlias, cast

import taskiq
from taskiq import AsyncBroker, InMemoryBroker
from taskiq.abc.result_backend import AsyncResultBackend
from taskiq.abc.schedule_source import ScheduleSource
from taskiq.acks import AcknowledgeType
from taskiq.brokers.shared_broker import AsyncSharedBroker
from taskiq.decor import AsyncTaskiqDecoratedTask
from taskiq.exceptions import NoResultError
from taskiq.kicker import AsyncKicker
from taskiq.message import BrokerMessage, TaskiqMessage
from taskiq.result import TaskiqResult
from taskiq.scheduler.scheduled_task import ScheduledTask
from taskiq.task import AsyncTaskiqTask

from ...errors import (
    AmbiguousJobError,
    ApplicationError,
    CriterionError,
    DeclarationError,
    NotPerformedError,
    UnknownJobError,
)
from ..toolkit import (
    Binder,
    CountedAttempts,
    Delivery,
    DeliverySemantics,
    JobRecord,
    Probe,
    RetryPolicy,
    Seam,
    WrittenMessages,
    current_attempt,
)
from .brokers import Results, Store, acknowledges, checked, without_dependencies
from .messages import SentMessage, delay_ns
from .receiver import HarnessReceiver, TaskAttempt, WorkerOptions
from .retries import delivery_of, pin_waits, policy_of
from .schedules import Recorder, fire, first_due_ns

_PROBE: Final = Probe(
    "taskiq",
    "taskiq:AsyncBroker.kick(_, _)",
    "taskiq:AsyncBroker.startup(_)",
    "taskiq:AsyncBroker.shutdown(_)",
    "taskiq:AsyncBroker.listen(_)",
    "taskiq:AsyncBroker.find_task(_, _)",
    "taskiq.kicker:AsyncKicker.schedule_by_time",
    "taskiq.kicker:AsyncKicker.schedule_by_cron",
    "taskiq.kicker:AsyncKicker.schedule_by_interval",
    "taskiq.message:TaskiqMessage(task_id=, task_name=, labels=, args=, kwargs=)",
    "taskiq.middlewares.smart_retry_middleware:random",
    "taskiq.middlewares.smart_retry_middleware:datetime",
    "taskiq.receiver:Receiver.callback(_, _, raise_err=)",
    "taskiq.receiver:Receiver.run_task(_, _, _)",
    "taskiq.receiver:Receiver._prepare_task(_, _, _)",
    "taskiq.receiver.params_parser:parse_params(_, _, _)",
    "taskiq.task:AsyncTaskiqTask.is_ready(_)",
    "taskiq.task:AsyncTaskiqTask.get_result(_)",
    tested=((0, 12), (0, 13)),
)

Task: TypeAlias = AsyncTaskiqDecoratedTask[Any, Any]


def bridge(applications: Sequence[Any]) -> TaskiqBridge:
    """Return a new bridge to brokers."""
    return TaskiqBridge(applications)


class TaskiqBridge(
    CountedAttempts[Task, SentMessage, Store], WrittenMessages[Task, SentMessage, Store]
):
    """Brings the tasks of Taskiq brokers into the harness, instead of their servers."""

    name = "taskiq"
    capabilities = frozenset(
        ("eta", "priority", "headers", "retry", "discard", "async", "serialise")
    )
    noun = "a message of Taskiq"
    attempt_class = TaskAttempt

    def __init__(
        self,
        brokers: Sequence[AsyncBroker],
        *,
        ack_type: Literal["when_received", "when_executed", "when_saved", "manual"] = "when_saved",
        validate_params: bool = True,
        propagate_exceptions: bool = True,
    ) -> None:
        """Prepare a bridge.

        Args:
            brokers: the brokers that the tasks are registered with.
            ack_type: the option `--ack-type` of the worker.
            validate_params: False when the worker runs with `--no-parse`.
            propagate_exceptions: False when the worker runs with `--no-propagate-errors`.

        Raises:
            UnknownVersionError: when the installed Taskiq lacks what the bridge relies on.
            ApplicationError: when one of them is not a broker.
        """
        _PROBE.check(taskiq.__version__)
        super().__init__()
        self.version = taskiq.__version__
        self._brokers = tuple(checked(broker) for broker in brokers)
        if not self._brokers:
            raise ApplicationError(
                "There is no broker to bridge: name the broker that the tasks are registered with."
            )
        self._options = WorkerOptions(
            AcknowledgeType(ack_type), validate_params, propagate_exceptions
        )
        self._receivers: dict[AsyncBroker, HarnessReceiver] = {}
        #: The stand-ins for result backends.
        self._results: dict[AsyncBroker, Results] = {}
        #: Schedule sources whose schedules can be withdrawn.
        self._sources: list[ScheduleSource] = []
        #: Names of tasks that were enqueued, of other services' tasks too.
        self._named: set[str] = set()

    def title(self) -> str:
        return f"The taskiq bridge to {self}"

    def __str__(self) -> str:
        return " and ".join(repr(broker) for broker in self._brokers)

    def new_store(self) -> Store:
        return Store()

    # Instead of servers, result backends and schedule sources

    def takes(self, application: object) -> bool:
        return any(application is broker for broker in self._brokers)

    def patch(self, seam: Seam) -> None:
        seam.overlay(AsyncBroker, "result_backend", TaskiqBridge._result_backend)
        for name in ("is_ready", "get_result"):
            seam.wrap(AsyncTaskiqTask, name, TaskiqBridge._checked, application=_broker_of_result)
        for name in ("schedule_by_time", "schedule_by_cron", "schedule_by_interval"):
            seam.wrap(AsyncKicker, name, TaskiqBridge._schedule, application=attrgetter("broker"))
        pin_waits(seam)

    def prepare(self) -> None:
        """Keep every broker from its server."""
        for broker in self._brokers:
            broker_class, seam = type(broker), self.seam
            seam.replace(broker_class, "kick", TaskiqBridge._kicked)
            seam.replace(broker_class, "listen", TaskiqBridge._listen)
            if not isinstance(broker, InMemoryBroker):
                # The base class calls event handlers and middlewares. What derived classes add is connections.
                seam.replace(broker_class, "startup", TaskiqBridge._startup)
                seam.replace(broker_class, "shutdown", TaskiqBridge._shutdown)

    def uninstall(self) -> None:
        super().uninstall()
        self._sources.clear()

    async def _startup(self, broker: AsyncBroker) -> None:
        await AsyncBroker.startup(broker)

    async def _shutdown(self, broker: AsyncBroker) -> None:
        await AsyncBroker.shutdown(broker)

    async def _listen(self, broker: AsyncBroker) -> AsyncGenerator[bytes, None]:
        """Wait for ever: a worker inside the application gets no message, since the test performs them."""
        await asyncio.Event().wait()
        yield b""

    async def _kicked(self, broker: AsyncBroker, message: BrokerMessage) -> None:
        now_ns = self.sink.now_ns()
        wait_ns = delay_ns(message.labels)
        self._named.add(message.task_name)
        self.report(
            SentMessage(
                broker,
                message.task_name,
                message.task_id,
                message.message,
                message.labels,
                now_ns,
                None if wait_ns is None else now_ns + wait_ns,
                message,
            )
        )

    async def _schedule(
        self,
        schedule: Callable[..., Coroutine[Any, Any, Any]],
        kicker: AsyncKicker[Any, Any],
        source: ScheduleSource,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Report what a kicker schedules, instead of storing it in a schedule source."""
        recorder = Recorder(lambda scheduled: self._scheduled(kicker.broker, source, scheduled))
        created = await schedule(recorder, *args, **kwargs)
        created.source = source
        return created

    def _scheduled(
        self, broker: AsyncBroker, source: ScheduleSource, scheduled: ScheduledTask
    ) -> None:
        task_id = scheduled.task_id or broker.id_generator()
        now_ns = self.sink.now_ns()
        attempt = current_attempt.get()
        if isinstance(attempt, TaskAttempt) and attempt.message.job_id == task_id:
            # A retry, whose wait counts from the time that the middleware has read.
            now_ns = attempt.computed_from_ns or now_ns
        task = scheduled.model_copy(update={"task_id": task_id})
        labels = {**task.labels, "schedule_id": task.schedule_id}
        message = TaskiqMessage(
            task_id=task_id,
            task_name=task.task_name,
            labels=labels,
            args=task.args,
            kwargs=task.kwargs,
        )
        sent = SentMessage(
            broker,
            task.task_name,
            task_id,
            broker.formatter.dumps(message).message,
            labels,
            now_ns,
            first_due_ns(task, now_ns),
            task,
            source,
        )
        if all(source is not each for each in self._sources):
            self._sources.append(source)
            self.patches.set(source, "delete_schedule", self._delete_schedule)
        # A schedule with the same id is replaced.
        self._withdraw(task.schedule_id)
        self._named.add(sent.name)
        record = self.store.scheduled[task.schedule_id] = self.new_record(sent)
        self.sink.added(record)

    async def _delete_schedule(self, schedule_id: str) -> None:
        self._withdraw(schedule_id)

    def _withdraw(self, schedule_id: str) -> None:
        record = self.store.scheduled.pop(schedule_id, None)
        if record is not None:
            self.sink.removed(record)

    def _result_backend(
        self, original: Callable[[], AsyncResultBackend[Any]], broker: AsyncBroker
    ) -> Results:
        real, results = original(), self._results.get(broker)
        if results is None or results.real is not real:
            results = self._results[broker] = Results(broker, real, self._kept, self._result)
        return results

    def _kept(self) -> Store:
        self.sink  # noqa: B018 - raises where no harness is open
        return self.store

    def _result(self, task_id: str) -> TaskiqResult[Any]:
        result = self._kept().results.get(task_id)
        if result is None:
            raise self.not_performed(task_id)
        return result

    def not_performed(self, job_id: str) -> NotPerformedError:
        if job_id in self.store.unsaved and self.sink.pending_with(job_id) is None:
            return NotPerformedError(
                f"The task {job_id} was performed and raised NoResultError, so no result was saved, and waiting "
                "for one would never end: look at its delivery instead."
            )
        return super().not_performed(job_id)

    async def _checked(
        self, original: Callable[..., Any], task: AsyncTaskiqTask[Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Raise a NotPerformedError as it is: the library would wrap it in an error of its own."""
        cast(Results, task.result_backend).check(task.task_id)
        return await original(*args, **kwargs)

    # Tasks and messages

    def find(self, job: object) -> Task | None:
        """Return a task of one of the brokers, or a shared task.

        Raises:
            AmbiguousJobError: when it is a name, and two brokers have tasks of it.
        """
        if isinstance(job, AsyncTaskiqDecoratedTask):
            return job if self.takes(job.broker) or _is_shared(job) else None
        if not isinstance(job, str):
            return None
        tasks = [broker.find_task(job) for broker in self._brokers]
        found = {id(task): task for task in tasks if task is not None}
        if len(found) > 1:
            raise AmbiguousJobError(
                f"{job!r} names a task of each of {self}, so it can mean any of them: name the task object."
            )
        return next(iter(found.values()), None)

    def identify(self, job: object) -> str | None:
        """Return the name of a task, or a name under which something was enqueued."""
        name = super().identify(job)
        return job if name is None and isinstance(job, str) and job in self._named else name

    def unknown(self, job: object) -> Exception:
        if self.identify(job) is None:
            return super().unknown(job)
        return DeclarationError(
            f"{job!r} is registered with none of {self}, so there is no function to look at: import the "
            "module that declares the task, or name what this service declares."
        )

    def name_of(self, task: Task) -> str:
        name: str = task.task_name
        return name

    def body_of(self, task: Task) -> Callable[..., Any]:
        function: Callable[..., Any] = task.original_func
        return function

    def binder_of(self, task: Task) -> Binder:
        return Binder(without_dependencies(self.body_of(task)), label=task.task_name)

    def task_of(self, message: SentMessage) -> Task | None:
        return message.broker.find_task(message.name)

    def is_of(self, message: SentMessage, task: Task) -> bool:
        found = self.task_of(message)
        return found is None or found is task or _is_shared(task)

    def payload_of(self, message: SentMessage) -> object:
        return message.payload

    def decoded(self, message: SentMessage) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Decode the arguments as a worker does, by the annotations of the task."""
        read = message.read()
        self._receiver(message.broker).parse(read)
        return tuple(read.args), read.kwargs

    def broker_of(self, task: Task) -> AsyncBroker:
        """Return the broker to which a task is sent.

        Raises:
            CriterionError: when it is a shared task without a default broker, and there are several.
        """
        broker = task.broker
        if _is_shared(task):
            broker = getattr(broker, "_default_broker", None) or broker
        if self.takes(broker):
            return broker
        if len(self._brokers) == 1:
            return self._brokers[0]
        raise CriterionError(
            f"{task.task_name} is a shared task, and which of {self} it goes to is not known: write "
            "`async_shared_broker.default_broker(broker)`."
        )

    def semantics_of(self, task: Task) -> DeliverySemantics:
        # The label of a task goes before the option of the worker.
        named = task.labels.get("ack_type") or self._options.ack_type
        ack_type = str(getattr(named, "value", named)).lower()
        is_kept = acknowledges(self.broker_of(task)) and ack_type != "when_received"
        return DeliverySemantics(
            acknowledged="after" if is_kept else "before",
            # A task that acknowledges by hand has not done so when it raises.
            redelivered_on_raise=is_kept and ack_type == "manual",
            redelivered_on_kill=is_kept,
            redelivered_on_outage=is_kept,
        )

    def policy_of(self, task: Task) -> RetryPolicy | None:
        return policy_of(task, self.broker_of(task))

    def retried(self, message: SentMessage, attempt: int) -> SentMessage:
        return message.as_attempt(attempt)

    def fields(self, message: SentMessage) -> Mapping[str, Any]:
        return message.fields()

    def message_from(self, fields: Mapping[str, Any]) -> SentMessage:
        """Return a message for the broker that has the task, or for the first one."""
        name, labels = fields["task_name"], fields["labels"]
        having = (broker for broker in self._brokers if broker.find_task(name) is not None)
        data = json.dumps(dict(fields)).encode()
        return SentMessage(
            next(having, self._brokers[0]),
            name,
            "recorded",
            data,
            labels,
            self.sink.now_ns(),
            None,
            data,
        )

    # Enqueueing and performing

    def rank(self, priority: int | None) -> int:
        """Return the priority with its sign changed: brokers deliver the higher number first."""
        return -(priority or 0)

    def is_coroutine(self, record: JobRecord) -> bool:
        """Return True: the receiver is a coroutine, also for tasks that are not."""
        return True

    def send(
        self, task: Task, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Coroutine[Any, Any, object]:
        kicked: Coroutine[Any, Any, object]
        kicked = task.kicker().with_broker(self.broker_of(task)).kiq(*args, **kwargs)
        return kicked

    async def deliver(self, attempt: TaskAttempt) -> Delivery:
        """Make one delivery through the receiver of Taskiq's worker.

        Raises:
            UnknownJobError: when the broker has no task of this name.
            DeserializationError: when the message cannot be read.
            BaseException: an error of the job that does not derive from Exception.
        """
        message = attempt.message
        broker = message.broker
        if broker.find_task(message.name) is None:
            raise UnknownJobError(
                f"{broker!r} has no task named {message.name!r}, so a worker logs that and drops the message: "
                "import the module that declares it, or perform it with the broker that has it."
            )
        data = message.data
        if message.source is not None:
            fired = await fire(broker, message.source, message.payload)
            if fired is None:
                return Delivery(attempt.record, attempt.now_ns, "cancelled")
            data = fired.message
        await self._receiver(broker).receive(attempt, data)
        if attempt.run_message is None:
            # Nothing was run. Reading the message raises the reason.
            message.read()
        store = self._kept()
        if isinstance(attempt.error, NoResultError):
            store.unsaved.add(message.job_id)
        return delivery_of(attempt, store.results.get(message.job_id))

    def _receiver(self, broker: AsyncBroker) -> HarnessReceiver:
        receiver = self._receivers.get(broker)
        if receiver is None:
            options = self._options
            if isinstance(broker, InMemoryBroker):
                own = broker.receiver
                options = WorkerOptions(own.ack_time, own.validate_params, own.propagate_exceptions)
            receiver = HarnessReceiver(broker, options, is_ackable=acknowledges(broker))
            self._receivers[broker] = receiver
        return receiver


def _is_shared(task: Task) -> bool:
    return isinstance(task.broker, AsyncSharedBroker)


def _broker_of_result(task: AsyncTaskiqTask[Any]) -> AsyncBroker | None:
    backend = task.result_backend
    return backend.broker if isinstance(backend, Results) else None
