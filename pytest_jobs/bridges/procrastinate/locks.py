"""The order that a lock gives its jobs."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from procrastinate.schema import SchemaManager

from ...harness.records.record import ITS_TURN, PENDING
from ..toolkit import JobRecord

_BY_PRIORITY: Final = "other_jobs.priority" in SchemaManager.get_schema()


class Locked:
    """The jobs with one lock. A worker takes the first of them alone, even if that waits for its time or retry.

    So says the function of the schema that fetches a job: none is taken while one of its lock runs, or is to do
    and has a higher priority or a lower id. Up to Procrastinate 3.2 the id alone counts.
    """

    __slots__ = ("_first", "_records", "_running", "_unblock", "_waiting")

    def __init__(self, unblock: Callable[[JobRecord], None]) -> None:
        self._unblock = unblock
        #: The jobs that are to do by their ids, the last record of each.
        self._records: dict[int, JobRecord] = {}
        #: Priority, the highest first, and id of these and of others that have gone.
        self._waiting: list[tuple[int, int]] = []
        self._running: set[int] = set()
        #: The job that is not blocked.
        self._first: JobRecord | None = None

    def join(self, record: JobRecord) -> None:
        """Add a job that is about to be reported."""
        job_id = int(record.job_id)
        self._records[job_id] = record
        priority = (record.envelope.priority or 0) if _BY_PRIORITY else 0
        heapq.heappush(self._waiting, (-priority, job_id))
        if self._next() is record:
            self._block_first()
            self._first = record
        else:
            record.blocked_until_ns = ITS_TURN

    def begin(self, job_id: int) -> None:
        """Note that a worker has taken a job."""
        self._running.add(job_id)
        self._go_on()

    def end(self, job_id: int) -> None:
        """Note that a job runs no longer."""
        self._running.discard(job_id)
        self._go_on()

    def leave(self, job_id: int) -> None:
        """Note that a job is not to do any more."""
        self._records.pop(job_id, None)
        self.end(job_id)

    def _go_on(self) -> None:
        following = self._next()
        if following is self._first:
            return
        self._block_first()
        self._first = following
        if following is not None:
            self._unblock(following)

    def _next(self) -> JobRecord | None:
        while self._waiting:
            record = self._records.get(self._waiting[0][1])
            if record is not None and record.state is PENDING:
                return None if self._running else record
            heapq.heappop(self._waiting)
        return None

    def _block_first(self) -> None:
        if self._first is not None:
            self._first.blocked_until_ns = ITS_TURN
