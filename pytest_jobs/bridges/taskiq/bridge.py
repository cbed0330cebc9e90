"""The bridge of Taskiq."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Literal

import taskiq
from taskiq import AsyncBroker, InMemoryBroker
from taskiq.abc.schedule_source import ScheduleSource
from taskiq.acks import AcknowledgeType
from taskiq.exceptions import NoResultError
from taskiq.kicker import AsyncKicker
from taskiq.message import BrokerMessage, TaskiqMessage
from taskiq.scheduler.scheduled_task import ScheduledTask

from ...core.foundation.signature import Binder
from ...errors import BridgeError, NoHarnessError, UnknownJobError
from ...harness.records.bridge import Around, DeliverySemantics, RetryPolicy, Sink, WrittenPayload
from ...harness.records.delivery import Delivery
from ...harness.records.patches import Patches
from ...harness.records.record import FIRST, REDELIVERY, RETRY, JobRecord, Origin, current_record
from ...harness.records.versions import KnownVersions
from .brokers import Tasks, acknowledges, semantics_of, take_over
from .messages import Envelope, delay_ns, envelope_from, written_message
from .receiver import HarnessReceiver, Witness, WorkerOptions
from .results import Store, serve_results
from .retries import delivery_of, pin_waits, policy_of
from .schedules import fire, first_due_ns, intercept_schedules, withdraw_by

_VERSIONS: Final = KnownVersions("taskiq", (0, 12), (0, 13))


def bridge(applications: Sequence[Any]) -> TaskiqBridge:
    """Return a new bridge to brokers."""
    return TaskiqBridge(applications)


class TaskiqBridge:
    """Brings the tasks of Taskiq brokers into the harness, in the place of their servers."""

    name = "taskiq"
    capabilities = frozenset(
        ("eta", "priority", "headers", "retry", "discard", "async", "serialise")
    )

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
            UnknownVersionError: when the installed Taskiq is not one of those known.
            ApplicationError: when one of the brokers is none.
        """
        _VERSIONS.check(taskiq.__version__)
        self._tasks = Tasks(brokers)
        self._options = WorkerOptions(
            AcknowledgeType(ack_type), validate_params, propagate_exceptions
        )
        self._patches = Patches()
        self._receivers: dict[AsyncBroker, HarnessReceiver] = {}
        self._running: dict[JobRecord, Witness] = {}
        self._sources: list[ScheduleSource] = []
        self._store: Store | None = None

    def install(self, sink: Sink, draw: Callable[[], float]) -> None:
        """Take the place of the server and of the result backend of every broker.

        Raises:
            BridgeError: when it is installed already.
        """
        if self._store is not None:
            raise BridgeError(
                f"The taskiq bridge to {self._tasks} is installed already: a bridge is in one harness at a time. "
                "Make a second one for the second harness."
            )
        self._store = Store(sink)
        try:
            for broker in self._tasks.brokers:
                take_over(broker, self._patches, partial(self._kicked, broker), self._installed)
            serve_results(self._patches)
            intercept_schedules(self._patches, self._tasks.owns, self._scheduled)
            pin_waits(self._patches, draw, self._now_ns, self._current_witness)
        except BaseException:
            self.uninstall()
            raise

    def uninstall(self) -> None:
        """Give every place back."""
        self._store = None
        self._sources.clear()
        self._patches.restore()

    @contextmanager
    def sandbox(self, sink: Sink) -> Generator[None, None, None]:
        """Use another sink, and no results and schedules, for a block."""
        before = self._installed()
        self._store = Store(sink)
        try:
            yield
        finally:
            self._store = before

    # Knowing jobs

    def identify(self, job: object) -> str | None:
        """Return the name of a task of these brokers, of a shared task, or of one that was enqueued."""
        return self._tasks.identify(job)

    def matcher(self, job: object) -> Callable[[JobRecord], bool]:
        """Return what says whether a record is of this task, and not of a namesake of another broker."""
        if isinstance(job, str):
            return lambda record: True
        task = self._tasks.known(job)
        return lambda record: self._tasks.is_same(task, _envelope(record).broker)

    def job_of(self, record: JobRecord) -> Any:
        """Return the task, or its name when the broker does not know it."""
        return _envelope(record).broker.find_task(record.name) or record.name

    def resolve(self, job: object) -> Callable[..., Any]:
        """Return the function under the decorator."""
        function: Callable[..., Any] = self._tasks.known(job).original_func
        return function

    def delivery_semantics(self, job: object) -> DeliverySemantics:
        """Return what the broker of a task does, as it acknowledges and as the worker is run."""
        labels = self._tasks.known(job).labels
        return semantics_of(self._tasks.broker_of(job), labels, self._options.ack_type)

    def retry_policy(self, job: object) -> RetryPolicy | None:
        """Return the schedule of Taskiq's own retry middleware; None without one, or with another."""
        return policy_of(self._tasks.known(job), self._tasks.broker_of(job))

    # Reading arguments

    def arguments_of(self, record: JobRecord) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Decode the arguments as a worker does, which parses them by the annotations of the task."""
        envelope = _envelope(record)
        message = envelope.read()
        self._receiver(envelope.broker).parse(message)
        return tuple(message.args), message.kwargs

    def follow_ups(self, record: JobRecord) -> tuple[str, ...]:
        """Return nothing: a task enqueues the next one itself."""
        return ()

    def signature(self, job: object) -> Binder:
        """Return what binds the arguments that a caller passes: those that are no dependencies."""
        return self._tasks.binder(job)

    # Enqueueing and performing

    def rank(self, priority: int | None) -> int:
        """Return the priority turned round: brokers that have one deliver the higher number first."""
        return -(priority or 0)

    def is_coroutine(self, record: JobRecord) -> bool:
        """Return True: the receiver is a coroutine, whatever the task is."""
        return True

    def enqueue(
        self, job: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Coroutine[Any, Any, object]:
        """Return the coroutine of `kiq`."""
        kicker: AsyncKicker[Any, Any] = self._tasks.known(job).kicker()
        kicked: Coroutine[Any, Any, object]
        kicked = kicker.with_broker(self._tasks.broker_of(job)).kiq(*args, **kwargs)
        return kicked

    async def perform(self, record: JobRecord, *, now_ns: int, around: Around) -> Delivery:
        """Make one delivery through the receiver of Taskiq's worker.

        Raises:
            UnknownJobError: when the broker has no task of this name.
            DeserializationError: when the message cannot be read.
            BaseException: what the job raised that is no Exception.
        """
        envelope = _envelope(record)
        broker = envelope.broker
        if broker.find_task(envelope.name) is None:
            raise UnknownJobError(
                f"{broker!r} has no task named {envelope.name!r}, so a worker logs that and drops the message: "
                "import the module that declares it, or perform it with the broker that has it."
            )
        data = envelope.data
        if envelope.source is not None:
            message = await fire(broker, envelope.source, _scheduled_task(record))
            if message is None:
                return Delivery(record, now_ns, "cancelled")
            data = message.message
        self._running[record] = witness = Witness()
        try:
            await self._receiver(broker).receive(data, around, witness)
        finally:
            del self._running[record]
        if witness.message is None:
            envelope.read()
        store = self._installed()
        if isinstance(witness.error, NoResultError):
            store.unsaved.add(envelope.job_id)
        result = store.results.get(envelope.job_id)
        return delivery_of(record, now_ns, witness, result, broker.middlewares)

    def redeliver(self, record: JobRecord) -> JobRecord:
        """Report the same message once more."""
        again = JobRecord(self, record.envelope, record.payload, REDELIVERY)
        self._installed().sink.added(again)
        return again

    def as_attempt(self, record: JobRecord, attempt: int) -> JobRecord:
        """Return the record of another attempt, counted in the label `_retries`."""
        other, payload = _envelope(record).as_attempt(attempt), record.payload
        if other.source is not None:
            scheduled = _scheduled_task(record)
            labels = {**scheduled.labels, "_retries": attempt - 1}
            payload = scheduled.model_copy(update={"labels": labels})
        return JobRecord(self, other, payload, RETRY)

    def written(self, record: JobRecord) -> WrittenPayload:
        """Return a message, where its broker writes JSON."""
        return written_message(_envelope(record))

    def record_from(self, data: Mapping[str, Any]) -> JobRecord:
        """Report a message that is due at once."""
        sink = self._installed().sink
        envelope = envelope_from(self._tasks.brokers, data, sink.now_ns())
        sink.added(record := JobRecord(self, envelope, envelope.data, FIRST))
        return record

    def result_of(self, record: JobRecord) -> object:
        """Return what the last delivery of the task returned."""
        return self._installed().sink.result_of(record)

    # What brokers and schedule sources are told

    async def _kicked(self, broker: AsyncBroker, message: BrokerMessage) -> None:
        sink = self._installed().sink
        now_ns = sink.now_ns()
        wait_ns = delay_ns(message.labels)
        envelope = Envelope(
            broker,
            message.task_name,
            message.task_id,
            message.message,
            message.labels,
            now_ns,
            None if wait_ns is None else now_ns + wait_ns,
        )
        sink.added(self._record(envelope, message))

    def _scheduled(
        self, broker: AsyncBroker, source: ScheduleSource, scheduled: ScheduledTask
    ) -> None:
        store = self._installed()
        task_id = scheduled.task_id or broker.id_generator()
        now_ns = store.sink.now_ns()
        witness = self._witness_of(task_id)
        if witness is not None and witness.computed_from_ns is not None:
            now_ns = witness.computed_from_ns
        task = scheduled.model_copy(update={"task_id": task_id})
        labels = {**task.labels, "schedule_id": task.schedule_id}
        message = TaskiqMessage(
            task_id=task_id,
            task_name=task.task_name,
            labels=labels,
            args=task.args,
            kwargs=task.kwargs,
        )
        envelope = Envelope(
            broker,
            task.task_name,
            task_id,
            broker.formatter.dumps(message).message,
            labels,
            now_ns,
            first_due_ns(task, now_ns),
            source,
        )
        self._take_from(source)
        store.schedule(task.schedule_id, self._record(envelope, task))

    def _take_from(self, source: ScheduleSource) -> None:
        if all(source is not each for each in self._sources):
            self._sources.append(source)
            withdraw_by(
                self._patches, source, lambda schedule_id: self._installed().withdraw(schedule_id)
            )

    def _record(self, envelope: Envelope, payload: object) -> JobRecord:
        self._tasks.seen.add(envelope.name)
        witness = self._witness_of(envelope.job_id)
        origin: Origin = FIRST if witness is None else RETRY
        record = JobRecord(self, envelope, payload, origin)
        if witness is not None:
            witness.next = record
        return record

    def _witness_of(self, job_id: str) -> Witness | None:
        """Return that of the delivery that is being made here, when it is one of this very task."""
        current = current_record.get()
        if current is None or current.job_id != job_id:
            return None
        return self._running.get(current)

    def _now_ns(self) -> int:
        return self._installed().sink.now_ns()

    def _current_witness(self) -> Witness | None:
        current = current_record.get()
        return None if current is None else self._running.get(current)

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

    def _installed(self) -> Store:
        if self._store is None:
            raise NoHarnessError
        return self._store


def _envelope(record: JobRecord) -> Envelope:
    envelope: Any = record.envelope
    return envelope  # type: ignore[no-any-return]


def _scheduled_task(record: JobRecord) -> ScheduledTask:
    scheduled: Any = record.payload
    return scheduled
