"""A dead job of the core that is enqueued anew, by the rules for its lock and its place."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from ...core.batches.ends import has_derived_id
from ...core.foundation.payload import Payload
from ...errors import AmbiguousJobError, UnknownJobError
from ...harness.records.bridge import Sink
from ...harness.records.record import FIRST, REDELIVERY, RETRY, JobRecord, Origin

if TYPE_CHECKING:
    from ...core.locks.exclusion import Exclusion
    from .bridge import ReferenceBridge


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
    payload: Any = record.payload
    return payload  # type: ignore[no-any-return]


class Redriving:
    """The adapter for one payload that came in before; what else is enqueued with it goes to the real one."""

    __slots__ = ("_adapter", "_again", "_payload", "_record")

    def __init__(self, record: JobRecord, adapter: HarnessAdapter) -> None:
        """Begin.

        Args:
            record: with which the job came in first.
            adapter: takes what is enqueued.
        """
        self._record = record
        self._adapter = adapter
        # Its lock lasts from now on.
        self._payload = copy(payload_of(record))
        self._payload.enqueued_ns = adapter.now_ns()
        self._again: JobRecord | None = None

    def enqueued_by(self, exclusion: Exclusion) -> JobRecord | None:
        """Enqueue the payload; return None when another job keeps it out.

        Raises:
            StoreError: when the store cannot be reached; nothing was enqueued then.
        """
        dropped_for = exclusion.admit(self._payload, self)
        if dropped_for is not None:
            self._adapter.kept_out(self._payload, dropped_for)
        return self._again

    def now_ns(self) -> int:
        """Return the time of the harness's clock."""
        return self._adapter.now_ns()

    def enqueue(self, payload: Payload) -> None:
        """Report the payload."""
        if payload is self._payload:
            self._report(None)
        else:
            self._adapter.enqueue(payload)

    def block(self, payload: Payload, until_ns: int | None) -> None:
        """Report the payload of a job that waits for a place."""
        if payload is self._payload:
            self._report(until_ns)
        else:
            self._adapter.block(payload, until_ns)

    def unblock(self, job_id: str) -> None:
        """Report that a job has the place that it waited for."""
        self._adapter.unblock(job_id)

    def withdraw(self, job_id: str) -> Payload | None:
        """Take back what is pending of a job."""
        return self._adapter.withdraw(job_id)

    def _report(self, blocked_until_ns: int | None) -> None:
        first = self._record
        self._again = JobRecord(
            first.source, self._payload, first.payload, REDELIVERY, blocked_until_ns
        )
        self._adapter.sink.added(self._again)


def exclusion_of(payload: Payload) -> Exclusion | None:
    """Return what keeps the job of a payload apart; None where nothing does, or did when it was enqueued."""
    try:
        exclusion = payload.job.__declaration__.exclusion
    except (UnknownJobError, AmbiguousJobError):
        return None
    return exclusion if exclusion is not None and _carries_keys(payload, exclusion) else None


def _carries_keys(payload: Payload, exclusion: Exclusion) -> bool:
    # Not at the top: most programs have no job of this kind.
    from ...core.foundation.payload import LIMIT, UNIQUE

    keys = payload.headers or {}
    declared = ((UNIQUE, exclusion.unique), (LIMIT, exclusion.limit))
    return all(name in keys for name, rule in declared if rule is not None)
