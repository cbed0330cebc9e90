"""The jobs of one bridge that wait to be performed, in the order in which they will be."""

from __future__ import annotations

import heapq
from collections import deque

from ..records.record import PENDING, JobRecord
from ..time.clock import VirtualClock
from .selection import Selection


class PendingQueue:
    """Orders by priority, then due time, then sequence.

    Jobs without priority that are due at once, which is nearly all of them, stay in a plain queue
    until something makes an order necessary.
    """

    __slots__ = ("_due", "_later", "_plain", "shelf")

    def __init__(self, shelf: str = "") -> None:
        #: What workers choose it by; empty when they serve all queues alike.
        self.shelf = shelf
        self._plain: deque[JobRecord] = deque()
        self._due: list[tuple[int, int, int, JobRecord]] = []
        self._later: list[tuple[int, int, JobRecord]] = []

    def push(self, record: JobRecord) -> None:
        """Take in a record."""
        envelope = record.envelope
        due_ns = envelope.due_ns
        if record.blocked_until_ns is not None:
            due_ns = record.blocked_until_ns
        if due_ns is not None:
            # A test sees microseconds, and moves the clock to those that `due_at` says.
            heapq.heappush(self._later, (due_ns - due_ns % 1000, record.sequence, record))
        elif envelope.priority is None and not self._due and self._goes_last(record):
            self._plain.append(record)
        else:
            self._push_due(record)

    def peek(self, clock: VirtualClock, selection: Selection) -> tuple[int, int, int] | None:
        """Return the key of the first record that is due and selected; None when there is none.

        What stands before it and is not selected moves into the selection's keeping.
        """
        if self._later:
            self._ripen(clock.now_ns())
        while self._plain:
            record = self._plain[0]
            if record.state is PENDING and selection.admits(record):
                return 0, record.envelope.enqueued_ns, record.sequence
            self._plain.popleft()
            selection.keep(record)
        while self._due:
            record = self._due[0][3]
            if record.state is PENDING and selection.admits(record):
                return self._due[0][:3]
            heapq.heappop(self._due)
            selection.keep(record)
        return None

    def pop(self) -> JobRecord:
        """Take out the record that `peek` found."""
        return self._plain.popleft() if self._plain else heapq.heappop(self._due)[3]

    def next_due_ns(self, selection: Selection) -> int | None:
        """Return when the first selected record that is not due yet will be."""
        while self._later:
            due_ns, _, record = self._later[0]
            if record.state is PENDING and selection.admits(record):
                return due_ns
            heapq.heappop(self._later)
            selection.keep(record)
        return None

    def _goes_last(self, record: JobRecord) -> bool:
        if not self._plain:
            return True
        last = self._plain[-1]
        return (
            last.sequence < record.sequence
            and last.envelope.enqueued_ns <= record.envelope.enqueued_ns
        )

    def _push_due(self, record: JobRecord) -> None:
        while self._plain:
            self._push_key(self._plain.popleft())
        self._push_key(record)

    def _push_key(self, record: JobRecord) -> None:
        envelope = record.envelope
        rank = record.source.rank(envelope.priority)
        due_ns = envelope.enqueued_ns if envelope.due_ns is None else envelope.due_ns
        heapq.heappush(self._due, (rank, due_ns, record.sequence, record))

    def _ripen(self, now_ns: int) -> None:
        while self._later and self._later[0][0] <= now_ns:
            self._push_due(heapq.heappop(self._later)[2])
