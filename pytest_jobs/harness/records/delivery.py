"""One attempt to perform a record, and the tally of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, TypeAlias, get_args

from ...errors import CriterionError
from .instants import to_datetime, to_timedelta
from .record import JobRecord, call_text
from .texts import duration, error_text

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
STATUSES: Final[tuple[Status, ...]] = get_args(Status)

#: The job ended with an error and will not run again.
ENDED_IN_FAILURE: Final = frozenset(("failed", "exhausted"))


class Delivery:
    """One attempt and how it ended. The bridge makes it; the ledger adds what the job enqueued.

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
            record: the record that was performed.
            at_ns: the time at which it began, in nanoseconds since the epoch.
            status: how it ended.
            result: the value that the job returned.
            error: the error that the job raised.
            handled: whether the job's own declarations dealt with the error, so that no worker
                would report it.
            wait_ns: nanoseconds until the next attempt.
            wait_bounds_ns: the shortest and longest that jitter could have made that wait.
            aftermath: the names of the functions that ran because the job was given up, in order.
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
        """Add the records that the job enqueued while it ran: for the ledger."""
        self._next, self._enqueued = next_attempt, enqueued

    @property
    def record(self) -> JobRecord:
        """The record that was performed."""
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
        """How it ended."""
        return self._status

    @property
    def result(self) -> object:
        """The value that the job returned."""
        return self._result

    @property
    def error(self) -> BaseException | None:
        """The error that the job raised. Only the last few errors keep their traceback."""
        return self._error

    @property
    def handled(self) -> bool:
        """Whether the job's own declarations dealt with the error, so that no verb raises it."""
        return self._handled

    @property
    def wait(self) -> timedelta | None:
        """The time from this attempt until the next one is due; None when there is no next attempt."""
        return None if self._wait_ns is None else to_timedelta(self._wait_ns)

    @property
    def wait_bounds(self) -> tuple[timedelta, timedelta] | None:
        """The shortest and longest that jitter could have made `wait`; None when the library gives none."""
        if self._bounds_ns is None:
            return None
        return to_timedelta(self._bounds_ns[0]), to_timedelta(self._bounds_ns[1])

    @property
    def aftermath(self) -> tuple[str, ...]:
        """The names of the functions that ran because the job was given up, in order, failed ones included.

        For the core: the `then=` of the rule, then the `after_discard` methods. Empty for other libraries.
        """
        return self._aftermath

    @property
    def next(self) -> JobRecord | None:
        """The record of the next attempt."""
        return self._next

    @property
    def enqueued(self) -> tuple[JobRecord, ...]:
        """The records that the job enqueued while it ran, without the next attempt."""
        return self._enqueued

    @property
    def raises(self) -> bool:
        """Whether a verb raises the error: the job ended in failure and nothing dealt with it."""
        return self._status in ENDED_IN_FAILURE and not self._handled

    def __repr__(self) -> str:
        return f"<{delivery_line(self)}>"


def delivery_line(delivery: Delivery) -> str:
    """Return a delivery in one line: `#3 Pay(7) retried again in 3s: Timeout: no answer`."""
    line = f"#{delivery.record.sequence} {call_text(delivery.record)} {delivery.status}"
    if delivery.wait is not None:
        line += f" again in {duration(delivery.wait)}"
    if delivery.error is not None:
        line += f": {error_text(delivery.error)}"
    return line


class Tally(Mapping[str, int]):
    """The deliveries of one verb, counted by how they ended: `tally["performed"]`, `tally.total`."""

    __slots__ = ("_counts", "_deliveries")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._deliveries: list[Delivery] = []

    def count(self, delivery: Delivery) -> None:
        """Count a delivery."""
        self._deliveries.append(delivery)
        status = delivery.status
        self._counts[status] = self._counts.get(status, 0) + 1

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The deliveries, in order."""
        return tuple(self._deliveries)

    @property
    def total(self) -> int:
        """How many deliveries there were."""
        return len(self._deliveries)

    def __getitem__(self, status: str) -> int:
        """Return how many ended with this status.

        Raises:
            KeyError: when there is no such status.
        """
        if status not in STATUSES:
            raise KeyError(f"{status!r} is not a status: {', '.join(STATUSES)}")
        return self._counts.get(status, 0)

    def __contains__(self, status: object) -> bool:
        return status in self._counts

    def __iter__(self) -> Iterator[str]:
        return (status for status in STATUSES if status in self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __eq__(self, other: object) -> bool:
        """Compare with another mapping from a status to a number.

        Raises:
            CriterionError: when it is compared with a number, which does not say what is counted.
        """
        if isinstance(other, int):
            raise CriterionError(
                f"{self!r} is not a number: compare its total, or its count of one status, as in "
                f"jobs.drain().total == {other} and jobs.drain()['performed'] == {other}."
            )
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {status}" for status, count in self.items())
        return f"<Tally {counts or 'nothing performed'}>"


_PACKAGE = str(Path(__file__).parents[2])


def own_traceback(error: BaseException) -> TracebackType | None:
    """Return the part of an error's traceback below the last frame of this package; all of it without one."""
    whole = error.__traceback__
    own, entry = whole, whole
    while entry is not None:
        if entry.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            own = entry.tb_next
        entry = entry.tb_next
    return whole if own is None else own
