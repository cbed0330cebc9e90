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
        #: The name by which `Serving` chooses among queues; empty when workers serve all queues alike.
        self.shelf = shelf
        self._plain: deque[JobRecord] = deque()
        self._due: list[tuple[int, int, int, JobRecord]] = []
        self._later: list[tuple[int, int, JobRecord]] = []

    def push(self, record: JobRecord) -> None:
        envelope = record.envelope
        due_ns = record.blocked_until_ns
        if due_ns is None:
            due_ns = envelope.due_ns
        plain = self._plain
        if due_ns is not None:
            # A test sees microseconds, and moves the clock to those that `due_at` says.
            heapq.heappush(self._later, (due_ns - due_ns % 1000, record.sequence, record))
        elif (
            envelope.priority is None
            and not self._due
            and (
                not plain
                or (
                    plain[-1].sequence < record.sequence
                    and plain[-1].envelope.enqueued_ns <= envelope.enqueued_ns
                )
            )
        ):
            plain.append(record)
        else:
            self._push_due(record)

    def peek(self, clock: VirtualClock, selection: Selection) -> tuple[int, int, int] | None:
        """Return the key of the first record that is due and selected; None when there is none.

        Records before it are taken out: the selection passes them over.
        """
        if self._later:
            now_ns = clock.now_ns()
            while self._later and self._later[0][0] <= now_ns:
                self._push_due(heapq.heappop(self._later)[2])
        while self._plain:
            record = self._plain[0]
            if record.state is PENDING and selection.admits(record):
                return 0, record.envelope.enqueued_ns, record.sequence
            self._plain.popleft()
            selection.pass_over(record)
        while self._due:
            record = self._due[0][3]
            if record.state is PENDING and selection.admits(record):
                return self._due[0][:3]
            heapq.heappop(self._due)
            selection.pass_over(record)
        return None

    def pop(self) -> JobRecord:
        """Take out the record that `peek` found."""
        return self._plain.popleft() if self._plain else heapq.heappop(self._due)[3]

    def next_due_ns(self, selection: Selection) -> int | None:
        """Return when the first selected record is due that is not due yet; None when there is none."""
        while self._later:
            due_ns, _, record = self._later[0]
            if record.state is PENDING and selection.admits(record):
                return due_ns
            heapq.heappop(self._later)
            selection.pass_over(record)
        return None

    def _push_due(self, record: JobRecord) -> None:
        # The plain queue knows no priorities, so its jobs move to where they are compared.
        for each in (*self._plain, record):
            envelope = each.envelope
            rank = each.source.rank(envelope.priority)
            due_ns = envelope.enqueued_ns if envelope.due_ns is None else envelope.due_ns
            heapq.heappush(self._due, (rank, due_ns, each.sequence, each))
        self._plain.clear()
