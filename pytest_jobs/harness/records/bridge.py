"""The contract between the harness and a job library."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, Protocol, TypeAlias, overload, runtime_checkable

from ...core.foundation.protocols import Held
from .delivery import Delivery
from .record import JobRecord, Rollback, Source

#: Called with the bound body of a job, and calls it or raises an error instead.
Around: TypeAlias = Callable[[Callable[[], Any]], Any]

#: Jobs that begin one after the other, by name; a list instead of a name holds those that begin
#: together, each with what comes after it.
Steps: TypeAlias = "tuple[str | list[Steps], ...]"


class Sink(Protocol):
    """Where a bridge reports what its library does: the ledger."""

    def now_ns(self) -> int:
        """Return the time of the harness's clock, in nanoseconds since the epoch."""
        ...

    def added(self, record: JobRecord) -> None:
        """Record a job that was enqueued."""
        ...

    def added_together(self, records: Sequence[JobRecord]) -> None:
        """Record jobs that one command has enqueued, such as a pipeline: all of them, or none."""
        ...

    def removed(self, record: JobRecord, rollback: Rollback | None = None) -> None:
        """Note that a pending job was withdrawn and will not be performed.

        Args:
            record: the job.
            rollback: what has taken its row back, so that it was never enqueued; None for one that was.
        """
        ...

    def unblocked(self, record: JobRecord) -> None:
        """Note that a blocked job has got the place it waited for."""
        ...

    def refused(self, why: str) -> None:
        """Note that an enqueue was refused, so that no assertion says afterwards that there was none."""
        ...

    def pending_with(self, bridge: object, job_id: str) -> JobRecord | None:
        """Return the oldest pending record of a bridge with this id, for a library that withdraws it."""
        ...

    def result_of(self, record: JobRecord) -> object:
        """Return what the last delivery of the job returned, or raise what it raised."""
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


#: What was begun is not begun again, whatever becomes of it.
AT_MOST_ONCE: Final = DeliverySemantics(
    acknowledged="before",
    redelivered_on_raise=False,
    redelivered_on_kill=False,
    redelivered_on_outage=False,
)
#: What was begun is begun again when its worker is gone.
AT_LEAST_ONCE: Final = DeliverySemantics(
    acknowledged="after",
    redelivered_on_raise=False,
    redelivered_on_kill=True,
    redelivered_on_outage=True,
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A retry schedule that can be read off a declaration."""

    #: How many runs at most, the first included; None for no limit.
    attempts: int | None
    #: Returns the wait before attempt n + 1, n counted from 1, without jitter.
    wait: Callable[[int], timedelta]


class Bridge(Source, Protocol):
    """Brings one job library into the harness.

    A bridge patches one seam of its library, reports every enqueue to a sink, and performs one
    record at a time through the library's real path. It never orders, counts or keeps records.
    """

    def install(self, sink: Sink, draw: Callable[[], float]) -> None:
        """Patch the seam.

        Args:
            sink: receives every enqueue from now on.
            draw: where in its range of jitter a wait lies, from 0 up to 1.
        """
        ...

    def uninstall(self) -> None:
        """Restore exactly what `install` found, also after an exception."""
        ...

    def identify(self, job: object) -> str | None:
        """Return the name of this job's records; None when it is not a job of this library."""
        ...

    def matcher(self, job: object) -> Callable[[JobRecord], bool]:
        """Return a function that says whether a record with the job's name is of that very job."""
        ...

    def enqueue(
        self, job: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Awaitable[object] | None:
        """Enqueue a job as an application would.

        Returns:
            An awaitable that enqueues it, where the library is asynchronous; otherwise None.
        """
        ...

    def perform(
        self, record: JobRecord, *, now_ns: int, around: Around
    ) -> Delivery | Awaitable[Delivery]:
        """Make exactly one delivery through the library's real path.

        Args:
            record: the job to perform.
            now_ns: the time of the harness's clock.
            around: called with the bound body, inside the library's retry wrapper. It returns what
                the body returns, which for a coroutine job is an awaitable, or raises.

        Returns:
            The delivery, or an awaitable of it when `is_coroutine` is true of the record. Errors of
            the job are in it; only what derives from BaseException alone may pass through.
        """
        ...

    def sandbox(self, sink: Sink) -> AbstractContextManager[None]:
        """Use fresh broker state, a fresh store and another sink for a block, and drop them afterwards."""
        ...

    def delivery_semantics(self, job: object) -> DeliverySemantics:
        """Return what the library does with a job whose worker fails."""
        ...

    def retry_policy(self, job: object) -> RetryPolicy | None:
        """Return the declared retry schedule; None when only running the job can show it."""
        ...


class HoldsLocks(Protocol):
    """Further methods of a bridge with the capability `unique`."""

    def locks(self, now_ns: int) -> Sequence[Held]:
        """Return the locks and places that jobs of the library hold."""
        ...

    def kept_out(self) -> Sequence[tuple[JobRecord, str]]:
        """Return (record, id of the holder) for each job that was dropped because of a lock or limit."""
        ...

    def redrive(self, record: JobRecord) -> JobRecord | None:
        """Enqueue a dead job anew, like any other job; None when a lock or limit keeps it out."""
        ...


@runtime_checkable
class Canvas(Protocol):
    """Further methods of a bridge whose library knows, when a job is enqueued, what comes after it."""

    def steps_after(self, record: JobRecord) -> Steps:
        """Return the jobs that the library enqueues after a record has been performed, in order."""
        ...

    def batch_of(self, record: JobRecord) -> str | None:
        """Return the id that a record shares with those enqueued together with it; None for a single one."""
        ...


@runtime_checkable
class TakesFunctions(Protocol):
    """Further method of a bridge whose library takes any function of a module as a job.

    Its `identify` knows the functions that were enqueued, and those that the library has marked. All others are
    its jobs only where nothing but a job can be meant, as in an assertion.
    """

    def adopt(self, job: object) -> str | None:
        """Return the name that a function has as a job, or that is given; None when no worker could import it."""
        ...


@runtime_checkable
class RefusesByItsError(Protocol):
    """Further method of a bridge whose library has an error of its own for a server that cannot be reached."""

    def refusal(self, why: str) -> Exception:
        """Return the error that an application gets when it enqueues a job, with its text."""
        ...


#: When the scheduler of a library enqueues something, what does so, and what `FiresTasks` says may follow.
Due: TypeAlias = "tuple[int, Callable[[], object], *tuple[object, ...]]"


@runtime_checkable
class FiresTasks(Protocol):
    """Further method of a bridge with the capability `cron`: its library has schedules of its own."""

    def firings_between(self, after_ns: int, until_ns: int) -> Iterable[Due]:
        """Yield what the scheduler of the library enqueues after an instant and up to another, in any order.

        `run_for` asks when it begins.

        Returns:
            Pairs of a time and a function. Called at that time, it enqueues the job as the scheduler does. Where
            nobody has named or used the application in this harness, it is the third item, and what else is known
            of the task follows, such as its function: it fires only in a test to which one of these belongs.
        """
        ...


@runtime_checkable
class NamesSenders(Protocol):
    """Further method of a bridge whose tasks may belong to another application than the test expects."""

    def taken_over(self, record: JobRecord) -> str:
        """Say which application sent a job in the place of the one of the project; "" if that one did."""
        ...


@runtime_checkable
class BodiesAsk(Protocol):
    """Further methods of a bridge whose library retries what a body asks for: by `self.retry` or `raise Retry`."""

    def asks_for_retries(self, job: object) -> str:
        """Return the name by which the body of a job asks for a retry itself; empty if it never does."""
        ...

    def is_asking(self, error: type[BaseException]) -> bool:
        """Say whether an error of a class asks for a retry."""
        ...


@runtime_checkable
class CountsAttempts(Protocol):
    """Further method of a bridge whose jobs carry the number of their attempt."""

    def as_attempt(self, record: JobRecord, attempt: int) -> JobRecord:
        """Return a record of the same job that asks for another attempt, as if its earlier ones had failed.

        Raises:
            CriterionError: when it cannot be known what a worker would send.
        """
        ...


class Bridges(Sequence[Bridge]):
    """The bridges of one harness. A library that is imported while the harness is open adds its own."""

    def __init__(self, bridges: Iterable[Bridge]) -> None:
        self._bridges = list(bridges)
        #: The sandboxes that are open, the innermost last.
        self._sandboxes: list[tuple[ExitStack, Sink]] = []

    @overload
    def __getitem__(self, index: int) -> Bridge: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Bridge]: ...
    def __getitem__(self, index: int | slice) -> Bridge | Sequence[Bridge]:
        return self._bridges[index]

    def __len__(self) -> int:
        return len(self._bridges)

    def __iter__(self) -> Iterator[Bridge]:
        # That of `Sequence` takes three times as long, and every harness iterates several times.
        return iter(self._bridges)

    def __reversed__(self) -> Iterator[Bridge]:
        return reversed(self._bridges)

    def add(self, bridge: Bridge) -> None:
        """Add an installed bridge, which takes part in the sandboxes that are open."""
        self._bridges.append(bridge)
        for stack, sink in self._sandboxes:
            stack.enter_context(bridge.sandbox(sink))

    @contextmanager
    def sandboxed(self, sink: Sink, others: Iterable[Bridge] = ()) -> Generator[None, None, None]:
        """Let every bridge, and some that are not of these, report to another sink for a block."""
        with ExitStack() as stack:
            for bridge in (*self._bridges, *others):
                stack.enter_context(bridge.sandbox(sink))
            self._sandboxes.append((stack, sink))
            try:
                yield
            finally:
                self._sandboxes.remove((stack, sink))
