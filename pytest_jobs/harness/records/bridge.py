"""The contract between the harness and a job library."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from ...core.foundation.protocols import Held
from ...core.foundation.signature import Binder
from .delivery import Delivery
from .record import JobRecord

#: Called with the bound body of a job, which it calls, or does not.
Around: TypeAlias = Callable[[Callable[[], Any]], Any]

#: Jobs that begin one after the other, by name; a list in the place of a name holds those that begin
#: together, each with what comes after it.
Steps: TypeAlias = "tuple[str | list[Steps], ...]"


class Sink(Protocol):
    """Where a bridge reports what its library does: the ledger."""

    def now_ns(self) -> int:
        """Return the time of the harness's clock, in nanoseconds since the epoch."""
        ...

    def added(self, record: JobRecord) -> None:
        """Take in a job that was enqueued."""
        ...

    def removed(self, record: JobRecord) -> None:
        """Take note that a pending job was withdrawn and will not be performed."""
        ...

    def unblocked(self, record: JobRecord) -> None:
        """Take note that a blocked job has the place that it waited for."""
        ...

    def pending_with(self, job_id: str) -> JobRecord | None:
        """Return the oldest pending record with this id, for a bridge whose library withdraws it."""
        ...

    def result_of(self, record: JobRecord) -> object:
        """Return what the last delivery of the job returned, or raise what it raised."""
        ...


class HoldsLocks(Protocol):
    """What a bridge with the capability `unique` does besides."""

    def locks(self, now_ns: int) -> Sequence[Held]:
        """Return the locks and places that jobs of the library hold."""
        ...

    def kept_out(self) -> Sequence[tuple[JobRecord, str]]:
        """Return the jobs that were not enqueued for want of one, each with the id of that which has it."""
        ...

    def redrive(self, record: JobRecord) -> JobRecord | None:
        """Enqueue a dead job anew, as any that is enqueued; None when it is kept out."""
        ...


@dataclass(frozen=True, slots=True)
class DeliverySemantics:
    """What the library does with a job whose worker fails."""

    #: Whether a delivery counts as done before the body runs, or after it.
    acknowledged: Literal["before", "after"]
    #: Whether a job that raises without a rule of its own is delivered again.
    redelivered_on_raise: bool
    #: Whether a job is delivered again when the process that runs it is killed, by an
    #: out-of-memory killer, say, and the rest of the worker lives on.
    redelivered_on_kill: bool
    #: Whether a job is delivered again when the whole worker goes, with its machine, say.
    redelivered_on_outage: bool


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A retry schedule that can be read off a declaration."""

    #: How many runs at most, the first included; None for no limit.
    attempts: int | None
    #: Returns the wait before attempt n + 1, n counted from 1, without jitter.
    wait: Callable[[int], timedelta]


@runtime_checkable
class KeepsBatches(Protocol):
    """What a bridge also has whose jobs are counted in batches, which a job that comes again belongs to."""

    def sandbox_with_batches(self, sink: Sink) -> AbstractContextManager[None]:
        """Do as `sandbox` does, with a copy of the batches that there are."""
        ...


@runtime_checkable
class Canvas(Protocol):
    """What a bridge also has whose library knows, when a job is enqueued, what comes after it."""

    def steps_after(self, record: JobRecord) -> Steps:
        """Return what the library enqueues when a record has been performed, and after that."""
        ...

    def batch_of(self, record: JobRecord) -> str | None:
        """Return the id of what a record was enqueued together with; None when it was alone."""
        ...


@runtime_checkable
class CountsAttempts(Protocol):
    """What a bridge also has whose jobs carry the number of their attempt."""

    def as_attempt(self, record: JobRecord, attempt: int) -> JobRecord:
        """Return a record of the same job that asks for another attempt, its earlier ones failed.

        Raises:
            CriterionError: when it cannot be known what a worker would send.
        """
        ...


class Bridge(Protocol):
    """Brings one job library into the harness.

    A bridge patches one seam of its library, reports every enqueue to a sink, and performs one
    record at a time through the library's real path. It never orders, counts or keeps records.
    """

    @property
    def name(self) -> str:
        """The name of the library."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """Which of eta, priority, headers, retry, discard, async, serialise, unique, cron, chains it has."""
        ...

    def install(self, sink: Sink, draw: Callable[[], float]) -> None:
        """Patch the seam.

        Args:
            sink: hears of every enqueue from now on.
            draw: where in its range of jitter a wait lies, from 0 up to 1.
        """
        ...

    def uninstall(self) -> None:
        """Restore exactly what `install` found, also after an exception."""
        ...

    def identify(self, job: object) -> str | None:
        """Return the name under which records of this job go; None when it is no job of this library."""
        ...

    def matcher(self, job: object) -> Callable[[JobRecord], bool]:
        """Return what says whether a record of the job's name is of that job, and not of a namesake."""
        ...

    def job_of(self, record: JobRecord) -> object:
        """Return the job of a record; its name when it is not known here."""
        ...

    def arguments_of(self, record: JobRecord) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Decode the arguments of a record anew."""
        ...

    def follow_ups(self, record: JobRecord) -> Collection[str]:
        """Return the names of the jobs that the library enqueues when a record has been performed."""
        ...

    def signature(self, job: object) -> Binder:
        """Return what binds arguments to the parameters of a job.

        Raises:
            DeclarationError: when the job has no body to take the parameters from.
        """
        ...

    def rank(self, priority: int | None) -> int:
        """Return a priority as a number of which the lower is performed first."""
        ...

    def is_coroutine(self, record: JobRecord) -> bool:
        """Say whether performing the record needs an event loop."""
        ...

    def enqueue(
        self, job: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Awaitable[object] | None:
        """Enqueue a job as an application would; return what is to be awaited, where the library does so."""
        ...

    def perform(
        self, record: JobRecord, *, now_ns: int, around: Around
    ) -> Delivery | Awaitable[Delivery]:
        """Make exactly one delivery through the library's real path.

        Args:
            record: what to perform.
            now_ns: the time of the harness's clock.
            around: called with the bound body, inside the library's retry wrapper. It returns what
                the body returns, which for a coroutine job is an awaitable, or raises.

        Returns:
            The delivery, or an awaitable of it when `is_coroutine` is true of the record. Errors of
            the job are in it; only what derives from BaseException alone may pass through.
        """
        ...

    def redeliver(self, record: JobRecord) -> JobRecord:
        """Report the same payload once more, as a broker does that never heard of the first delivery."""
        ...

    def sandbox(self, sink: Sink) -> AbstractContextManager[None]:
        """Use fresh broker state, a fresh store and another sink for a block, and drop them afterwards."""
        ...

    def delivery_semantics(self, job: object) -> DeliverySemantics:
        """Return what the library does with a job whose worker fails."""
        ...

    def retry_policy(self, job: object) -> RetryPolicy | None:
        """Return the declared retry schedule; None when only running the job can tell."""
        ...

    def resolve(self, job: object) -> Callable[..., Any]:
        """Return the body of a job."""
        ...

    def result_of(self, record: JobRecord) -> object:
        """Return what the library's result object would.

        Raises:
            NotPerformedError: when the job has not been performed; it never waits.
        """
        ...


@dataclass(frozen=True, slots=True)
class WrittenPayload:
    """A payload as plain values of JSON, in which nothing differs from run to run but the arguments."""

    #: From which the bridge makes a record again.
    data: Mapping[str, Any]
    #: The positional arguments as they are on the wire.
    args: Sequence[Any]
    #: The keyword arguments as they are on the wire.
    kwargs: Mapping[str, Any]


@runtime_checkable
class KeepsPayloads(Protocol):
    """What a bridge can do besides, whose library writes its payloads as text."""

    def written(self, record: JobRecord) -> WrittenPayload:
        """Return the payload of a record, without its id and its times.

        Raises:
            PayloadError: when its library did not write this one as text.
        """
        ...

    def record_from(self, data: Mapping[str, Any]) -> JobRecord:
        """Report what was written as enqueued just now.

        Raises:
            UnknownJobError: when the library cannot take in a job that it does not know.
            DeserializationError: when the data has another layout.
        """
        ...
