"""One enqueued job, as the harness keeps it, and how it is written in one line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from ...core.enqueueing.context import described
from ...core.foundation.protocols import CommitWait
from ...core.foundation.registry import nearest_name
from ...core.foundation.signature import Binder
from .instants import to_datetime, to_timedelta
from .texts import duration, listed, short_name

Origin: TypeAlias = Literal["enqueue", "retry", "redelivery"]
State: TypeAlias = Literal["pending", "taken", "removed"]

FIRST: Final = "enqueue"
RETRY: Final = "retry"
REDELIVERY: Final = "redelivery"

PENDING: Final = "pending"
TAKEN: Final = "taken"
REMOVED: Final = "removed"

#: `blocked_until_ns` of a job that waits until its library says that it is its turn, however long that takes.
ITS_TURN: Final = -1


class Envelope(Protocol):
    """What a bridge knows of a job without reading its arguments. Times are nanoseconds."""

    @property
    def name(self) -> str:
        """The name of the job in its library."""
        ...

    @property
    def job_id(self) -> str:
        """The id, the same over retries and redeliveries."""
        ...

    @property
    def queue(self) -> str | None:
        """The name of the queue."""
        ...

    @property
    def priority(self) -> int | None:
        """The priority, in the library's own sense."""
        ...

    @property
    def headers(self) -> Mapping[str, object] | None:
        """The headers that travel beside the arguments."""
        ...

    @property
    def attempt(self) -> int:
        """The number of the run that this record asks for, counted from 1."""
        ...

    @property
    def enqueued_ns(self) -> int:
        """When it was enqueued."""
        ...

    @property
    def due_ns(self) -> int | None:
        """When it is due; None for at once."""
        ...

    @property
    def expires_ns(self) -> int | None:
        """When it is not worth performing any more; None for never."""
        ...


class Source(Protocol):
    """The part of a bridge that answers questions about one record; `Bridge` has the other part.

    A record refers to its bridge, and a bridge to records and deliveries. This part needs nothing but
    records, so that it can be defined below the bridge.
    """

    @property
    def name(self) -> str:
        """The name of the library."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """Which of eta, priority, headers, retry, discard, async, serialise, unique, cron, chains it has."""
        ...

    def job_of(self, record: JobRecord) -> object:
        """Return the job of a record; its name when the job is not known here."""
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

    def resolve(self, job: object) -> Callable[..., Any]:
        """Return the body of a job."""
        ...

    def rank(self, priority: int | None) -> int:
        """Return a priority as a number; the lowest number is performed first."""
        ...

    def is_coroutine(self, record: JobRecord) -> bool:
        """Return whether performing the record needs an event loop."""
        ...

    def redeliver(self, record: JobRecord) -> JobRecord:
        """Report the same payload once more, as a broker does that lost the acknowledgement."""
        ...

    def result_of(self, record: JobRecord) -> object:
        """Return what the library's result object would.

        Raises:
            NotPerformedError: when the job has not been performed; it never waits.
        """
        ...


@runtime_checkable
class KnowsNames(Protocol):
    """Further method of a bridge that can list the jobs of its library."""

    def known_names(self) -> Collection[str]:
        """Return the names of the jobs that are known here."""
        ...


class Rollback(NamedTuple):
    """What took a job back that was a row in the database of the application."""

    #: The name of the database.
    using: str
    #: The file and line that enqueued the job.
    enqueued_by: str


class JobRecord:
    """One enqueued job, identified by its `sequence`. Tests read its properties.

    The harness and its bridges also use `source` (the bridge that brought the job in), `envelope`, `origin`,
    `state`, `seen` (whether a test has looked at it), `blocked_until_ns`, `commit` (what waits for the end of the
    transaction in which it is a row) and `rollback` (what took it back, so that it was never enqueued). These are
    plain slots, since they are read for every job in every pass.
    """

    __slots__ = (
        "_arguments",
        "_parent",
        "_payload",
        "_retry_of",
        "_sequence",
        "blocked_until_ns",
        "commit",
        "envelope",
        "origin",
        "rollback",
        "seen",
        "source",
        "state",
    )

    def __init__(
        self,
        bridge: Source,
        envelope: Envelope,
        payload: object,
        origin: Origin = FIRST,
        blocked_until_ns: int | None = None,
    ) -> None:
        """Describe a job to the ledger, which numbers it: for bridges.

        Args:
            bridge: the bridge that brings the job in.
            envelope: the name, queue and times of the job.
            payload: the message that the library made, which a redelivery delivers again.
            origin: whether the application enqueued the job, or a retry or a redelivery did.
            blocked_until_ns: the time, in nanoseconds since the epoch, at which a job that waits for a place
                of its concurrency limit asks again; ITS_TURN for a job that never asks; None when it has a place,
                or needs none.
        """
        self.blocked_until_ns = blocked_until_ns
        self.source = bridge
        self.envelope = envelope
        self._payload = payload
        self.origin: Origin = origin
        self._arguments: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        self._parent: int | None = None
        self._retry_of: int | None = None
        self._sequence = -1
        self.state: State = PENDING
        self.seen = False
        self.commit: CommitWait | None = None
        self.rollback: Rollback | None = None

    def place(self, sequence: int) -> None:
        """Number the record in the order of enqueueing: for the ledger."""
        self._sequence = sequence

    def relate(self, parent: int | None, retry_of: int | None = None) -> None:
        """Say which job enqueued this one, and which record it retries: for the ledger."""
        self._parent, self._retry_of = parent, retry_of

    @property
    def sequence(self) -> int:
        """The place in the order of enqueueing, over all bridges, counted from 0."""
        return self._sequence

    @property
    def bridge(self) -> str:
        """The name of the bridge that brought the job in."""
        return self.source.name

    @property
    def job_id(self) -> str:
        """The library's id. A retry and a redelivery keep it and get a sequence of their own."""
        return self.envelope.job_id

    @property
    def job(self) -> object:
        """The job class, function or task; its name when it is not known here."""
        return self.source.job_of(self)

    @property
    def name(self) -> str:
        """The name of the job in its library."""
        return self.envelope.name

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments after the library's own round trip.

        Raises:
            DeserializationError: when the payload cannot be read.
        """
        return self.arguments()[0]

    @property
    def kwargs(self) -> dict[str, Any]:
        """The keyword arguments after the library's own round trip."""
        return self.arguments()[1]

    @property
    def params(self) -> dict[str, Any]:
        """The arguments by parameter name, however they were passed, defaults filled in.

        Raises:
            TypeError: when the arguments do not fit the job as it is now.
        """
        args, kwargs = self.arguments()
        return self.source.signature(self.job).named(args, kwargs)

    @property
    def queue(self) -> str | None:
        """The name of the queue."""
        return self.envelope.queue

    @property
    def priority(self) -> int | None:
        """The priority, in the library's own sense."""
        return self.envelope.priority

    @property
    def headers(self) -> Mapping[str, object]:
        """The headers that travel beside the arguments."""
        return self.envelope.headers or {}

    @property
    def enqueued_at(self) -> datetime:
        """When it was enqueued, by the harness's clock."""
        return to_datetime(self.envelope.enqueued_ns)

    @property
    def due_at(self) -> datetime | None:
        """When it is due; None for at once."""
        due_ns = self.envelope.due_ns
        return None if due_ns is None else to_datetime(due_ns)

    @property
    def wait(self) -> timedelta | None:
        """The time between enqueueing and the due time; None for at once."""
        due_ns = self.envelope.due_ns
        return None if due_ns is None else to_timedelta(due_ns - self.envelope.enqueued_ns)

    @property
    def blocked_until(self) -> datetime | None:
        """When a job that waits for a place of its limit asks again at the latest; None for all others."""
        until_ns = self.blocked_until_ns
        return None if until_ns is None or until_ns == ITS_TURN else to_datetime(until_ns)

    @property
    def expires_at(self) -> datetime | None:
        """When it is not worth performing any more; None for never."""
        expires_ns = self.envelope.expires_ns
        return None if expires_ns is None else to_datetime(expires_ns)

    @property
    def attempt(self) -> int:
        """The number of the run that this record asks for, counted from 1."""
        return self.envelope.attempt

    @property
    def retry_of(self) -> int | None:
        """The sequence of the record whose failure this retries."""
        return self._retry_of

    @property
    def parent(self) -> int | None:
        """The sequence of the job that enqueued it."""
        return self._parent

    @property
    def payload(self) -> object:
        """The message that the library made, which a redelivery delivers again."""
        return self._payload

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return `args` and `kwargs`, decoded once and kept.

        Raises:
            DeserializationError: when the payload cannot be read.
        """
        if self._arguments is None:
            self._arguments = self.source.arguments_of(self)
        return self._arguments

    def __repr__(self) -> str:
        return f"<{record_line(self)}>"


#: The job that is being performed in this context: the parent of what is enqueued here.
current_record: ContextVar[JobRecord | None] = ContextVar(
    "pytest_jobs_current_record", default=None
)


def call_text(record: JobRecord) -> str:
    """Return a record as the call that it stands for: `Pay(7)`."""
    return f"{short_name(record.name)}({arguments_text(record)})"


def arguments_text(record: JobRecord) -> str:
    """Return the arguments of a record as they would be written in a call."""
    try:
        positional, named = record.arguments()
    except Exception as error:
        return f"unreadable: {type(error).__name__}"
    return listed(positional, named)


def unknown_text(record: JobRecord) -> str:
    """Return that a job is not known here, with the nearest name; empty for a job that is known.

    An application may send a job to another service by its name, so this is no error.
    """
    try:
        if not isinstance(record.job, str):
            return ""
    except Exception:  # Two jobs have the name, say, which is said when it is performed.
        return ""
    source = record.source
    names = source.known_names() if isinstance(source, KnowsNames) else ()
    near = nearest_name(record.name, names)
    return f"not known here, nearest: {near}" if near else "not known here"


def is_readable(record: JobRecord) -> bool:
    try:
        record.arguments()
    except Exception:
        return False
    return True


def record_line(record: JobRecord) -> str:
    """Return a record in one line: `#3 Pay(7) queue='payments' wait=5m`."""
    line = f"#{record.sequence} {call_text(record)} queue={record.queue!r}"
    if record.wait is not None:
        line += f" wait={duration(record.wait)}"
    if record.attempt > 1:
        line += f" attempt={record.attempt}"
    if unknown := unknown_text(record):
        line += f" ({unknown})"
    # Only the core carries current attributes in its headers.
    context = described(record.envelope.headers) if record.bridge == "core" else ""
    return f"{line} context={context}" if context else line
