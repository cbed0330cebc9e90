"""The bridge of the reference core."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from datetime import timedelta
from typing import Any, cast

from ...core.arguments.encoding import decode
from ...core.arguments.records import RecordReference
from ...core.batches.batch import adding
from ...core.enqueueing.commits import commit_watches
from ...core.execution import perform
from ...core.foundation.payload import Execution, Payload
from ...core.foundation.protocols import Held
from ...core.foundation.registry import registry
from ...core.foundation.rules import RetryRule
from ...core.foundation.settings import settings
from ...core.foundation.signature import Binder
from ...core.job import Job
from ...core.locks.stores import MemoryStore
from ...errors import (
    AmbiguousJobError,
    BridgeError,
    CriterionError,
    NoHarnessError,
    UnknownJobError,
)
from ...harness.records.bridge import Around, DeliverySemantics, RetryPolicy, Sink, WrittenPayload
from ...harness.records.delivery import Delivery
from ...harness.records.record import FIRST, REDELIVERY, RETRY, JobRecord
from .adapter import HarnessAdapter, Redriving, exclusion_of, payload_of


class ReferenceBridge:
    """Brings the core's jobs into the harness, as the adapter that they go to."""

    __slots__ = ("_adapter", "_restore", "_store")

    name = "core"
    capabilities = frozenset(
        ("eta", "priority", "retry", "discard", "async", "serialise", "unique")
    )

    def __init__(self) -> None:
        self._store = MemoryStore()
        self._adapter: HarnessAdapter | None = None
        self._restore: Callable[[], None] | None = None

    def install(self, sink: Sink, draw: Callable[[], float]) -> None:
        """Take the place of the core's adapter.

        Raises:
            BridgeError: when it has done so already.
        """
        if self._adapter is not None:
            raise BridgeError(
                "This bridge to the core is installed already: a bridge is in one harness at a time. Make a "
                "second one for the second harness."
            )
        self._adapter = HarnessAdapter(self, sink)
        self._restore = settings.take_over(self._adapter, self._store, draw)

    def uninstall(self) -> None:
        """Give the place back."""
        restore, self._restore, self._adapter = self._restore, None, None
        if restore is not None:
            restore()

    def sandbox(self, sink: Sink) -> AbstractContextManager[None]:
        """Report to another sink for a block, and keep locks and batches in another store.

        What waits for a commit is not listed meanwhile.
        """
        return self._aside(sink, MemoryStore())

    def sandbox_with_batches(self, sink: Sink) -> AbstractContextManager[None]:
        """Do the same, with the batches that there are."""
        store = MemoryStore()
        store.batches = self._store.batches.copied()
        return self._aside(sink, store)

    @contextmanager
    def _aside(self, sink: Sink, other: MemoryStore) -> Generator[None, None, None]:
        adapter = self._installed()
        before, adapter.sink = adapter.sink, sink
        derived, adapter.derived = adapter.derived, set()
        dropped, adapter.dropped = adapter.dropped, []
        store, self._store = self._store, other
        restore = settings.take_over(adapter, self._store, settings.draw)
        try:
            with commit_watches.muted():
                yield
        finally:
            restore()
            self._store = store
            adapter.sink, adapter.derived, adapter.dropped = before, derived, dropped

    def locks(self, now_ns: int) -> tuple[Held, ...]:
        """Return the locks and places that are held."""
        return self._store.held(now_ns)

    def kept_out(self) -> Sequence[tuple[JobRecord, str]]:
        """Return what was dropped for other jobs."""
        return () if self._adapter is None else self._adapter.dropped

    # Knowing jobs

    def identify(self, job: object) -> str | None:
        """Return the name of a job class, a job function, a `later` twin, or a loaded job of that name."""
        if isinstance(job, str):
            return job if registry.known(job) else None
        job_class = _job_class(job)
        return None if job_class is None else job_class.__declaration__.name

    def matcher(self, job: object) -> Callable[[JobRecord], bool]:
        """Return what says whether a record is of this very class."""
        job_class = _job_class(job)
        if job_class is None:
            return lambda record: True
        return lambda record: payload_of(record).known_job in (job_class, None)

    def job_of(self, record: JobRecord) -> Any:
        """Return what the application calls the job, or its name when the class is gone."""
        try:
            return payload_of(record).job.public
        except (UnknownJobError, AmbiguousJobError):
            return record.name

    def resolve(self, job: object) -> Callable[..., Any]:
        """Return the function behind `perform`."""
        body = _known(job).perform
        return cast("Callable[..., Any]", getattr(body, "__func__", body))

    def delivery_semantics(self, job: object) -> DeliverySemantics:
        """Return what the engines of the core do: acknowledged after the run, retried by rule only."""
        return DeliverySemantics(
            acknowledged="after",
            redelivered_on_raise=False,
            redelivered_on_kill=True,
            redelivered_on_outage=True,
        )

    def retry_policy(self, job: object) -> RetryPolicy | None:
        """Return the schedule of the only `retry_on`; None when there are none or several."""
        rules = [
            rule for rule in _known(job).__declaration__.all_rules() if isinstance(rule, RetryRule)
        ]
        if len(rules) != 1 or rules[0].wait.wants_error:
            return None
        rule = rules[0]

        def wait(attempt: int) -> timedelta:
            return timedelta(seconds=rule.wait.delay(attempt, Exception(), 0.0, 0.0).seconds)

        return RetryPolicy(rule.attempts, wait)

    # Reading arguments

    def arguments_of(self, record: JobRecord) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Decode the arguments of a payload."""
        payload = payload_of(record)
        return decode(
            payload.arguments, payload.job.__declaration__.argument_types, find=RecordReference
        )

    def follow_ups(self, record: JobRecord) -> tuple[str, ...]:
        """Return nothing: a job of the core enqueues the next one itself."""
        return ()

    def signature(self, job: object) -> Binder:
        """Return what binds arguments to the parameters of `perform`."""
        return _known(job).__declaration__.signature

    # Enqueueing and performing

    def rank(self, priority: int | None) -> int:
        """Return the priority itself, 0 for none: the lower number goes first."""
        return priority or 0

    def is_coroutine(self, record: JobRecord) -> bool:
        """Say whether `perform` is a coroutine function."""
        try:
            return bool(payload_of(record).job.__declaration__.is_coroutine)
        except (UnknownJobError, AmbiguousJobError):
            return False

    def enqueue(self, job: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Call `perform_later`, or enqueue the job in the batch that it is to be added to."""
        made = _known(job).new(*args, **kwargs)
        batch = adding.get()
        if batch is None:
            made.enqueue()
        else:
            batch.enqueue([made])

    def perform(
        self, record: JobRecord, *, now_ns: int, around: Around
    ) -> Delivery | Awaitable[Delivery]:
        """Make one delivery through the core's execution."""
        execution = perform(payload_of(record), around)
        if isinstance(execution, Execution):
            return _delivery(record, now_ns, execution)
        return _awaited(record, now_ns, execution)

    def redeliver(self, record: JobRecord) -> JobRecord:
        """Report the same payload once more."""
        again = JobRecord(self, payload_of(record), record.payload, REDELIVERY)
        self._installed().sink.added(again)
        return again

    def redrive(self, record: JobRecord) -> JobRecord | None:
        """Enqueue the payload anew; return None when another job keeps it out."""
        exclusion = exclusion_of(payload_of(record))
        if exclusion is None:
            return self.redeliver(record)
        return Redriving(record, self._installed()).enqueued_by(exclusion)

    def as_attempt(self, record: JobRecord, attempt: int) -> JobRecord:
        """Return the record of another attempt, its earlier ones failed by the job's only `retry_on`.

        Raises:
            CriterionError: when there are several, each of which has a counter of its own.
        """
        payload = payload_of(record)
        keys = {
            rule.key
            for rule in payload.job.__declaration__.all_rules()
            if isinstance(rule, RetryRule)
        }
        if len(keys) > 1:
            raise CriterionError(
                f"jobs.perform(record, attempt={attempt}): {record.name} has several retry_on, each with a "
                "counter of its own, and which errors the attempts before met is not said. Let them fail: "
                f"jobs.fail({record.name}, raising=..., on=[1]), and jobs.drain()."
            )
        other = copy(payload)
        other.attempt = attempt
        other.failures = dict.fromkeys(keys, attempt - 1)
        return JobRecord(self, other, other, RETRY)

    def written(self, record: JobRecord) -> WrittenPayload:
        """Return what goes through a transport, without the id and the times.

        Raises:
            UnknownJobError: when the class lives inside a function.
            AmbiguousJobError: when another class has the same name.
        """
        data = payload_of(record).to_dict()
        data.update(job_id="recorded", enqueued_ns=0, due_ns=None)
        arguments = data["arguments"]
        args, kwargs = arguments["tagged"] if isinstance(arguments, dict) else arguments
        return WrittenPayload(data, args, kwargs)

    def record_from(self, data: Mapping[str, Any]) -> JobRecord:
        """Report a payload that came through a transport.

        Raises:
            DeserializationError: when the data has another layout.
        """
        sink = self._installed().sink
        payload = Payload.from_dict(data)
        payload.enqueued_ns = sink.now_ns()
        record = JobRecord(self, payload, payload, FIRST)
        sink.added(record)
        return record

    def result_of(self, record: JobRecord) -> object:
        """Return what the last delivery of the job returned."""
        return self._installed().sink.result_of(record)

    def _installed(self) -> HarnessAdapter:
        if self._adapter is None:
            raise NoHarnessError
        return self._adapter


def _job_class(job: object) -> type[Job] | None:
    job_class = getattr(job, "job_class", None)
    if isinstance(job_class, type) and issubclass(job_class, Job) and not isinstance(job, Job):
        return job_class
    return None


def _known(job: object) -> type[Job]:
    job_class = registry.find(job) if isinstance(job, str) else _job_class(job)
    if job_class is None:
        raise CriterionError(f"{job!r} is no job of the core.")
    return job_class


def _delivery(record: JobRecord, now_ns: int, execution: Execution) -> Delivery:
    return Delivery(
        record,
        now_ns,
        execution.status,
        execution.result,
        execution.error,
        handled=execution.handled,
        wait_ns=execution.wait_ns,
        wait_bounds_ns=execution.wait_bounds_ns,
        aftermath=execution.aftermath,
    )


async def _awaited(
    record: JobRecord, now_ns: int, execution: Coroutine[Any, Any, Execution]
) -> Delivery:
    return _delivery(record, now_ns, await execution)
