"""The adapter of the core while a harness is open."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from ...core.batches.ends import has_derived_id
from ...core.foundation.payload import LIMIT, UNIQUE, Payload
from ...errors import AmbiguousJobError, UnknownJobError
from ..toolkit import FIRST, REDELIVERY, RETRY, Bridge, JobRecord, Origin, Sink

if TYPE_CHECKING:
    from ...core.locks.exclusion import Exclusion


class HarnessAdapter:
    """Where the core's jobs go while a harness is open."""

    __slots__ = ("bridge", "derived", "dropped", "sink")

    def __init__(self, bridge: Bridge, sink: Sink) -> None:
        self.bridge = bridge
        self.sink = sink
        #: The ids of the jobs that have the same one whenever they are enqueued.
        self.derived: set[str] = set()
        #: The jobs that a lock or limit dropped, each with the id of the job that has it.
        self.dropped: list[tuple[JobRecord, str]] = []

    def now_ns(self) -> int:
        """Return the time of the harness's clock."""
        return self.sink.now_ns()

    def enqueue(self, payload: Payload) -> None:
        """Report the payload."""
        if payload.headers is None:
            # Most payloads: neither locks nor batches have anything to do with them.
            origin: Origin = FIRST if payload.attempt == 1 else RETRY
            self.sink.added(JobRecord(self.bridge, payload, payload, origin))
        else:
            self.add(payload, None)

    def block(self, payload: Payload, until_ns: int | None) -> None:
        """Report the payload of a job that waits for a place."""
        self.add(payload, until_ns)

    def kept_out(self, payload: Payload, dropped_for: str) -> None:
        """Keep a job that was dropped for another one, for `jobs.kept_out`."""
        self.dropped.append((JobRecord(self.bridge, payload, payload, FIRST), dropped_for))

    def add(self, payload: Payload, blocked_until_ns: int | None) -> None:
        """Report a payload with headers, blocked or not."""
        origin: Origin = FIRST if payload.is_first else RETRY
        derived = has_derived_id(payload.headers)
        if derived and origin is FIRST and payload.job_id in self.derived:
            origin = REDELIVERY
        record = JobRecord(self.bridge, payload, payload, origin, blocked_until_ns)
        try:
            self.sink.added(record)
        finally:
            # The worker may die, or lose the answer, after the job was recorded.
            if derived and record.sequence >= 0:
                self.derived.add(payload.job_id)

    def unblock(self, job_id: str) -> None:
        """Report that a blocked job got a place."""
        record = self.sink.pending_with(self.bridge, job_id)
        if record is not None:
            payload_of(record).due_ns = None
            self.sink.unblocked(record)

    def withdraw(self, job_id: str) -> Payload | None:
        """Take back the pending record of a job."""
        record = self.sink.pending_with(self.bridge, job_id)
        if record is None:
            return None
        self.sink.removed(record)
        return payload_of(record)


class Redriving(HarnessAdapter):
    """The adapter while a dead job is enqueued anew, by the rules for its lock and its place."""

    __slots__ = ("_again", "_payload", "_record")

    def __init__(self, record: JobRecord, adapter: HarnessAdapter) -> None:
        """Begin.

        Args:
            record: the first record of the job.
            adapter: reports other jobs, which may be enqueued meanwhile.
        """
        super().__init__(adapter.bridge, adapter.sink)
        self.derived, self.dropped = adapter.derived, adapter.dropped
        self._record = record
        # A copy, whose lock lasts from now on.
        self._payload = copy(payload_of(record))
        self._payload.enqueued_ns = self.now_ns()
        self._again: JobRecord | None = None

    def enqueued_by(self, exclusion: Exclusion) -> JobRecord | None:
        """Enqueue the payload; return None when another job keeps it out.

        Raises:
            StoreError: when the store cannot be reached; nothing was enqueued then.
        """
        dropped_for = exclusion.admit(self._payload, self)
        if dropped_for is not None:
            self.kept_out(self._payload, dropped_for)
        return self._again

    def add(self, payload: Payload, blocked_until_ns: int | None) -> None:
        """Report the payload as a redelivery, and other payloads as usual."""
        if payload is not self._payload:
            super().add(payload, blocked_until_ns)
            return
        first = self._record
        self._again = JobRecord(first.source, payload, first.payload, REDELIVERY, blocked_until_ns)
        self.sink.added(self._again)


def payload_of(record: JobRecord) -> Payload:
    """Return the payload behind a record of the core."""
    payload: Any = record.payload
    return payload  # type: ignore[no-any-return]


def exclusion_of(payload: Payload) -> Exclusion | None:
    """Return the lock or limit of a payload's job; None without one, or when it had none at its enqueue."""
    try:
        exclusion = payload.job.__declaration__.exclusion
    except (UnknownJobError, AmbiguousJobError):
        return None
    if exclusion is None:
        return None
    keys = payload.headers or {}
    declared = ((UNIQUE, exclusion.unique), (LIMIT, exclusion.limit))
    carries_keys = all(name in keys for name, rule in declared if rule is not None)
    return exclusion if carries_keys else None
