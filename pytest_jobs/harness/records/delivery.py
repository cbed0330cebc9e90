"""One attempt to perform a record."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, TypeAlias

from .instants import to_datetime, to_timedelta
from .record import JobRecord

_PACKAGE = str(Path(__file__).parents[2])


def own_traceback(error: BaseException) -> TracebackType | None:
    """Return the part of an error's traceback that lies below our last frame; all of it if there is none."""
    whole = error.__traceback__
    own, entry = whole, whole
    while entry is not None:
        if entry.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            own = entry.tb_next
        entry = entry.tb_next
    return whole if own is None else own


Status: TypeAlias = Literal[
    "performed",
    "retried",
    "discarded",
    "exhausted",
    "failed",
    "halted",
    "snoozed",
    "cancelled",
    "crashed",
]

#: Every status, in the order in which summaries name them.
STATUSES: Final[tuple[Status, ...]] = (
    "performed",
    "retried",
    "discarded",
    "exhausted",
    "failed",
    "halted",
    "snoozed",
    "cancelled",
    "crashed",
)

#: The job ended with an error and will not run again.
ENDED_IN_FAILURE: Final = frozenset(("failed", "exhausted"))


class Delivery:
    """What one attempt came to. Bridges make it; the ledger adds what was enqueued meanwhile.

    The harness also uses `at_ns` and `ended_ns`, the times as nanoseconds since the epoch.
    """

    __slots__ = (
        "_aftermath",
        "_bounds_ns",
        "_enqueued",
        "_error",
        "_handled",
        "_next",
        "_record",
        "_result",
        "_status",
        "_wait_ns",
        "at_ns",
        "ended_ns",
    )

    def __init__(
        self,
        record: JobRecord,
        at_ns: int,
        status: Status,
        result: object = None,
        error: BaseException | None = None,
        *,
        handled: bool = True,
        wait_ns: int | None = None,
        wait_bounds_ns: tuple[int, int] | None = None,
        aftermath: tuple[str, ...] = (),
    ) -> None:
        """Describe an attempt: for bridges.

        Args:
            record: what was performed.
            at_ns: when, in nanoseconds since the epoch.
            status: what it came to.
            result: what the job returned.
            error: what the job raised.
            handled: whether the job's own declarations dealt with the error, so that no worker
                would report it.
            wait_ns: nanoseconds until the next attempt.
            wait_bounds_ns: the shortest and longest that jitter could have made that wait.
            aftermath: the names of what ran because the job was given up, in order.
        """
        self._record = record
        self.at_ns = at_ns
        self.ended_ns = at_ns
        self._status: Status = status
        self._result = result
        self._error = error
        self._handled = handled
        self._wait_ns = wait_ns
        self._bounds_ns = wait_bounds_ns
        self._aftermath = aftermath
        self._next: JobRecord | None = None
        self._enqueued: tuple[JobRecord, ...] = ()

    def attach(self, next_attempt: JobRecord | None, enqueued: tuple[JobRecord, ...]) -> None:
        """Add what was enqueued meanwhile: for the ledger."""
        self._next, self._enqueued = next_attempt, enqueued

    @property
    def record(self) -> JobRecord:
        """What was performed."""
        return self._record

    @property
    def at(self) -> datetime:
        """When it began, by the harness's clock."""
        return to_datetime(self.at_ns)

    @property
    def ended_at(self) -> datetime:
        """When it ended, by the harness's clock, which its sleeps have moved."""
        return to_datetime(self.ended_ns)

    @property
    def status(self) -> Status:
        """What it came to."""
        return self._status

    @property
    def result(self) -> object:
        """What the job returned."""
        return self._result

    @property
    def error(self) -> BaseException | None:
        """What the job raised. Only the last few keep their traceback."""
        return self._error

    @property
    def handled(self) -> bool:
        """Whether the job's own declarations dealt with the error, so that no verb raises it."""
        return self._handled

    @property
    def wait(self) -> timedelta | None:
        """How long after this attempt the next one is due; None when there is none."""
        return None if self._wait_ns is None else to_timedelta(self._wait_ns)

    @property
    def wait_bounds(self) -> tuple[timedelta, timedelta] | None:
        """The shortest and longest that jitter could have made `wait`, where the library tells."""
        if self._bounds_ns is None:
            return None
        return to_timedelta(self._bounds_ns[0]), to_timedelta(self._bounds_ns[1])

    @property
    def aftermath(self) -> tuple[str, ...]:
        """The names of what ran because the job was given up, in order, what raised included.

        Of the core: the `then=` of the rule, then the `after_discard` methods. Empty for other libraries.
        """
        return self._aftermath

    @property
    def next(self) -> JobRecord | None:
        """The record of the next attempt."""
        return self._next

    @property
    def enqueued(self) -> tuple[JobRecord, ...]:
        """What the job enqueued while it ran, the next attempt not included."""
        return self._enqueued

    @property
    def raises(self) -> bool:
        """Whether a verb raises the error: the job ended in failure and nothing dealt with it."""
        return self._status in ENDED_IN_FAILURE and not self._handled

    def __repr__(self) -> str:
        from .texts import delivery_line

        return f"<{delivery_line(self)}>"
