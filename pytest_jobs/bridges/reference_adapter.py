"""Where the core's jobs go while a harness is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.arguments.payload import Payload
from ..core.batches.ends import has_derived_id
from ..harness.records.bridge import Sink
from ..harness.records.record import FIRST, REDELIVERY, RETRY, JobRecord, Origin

if TYPE_CHECKING:
    from .reference import ReferenceBridge


class HarnessAdapter:
    """Where the core's jobs go while a harness is open."""

    __slots__ = ("_bridge", "derived", "dropped", "sink")

    def __init__(self, bridge: ReferenceBridge, sink: Sink) -> None:
        self._bridge = bridge
        self.sink = sink
        #: The ids of the jobs that have the same one whenever they are enqueued.
        self.derived: set[str] = set()
        #: What was dropped for other jobs, each with the id of that.
        self.dropped: list[tuple[JobRecord, str]] = []

    def now_ns(self) -> int:
        """Return the time of the harness's clock."""
        return self.sink.now_ns()

    def enqueue(self, payload: Payload) -> None:
        """Report the payload."""
        if payload.headers is None:
            origin: Origin = FIRST if payload.attempt == 1 else RETRY
            self.sink.added(JobRecord(self._bridge, payload, payload, origin))
        else:
            self._add(payload, None)

    def block(self, payload: Payload, until_ns: int | None) -> None:
        """Report the payload of a job that waits for a place."""
        self._add(payload, until_ns)

    def kept_out(self, payload: Payload, dropped_for: str) -> None:
        """Keep what was dropped for another job, for the test to see."""
        self.dropped.append((JobRecord(self._bridge, payload, payload, FIRST), dropped_for))

    def _add(self, payload: Payload, blocked_until_ns: int | None) -> None:
        origin: Origin = FIRST if payload.is_first else RETRY
        derived = has_derived_id(payload.headers)
        if derived and origin is FIRST and payload.job_id in self.derived:
            origin = REDELIVERY
        record = JobRecord(self._bridge, payload, payload, origin, blocked_until_ns)
        try:
            self.sink.added(record)
        finally:
            # Its answer may be lost, and the worker may die, when it was taken in.
            if derived and record.sequence >= 0:
                self.derived.add(payload.job_id)

    def unblock(self, job_id: str) -> None:
        """Report that a job has the place that it waited for."""
        record = self.sink.pending_with(job_id)
        if record is not None:
            payload_of(record).due_ns = None
            self.sink.unblocked(record)

    def withdraw(self, job_id: str) -> Payload | None:
        """Take back what is pending of a job."""
        record = self.sink.pending_with(job_id)
        if record is None:
            return None
        self.sink.removed(record)
        return payload_of(record)


def payload_of(record: JobRecord) -> Payload:
    """Return the payload behind a record of the core."""
    payload: Any = record._payload
    return payload  # type: ignore[no-any-return]
