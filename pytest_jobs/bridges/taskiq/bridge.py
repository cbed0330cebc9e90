"""The bridge of Taskiq."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, TypeAlias

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
    BridgeError,
    CriterionError,
    NotPerformedError,
    UnknownJobError,
)
from ..applications import ApplicationBridge
from ..lives import Lives
from ..toolkit import (
    Binder,
    Delivery,
    DeliverySemantics,
    Due,
    JobRecord,
    Probe,
    RetryPolicy,
    Seam,
    current_attempt,
)
from .brokers import (
    Brokers,
    Results,
    Store,
    acknowledges,
    obeys_delay,
    plays_the_worker,
    without_dependencies,
    worker_life,
)
from .messages import SentMessage, delay_ns
from .receiver import HarnessReceiver, TaskAttempt, WorkerOptions
from .retries import delivery_of, pin_waits, policy_of
from .schedules import Recorder, fire, first_due_ns, times_again

_PROBE: Final = Probe(
    "taskiq",
    "taskiq:AsyncBroker.kick(_, _)",
    "taskiq:AsyncBroker.startup(_)",
    "taskiq:AsyncBroker.shutdown(_)",
    "taskiq:AsyncBroker.listen(_)",
    "taskiq:AsyncBroker.find_task(_, _)",
    "taskiq:AsyncBroker.global_task_registry",
    "taskiq.abc.schedule_source:ScheduleSource.add_schedule(_, _)",
    "taskiq.abc.schedule_source:ScheduleSource.delete_schedule(_, _)",
    "taskiq.brokers.shared_broker:AsyncSharedBroker",
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
    "taskiq.task:AsyncTaskiqTask.wait_result(_)",
    tested=((0, 12), (0, 13)),
)

Task: TypeAlias = AsyncTaskiqDecoratedTask[Any, Any]


class TaskiqBridge(ApplicationBridge[Brokers, Task, SentMessage, Store]):
    """Brings the tasks of all Taskiq brokers into the harness, instead of their servers."""

    name = "taskiq"
    tells_when_asked = True
    capabilities = frozenset(
        ("eta", "priority", "headers", "retry", "discard", "async", "serialise", "cron")
    )
    attempt_class = TaskAttempt
    elsewhere = "is registered with none of {}", "declares the task"
    order = -1
    in_loop = True

    def __init__(
        self,
        brokers: Sequence[AsyncBroker] = (),
        *,
        ack_type: Literal["when_received", "when_executed", "when_saved", "manual"] = "when_saved",
        validate_params: bool = True,
        propagate_exceptions: bool = True,
        run_startup: bool = True,
    ) -> None:
        """Prepare a bridge.

        Args:
            brokers: the brokers that are asked first for a task that a test names by its name. Whatever broker
                sends a task, the task is recorded.
            ack_type: the option `--ack-type` of the worker.
            validate_params: False when the worker runs with `--no-parse`.
            propagate_exceptions: False when the worker runs with `--no-propagate-errors`.
            run_startup: False when the tests fill the state of the broker in place of the handlers of
                `WORKER_STARTUP`, which do not run then.
        """
        _PROBE.check(taskiq.__version__)
        super().__init__(taskiq.__version__, Brokers(brokers))
        self._options = WorkerOptions(
            AcknowledgeType(ack_type), validate_params, propagate_exceptions
        )
        self._receivers: dict[AsyncBroker, HarnessReceiver] = {}
        self._run_startup = run_startup
        self._lives = Lives()
        #: The stand-ins for result backends.
        self._results: dict[AsyncBroker, Results] = {}

    def title(self) -> str:
        return f"The taskiq bridge to {self}" if self.applications.named else "The taskiq bridge"

    def new_store(self) -> Store:
        return Store()

    def uninstall(self) -> None:
        super().uninstall()
        self._lives.clear()

    # Instead of servers, result backends and schedule sources

    def patch(self, seam: Seam) -> None:
        # The shared broker sends nothing itself, and says so.
        shared = (AsyncSharedBroker,)
        seam.replace_sending(AsyncBroker, "kick", TaskiqBridge._kicked, skip=shared)
        seam.replace_below(AsyncBroker, "listen", TaskiqBridge._listen, skip=shared)
        # Two classes call event handlers and middlewares. What classes derived from them add is connections.
        whole = (InMemoryBroker,)
        seam.replace_below(AsyncBroker, "startup", TaskiqBridge._startup, skip=whole)
        seam.replace_below(AsyncBroker, "shutdown", TaskiqBridge._shutdown, skip=whole)
        seam.overlay(AsyncBroker, "result_backend", TaskiqBridge._result_backend)
        seam.wrap(AsyncTaskiqTask, "is_ready", TaskiqBridge._is_ready)
        for name in ("get_result", "wait_result"):
            seam.wrap(AsyncTaskiqTask, name, TaskiqBridge._checked)
        for name in ("schedule_by_time", "schedule_by_cron", "schedule_by_interval"):
            seam.wrap(AsyncKicker, name, TaskiqBridge._schedule)
        seam.replace_sending(ScheduleSource, "add_schedule", TaskiqBridge._added)
        seam.replace_below(ScheduleSource, "delete_schedule", TaskiqBridge._deleted)
        pin_waits(seam)

    async def _startup(self, broker: AsyncBroker) -> None:
        await _starting(broker).startup(broker)

    async def _shutdown(self, broker: AsyncBroker) -> None:
        await _starting(broker).shutdown(broker)

    async def _listen(self, broker: AsyncBroker) -> AsyncGenerator[bytes, None]:
        """Wait for ever: a worker inside the application gets no message, since the test performs them."""
        await asyncio.Event().wait()
        yield b""

    async def _kicked(self, broker: AsyncBroker, message: BrokerMessage) -> None:
        now_ns = self.sink.now_ns()
        wait_ns = delay_ns(message.labels) if obeys_delay(type(broker)) else None
        self.sent_names.add(message.task_name)
        self.applications.note(broker)
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
        if getattr(type(source), "add_schedule", None) is ScheduleSource.add_schedule:
            # Such a source keeps no schedules: the library refuses.
            return await schedule(source, *args, **kwargs)

        def record(scheduled: ScheduledTask) -> None:
            broker = kicker.broker
            is_shared = isinstance(broker, AsyncSharedBroker)
            self._scheduled(self._broker_for(scheduled) if is_shared else broker, source, scheduled)

        recorder = Recorder(record)
        created = await schedule(recorder, *args, **kwargs)
        created.source = source
        return created

    async def _added(self, source: ScheduleSource, scheduled: ScheduledTask) -> None:
        """Report what an application adds to a schedule source itself."""
        self._scheduled(self._broker_for(scheduled), source, scheduled)

    def _broker_for(self, scheduled: ScheduledTask) -> AsyncBroker:
        """Return the broker to which the scheduler would send a task.

        Raises:
            BridgeError: when it is not known.
        """
        task = self.find(scheduled.task_name)
        broker = self.applications.only() if task is None else self.broker_of(task)
        if broker is None:
            raise BridgeError(
                f"No broker here has the task {scheduled.task_name!r} of this schedule, so the broker that the "
                "scheduler sends it to is not known: import the module that declares the task, or schedule it by "
                "a kicker: AsyncKicker(name, broker, labels).schedule_by_time(source, time)."
            )
        return broker

    def _scheduled(
        self, broker: AsyncBroker, source: ScheduleSource, scheduled: ScheduledTask
    ) -> None:
        task_id = scheduled.task_id or broker.id_generator()
        now_ns = self.sink.now_ns()
        attempt = current_attempt.get()
        if isinstance(attempt, TaskAttempt) and attempt.message.job_id == task_id:
            # A retry, whose wait counts from the time that the middleware has read.
            now_ns = attempt.computed_from_ns or now_ns
        # A schedule with the same id is replaced.
        self.withdraw(scheduled.schedule_id)
        record = self._scheduled_record(broker, source, scheduled, task_id, now_ns)
        self.store.scheduled[scheduled.schedule_id] = record
        self.sink.added(record)

    def _scheduled_record(
        self,
        broker: AsyncBroker,
        source: ScheduleSource,
        scheduled: ScheduledTask,
        task_id: str,
        now_ns: int,
        *,
        at_once: bool = False,
    ) -> JobRecord:
        """Return the record of a task that the scheduler sends, when it is due or at once."""
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
            None if at_once else first_due_ns(task, now_ns),
            task,
            source,
        )
        self.sent_names.add(sent.name)
        self.applications.note(broker)
        return self.new_record(sent)

    def firings_between(self, after_ns: int, until_ns: int) -> Iterator[Due]:
        """Yield when the scheduler sends what labels say, and again what sources keep."""
        brokers = self.applications.named or self.applications.every()
        labels = self._kept().labels.firings_between(brokers, after_ns, until_ns)
        for at_ns, broker, source, scheduled in labels:
            fire = partial(self._fire, broker, source, scheduled)
            yield at_ns, fire, *self.applications.far(broker)
        for schedule_id, record in list(self.store.scheduled.items()):
            sent = self.message_of(record)
            if sent.source is not None:
                first_ns = sent.enqueued_ns if sent.due_ns is None else sent.due_ns
                again = partial(self._fire_again, schedule_id, record)
                for at_ns in times_again(sent.payload, first_ns, after_ns, until_ns):
                    yield at_ns, again

    def _fire(self, broker: AsyncBroker, source: ScheduleSource, scheduled: ScheduledTask) -> None:
        task_id, now_ns = broker.id_generator(), self.sink.now_ns()
        self.sink.added(
            self._scheduled_record(broker, source, scheduled, task_id, now_ns, at_once=True)
        )

    def _fire_again(self, schedule_id: str, record: JobRecord) -> None:
        """Send a task once more, unless it was unscheduled or replaced meanwhile."""
        sent = self.message_of(record)
        if self.store.scheduled.get(schedule_id) is record and sent.source is not None:
            self._fire(sent.broker, sent.source, sent.payload)

    async def _deleted(self, source: ScheduleSource, schedule_id: str) -> None:
        # A fixture of a wider scope may have scheduled it, in a harness of its own.
        any(bridge.withdraw(schedule_id) for bridge in reversed(self.seam.bridges))

    def withdraw(self, schedule_id: str) -> bool:
        """Withdraw what was scheduled under an id, and say whether there was anything."""
        record = self.store.scheduled.pop(schedule_id, None)
        if record is not None:
            self.sink.removed(record)
        return record is not None

    def _result_backend(
        self, original: Callable[[], AsyncResultBackend[Any]], broker: AsyncBroker
    ) -> Results:
        real, results = original(), self._results.get(broker)
        if results is None or results.real is not real:
            results = self._results[broker] = Results(broker, real, self._kept, self._result)
        return results

    def _result(self, task_id: str) -> TaskiqResult[Any]:
        result = self._kept().results.get(task_id)
        if result is None:
            raise self.not_performed(task_id)
        return result

    def not_performed(self, job_id: str) -> NotPerformedError:
        if job_id in self.store.unsaved and self.pending_with(job_id) is None:
            return NotPerformedError(
                f"The task {job_id} was performed, and its result was not saved, so waiting for one would never "
                "end: look at its delivery instead."
            )
        return super().not_performed(job_id)

    async def _checked(
        self, original: Callable[..., Any], task: AsyncTaskiqTask[Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Raise a NotPerformedError as it is: the library would wrap it in an error of its own."""
        backend = task.result_backend
        if isinstance(backend, Results):
            backend.check(task.task_id)
        return await original(*args, **kwargs)

    async def _is_ready(
        self, original: Callable[..., Any], task: AsyncTaskiqTask[Any], *args: Any, **kwargs: Any
    ) -> bool:
        backend = task.result_backend
        if isinstance(backend, Results):
            return await backend.is_result_ready(task.task_id)
        ready: bool = await original(*args, **kwargs)
        return ready

    # Tasks and messages

    def find(self, job: object) -> Task | None:
        """Return a task of any broker, or a shared task."""
        if isinstance(job, AsyncTaskiqDecoratedTask):
            return job
        return self.applications.find(job) if isinstance(job, str) else None

    def queue_of(self, task: Task) -> str | None:
        return task.labels.get("queue_name") or None

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
            CriterionError: when it is a shared task without a default broker, and there is not one broker alone.
        """
        broker: AsyncBroker | None = task.broker
        if _is_shared(task):
            broker = getattr(broker, "_default_broker", None) or self.applications.only()
        if broker is not None:
            return broker
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

    # Enqueueing and performing

    def send(
        self, task: Task, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Coroutine[Any, Any, object]:
        kicked: Coroutine[Any, Any, object]
        kicked = task.kicker().with_broker(self.broker_of(task)).kiq(*args, **kwargs)
        return kicked

    async def deliver(self, attempt: TaskAttempt) -> Delivery:
        """Make one delivery through the receiver of Taskiq's worker."""
        message = attempt.message
        broker = message.broker
        if broker.find_task(message.name) is None:
            raise UnknownJobError(
                f"{broker!r} has no task named {message.name!r}, so a worker logs that and drops the message: "
                "import the module that declares it, or perform it with the broker that has it."
                f"{self.nearest(message.name)}"
            )
        data = message.data
        if message.source is not None:
            fired = await fire(broker, message.source, message.payload)
            if fired is None:
                return Delivery(attempt.record, attempt.now_ns, "cancelled")
            data = fired.message
        if self._run_startup and not plays_the_worker(broker):
            life = partial(worker_life, broker)
            await self._lives.started(self._kept().workers, id(broker), life)
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


def _starting(broker: AsyncBroker) -> Any:
    """Return the class whose startup and shutdown a broker has, without what derived classes add."""
    return InMemoryBroker if isinstance(broker, InMemoryBroker) else AsyncBroker
