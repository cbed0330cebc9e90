"""The bridge of the reference core."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
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
from ...core.job import Job
from ...core.locks.stores import MemoryStore
from ...errors import AmbiguousJobError, CriterionError, NoHarnessError, UnknownJobError
from ..toolkit import (
    Around,
    Binder,
    CountedAttempts,
    Delivery,
    DeliverySemantics,
    JobRecord,
    RetryPolicy,
    Seam,
    Sink,
)
from .adapter import HarnessAdapter, Redriving, exclusion_of


class ReferenceBridge(CountedAttempts[type[Job], Payload, None]):
    """Brings the core's jobs into the harness, as the adapter that they go to."""

    name = "core"
    capabilities = frozenset(
        ("eta", "priority", "retry", "discard", "async", "serialise", "unique")
    )
    #: Each coroutine job has an event loop of its own.
    loop_each = True

    def __init__(self) -> None:
        super().__init__()
        #: Locks, limits and batches. They outlive a test without a harness, as the records of the session do.
        self._locks = MemoryStore()
        self._adapter: HarnessAdapter | None = None

    def title(self) -> str:
        return "This bridge to the core"

    # Instead of the configured adapter

    def patch(self, seam: Seam) -> None:
        """Patch nothing: the settings of the core have a place for the adapter of a harness."""

    def prepare(self) -> None:
        self._adapter = HarnessAdapter(self, self.sink)
        self.patches.undo_by(settings.take_over(self._adapter, self._locks, self.draw))

    def uninstall(self) -> None:
        super().uninstall()
        self._adapter = None

    @contextmanager
    def sandbox(self, sink: Sink) -> Generator[None, None, None]:
        """Report to another sink for a block, and keep locks and batches in another store.

        Meanwhile jobs that wait for a commit are not listed.
        """
        with super().sandbox(sink):
            adapter = self._adapter
            if adapter is None:
                raise NoHarnessError
            locks, self._locks = self._locks, MemoryStore()
            # The adapter stays the same: a job that waits for a commit keeps it.
            kept, adapter.sink = adapter.sink, sink
            derived, adapter.derived = adapter.derived, set()
            dropped, adapter.dropped = adapter.dropped, []
            restore = settings.take_over(adapter, self._locks, settings.draw)
            try:
                with commit_watches.muted():
                    yield
            finally:
                restore()
                self._locks = locks
                adapter.sink, adapter.derived, adapter.dropped = kept, derived, dropped

    @property
    def served(self) -> object:
        """The store of locks and batches."""
        return self._locks

    def locks(self, now_ns: int) -> tuple[Held, ...]:
        """Return the locks and places that jobs hold."""
        return self._locks.held(now_ns)

    def kept_out(self) -> Sequence[tuple[JobRecord, str]]:
        """Return the jobs that a lock or limit dropped, each with the id of the job that has it."""
        return () if self._adapter is None else self._adapter.dropped

    # Jobs and payloads

    def identify(self, job: object) -> str | None:
        """Return the name of a job class, a job function, a `later` twin, or a loaded job of that name."""
        if isinstance(job, str):
            return job if registry.known(job) else None
        job_class = _job_class(job)
        return None if job_class is None else job_class.__declaration__.name

    def find(self, job: object) -> type[Job] | None:
        return registry.find(job) if isinstance(job, str) else _job_class(job)

    def known_names(self) -> list[str]:
        return registry.names()

    def queue_of(self, task: type[Job]) -> str | None:
        return task.queue if isinstance(task.queue, str) else None

    def unknown(self, job: object) -> Exception:
        return CriterionError(f"{job!r} is not a job of the core.")

    def matcher(self, job: object) -> Callable[[JobRecord], bool]:
        job_class = _job_class(job)
        if job_class is None:
            return lambda record: True
        return lambda record: self.message_of(record).known_job in (job_class, None)

    def message_of(self, record: JobRecord) -> Payload:
        # The envelope of a job that was redriven is a copy.
        return cast(Payload, record.payload)

    def job_of(self, record: JobRecord) -> Any:
        """Return what the application calls the job, or its name when the class is gone."""
        try:
            return self.message_of(record).job.public
        except (UnknownJobError, AmbiguousJobError):
            return record.name

    def body_of(self, task: type[Job]) -> Callable[..., Any]:
        """Return the function behind `perform`."""
        body = task.perform
        return cast("Callable[..., Any]", getattr(body, "__func__", body))

    def signature(self, job: object) -> Binder:
        return self.known(job).__declaration__.signature

    def decoded(self, message: Payload) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return decode(
            message.arguments, message.job.__declaration__.argument_types, find=RecordReference
        )

    def semantics_of(self, task: type[Job]) -> DeliverySemantics:
        """Return what the engines of the core do: acknowledge after the run, and retry by rule only."""
        return DeliverySemantics(
            acknowledged="after",
            redelivered_on_raise=False,
            redelivered_on_kill=True,
            redelivered_on_outage=True,
        )

    def policy_of(self, task: type[Job]) -> RetryPolicy | None:
        """Return the schedule of the only `retry_on`; None when there are none or several."""
        rules = [rule for rule in task.__declaration__.all_rules() if isinstance(rule, RetryRule)]
        if len(rules) != 1 or rules[0].wait.wants_error:
            return None
        rule = rules[0]

        def wait(attempt: int) -> timedelta:
            return timedelta(seconds=rule.wait.delay(attempt, Exception(), 0.0, 0.0).seconds)

        return RetryPolicy(rule.attempts, wait)

    def rank(self, priority: int | None) -> int:
        """Return the priority itself, 0 for none: the lower number goes first."""
        return priority or 0

    def is_coroutine(self, record: JobRecord) -> bool:
        """Say whether `perform` is a coroutine function."""
        try:
            return bool(self.message_of(record).job.__declaration__.is_coroutine)
        except (UnknownJobError, AmbiguousJobError):
            return False

    def retried(self, message: Payload, attempt: int) -> Payload:
        """Return the payload of another attempt, whose earlier attempts failed by the only `retry_on`.

        Raises:
            CriterionError: when there are several, each of which has a counter of its own.
        """
        keys = {
            rule.key
            for rule in message.job.__declaration__.all_rules()
            if isinstance(rule, RetryRule)
        }
        if len(keys) > 1:
            raise CriterionError(
                f"jobs.perform(record, attempt={attempt}): {message.name} has several retry_on, each with a "
                "counter of its own, and which errors the attempts before met is not said. Let them fail: "
                f"jobs.fail({message.name}, raising=..., on=[1]), and jobs.drain()."
            )
        other = copy(message)
        other.attempt = attempt
        other.failures = dict.fromkeys(keys, attempt - 1)
        return other

    # Enqueueing and performing

    def send(self, task: type[Job], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Call `perform_later`, or enqueue the job in the batch that it is to be added to."""
        made = task.new(*args, **kwargs)
        batch = adding.get()
        if batch is None:
            made.enqueue()
        else:
            batch.enqueue([made])

    def perform(
        self, record: JobRecord, *, now_ns: int, around: Around
    ) -> Delivery | Awaitable[Delivery]:
        # The core's own execution notes everything that an `Attempt` would.
        execution = perform(self.message_of(record), around)
        if isinstance(execution, Execution):
            return _delivery(record, now_ns, execution)
        return _awaited(record, now_ns, execution)

    def redrive(self, record: JobRecord) -> JobRecord | None:
        """Enqueue the payload anew; return None when another job keeps it out.

        Raises:
            NoHarnessError: when the bridge is not installed.
        """
        exclusion = exclusion_of(self.message_of(record))
        if exclusion is None or self._adapter is None:
            return self.redeliver(record)
        return Redriving(record, self._adapter).enqueued_by(exclusion)


def _job_class(job: object) -> type[Job] | None:
    job_class = getattr(job, "job_class", None)
    if isinstance(job_class, type) and issubclass(job_class, Job) and not isinstance(job, Job):
        return job_class
    return None


def _delivery(record: JobRecord, now_ns: int, execution: Execution) -> Delivery:
    if execution.status == "performed" and execution.error is None:
        return Delivery(record, now_ns, "performed", execution.result)  # Most have nothing else.
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
