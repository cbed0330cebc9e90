"""The one ordered store of what was enqueued and what came of it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from ...errors import NotPerformedError
from ..records.delivery import Delivery
from ..records.record import FIRST, PENDING, REMOVED, TAKEN, JobRecord, current_record
from ..time.clock import VirtualClock
from .pending import PendingQueue
from .selection import Selection

if TYPE_CHECKING:
    from .queues import Serving

#: How many errors keep their traceback, which holds frames and whatever is in them.
_TRACEBACKS_KEPT = 8

Listener: TypeAlias = Callable[[JobRecord], None]


class Ledger:
    """Numbers records, keeps them by job name, and knows which are pending.

    It is the sink of every bridge. A dead ledger ignores what it is told, so that a delivery that
    was given up cannot write into the test.
    """

    __slots__ = (
        "_by_name",
        "_dead",
        "_errors",
        "_lock",
        "_queues",
        "_wakers",
        "_when_added",
        "clock",
        "deliveries",
        "events",
        "gate",
        "records",
        "serving",
    )

    def __init__(self, clock: VirtualClock, records: list[JobRecord] | None = None) -> None:
        self.clock = clock
        #: Every record, by sequence.
        self.records: list[JobRecord] = [] if records is None else records
        #: Every delivery, in the order in which they ended.
        self.deliveries: list[Delivery] = []
        #: What happened, in order: each record when it was added and whenever a delivery of it began,
        #: each delivery when it ended, and a tuple around each record that was withdrawn.
        self.events: list[JobRecord | Delivery | tuple[JobRecord]] = []
        self._by_name: dict[str, list[JobRecord]] = {}
        #: By the name of the bridge, and the shelf where workers serve certain queues.
        self._queues: dict[str | tuple[str, str], PendingQueue] = {}
        self._errors: deque[BaseException] = deque()
        self._lock = threading.Lock()
        self._when_added: Listener | None = None
        self._wakers: list[Callable[[], object]] = []
        self._dead = False
        #: Called with each record before it is taken in; True keeps it out.
        self.gate: Callable[[JobRecord], bool] | None = None
        #: What the workers serve; None when they serve all queues alike. Set by `serve`.
        self.serving: Serving | None = None

    # The sink of the bridges

    def now_ns(self) -> int:
        """Return the time of the clock, in nanoseconds since the epoch."""
        return self.clock.now_ns()

    def added(self, record: JobRecord) -> None:
        """Take in a job that was enqueued, from whatever thread."""
        if self._dead or (self.gate is not None and self.gate(record)):
            return
        current = current_record.get()
        if current is not None:
            self._relate(record, current)
        name = record.envelope.name
        with self._lock:
            record.place(len(self.records))
            self.records.append(record)
            self.events.append(record)
            try:
                self._by_name[name].append(record)
            except KeyError:
                self._by_name[name] = [record]
            self._push(record)
        if self._wakers:
            self._wake()
        if self._when_added is not None:
            self._when_added(record)

    def removed(self, record: JobRecord) -> None:
        """Take note that a pending job was withdrawn."""
        if not self._dead and record.state is PENDING:
            record.state = REMOVED
            self.events.append((record,))

    def unblocked(self, record: JobRecord) -> None:
        """Take note that a blocked job has the place that it waited for."""
        record.blocked_until_ns = None
        if not self._dead and record.state is PENDING:
            with self._lock:
                self._push(record)
            if self._when_added is not None:
                self._when_added(record)

    def pending_with(self, job_id: str) -> JobRecord | None:
        """Return the oldest pending record with this id."""
        return next((record for record in self.pending() if record.job_id == job_id), None)

    def result_of(self, record: JobRecord) -> object:
        """Return what the last delivery of the job returned.

        Raises:
            NotPerformedError: when there was none.
            BaseException: what that delivery raised, unless the job's declarations dealt with it.
        """
        for delivery in reversed(self.deliveries):
            if delivery.record.job_id == record.job_id and delivery.record.source is record.source:
                if delivery.raises and delivery.error is not None:
                    raise delivery.error
                return delivery.result
        raise NotPerformedError(
            f"{record!r} has not been performed, so it has no result: drain first."
        )

    # The harness's side

    def listen(self, when_added: Listener | None) -> Listener | None:
        """Call a function with every record that is added from now on; return the one called before."""
        before, self._when_added = self._when_added, when_added
        return before

    @contextmanager
    def waking(self, wake: Callable[[], object]) -> Generator[None, None, None]:
        """Call a function whenever a record was added during a block, from whatever thread added it."""
        self._wakers.append(wake)
        try:
            yield
        finally:
            self._wakers.remove(wake)

    def named(self, name: str) -> list[JobRecord]:
        """Return every record of this name, in order."""
        return self._by_name.get(name, [])

    def first_enqueues(self) -> Iterator[JobRecord]:
        """Return what the application enqueued; retries and redeliveries are left out."""
        return (record for record in self.records if record.origin is FIRST)

    def pending(self) -> Iterator[JobRecord]:
        """Return what waits to be performed, in the order of enqueueing."""
        return (record for record in self.records if record.state is PENDING)

    def take(self, selection: Selection) -> JobRecord | None:
        """Take out the next record that is due and selected."""
        first: PendingQueue | None = None
        first_key: tuple[int, int, int] | None = None
        with self._lock:
            queues: Iterable[PendingQueue] = self._queues.values()
            if self.serving is not None:
                queues = self._on_next_shelf(self.serving, selection)
            for queue in queues:
                key = queue.peek(self.clock, selection)
                # Priorities of different libraries mean different things; time means the same to all.
                if key is not None and (first_key is None or key[1:] < first_key[1:]):
                    first, first_key = queue, key
            if first is None:
                return None
            record = first.pop()
            record.state = TAKEN
            return record

    def has_due(self, selection: Selection) -> bool:
        """Say whether a selected record is due."""
        with self._lock:
            return any(q.peek(self.clock, selection) is not None for q in self._queues.values())

    def next_due_ns(self, selection: Selection) -> int | None:
        """Return when the next selected record is due that is not due yet."""
        with self._lock:
            dues = (queue.next_due_ns(selection) for queue in self._queues.values())
            return min((due_ns for due_ns in dues if due_ns is not None), default=None)

    def serve(self, serving: Serving | None) -> None:
        """Let workers take from now on what they serve, in their order; None for all queues alike."""
        with self._lock:
            self.serving = serving
            self._queues = {}
            for record in self.pending():
                self._push(record)

    def unserved(self) -> Iterator[JobRecord]:
        """Return what is pending in queues that no worker serves."""
        serving = self.serving
        if serving is None:
            return iter(())
        return (record for record in self.pending() if serving.shelf(record.queue) is None)

    def claim(self, record: JobRecord) -> None:
        """Take a record out of turn."""
        record.state = TAKEN

    def stand_in(self, record: JobRecord, other: JobRecord) -> None:
        """Take a pending record out for good, and in its place one that is to be performed at once."""
        other.relate(record.parent, retry_of=record.sequence)
        with self._lock:
            record.state = other.state = TAKEN
            other.place(len(self.records))
            self.records.append(other)
            self._by_name[record.name].append(other)
            self.events.append(other)

    def put_back(self, records: list[JobRecord]) -> None:
        """Return records that were taken or held back and not performed."""
        with self._lock:
            for record in records:
                if record.state is not REMOVED:
                    record.state = PENDING
                    self._push(record)

    def begin(self, record: JobRecord) -> int:
        """Take note that a delivery begins, and return how many records there are."""
        if not self._dead:
            self.events.append(record)
        return len(self.records)

    def delivered(self, delivery: Delivery, records_before: int) -> None:
        """Record a delivery that has ended.

        Args:
            delivery: what it came to.
            records_before: how many records there were when it began.
        """
        if self._dead:
            return
        if len(self.records) > records_before:
            _attach(delivery, self.records[records_before:])
        self.deliveries.append(delivery)
        self.events.append(delivery)
        if delivery.error is not None:
            self._drop_old_tracebacks(delivery.error)

    def die(self) -> None:
        """Ignore everything from now on."""
        self._dead = True

    def _push(self, record: JobRecord) -> None:
        bridge = record.source.name
        if self.serving is not None:
            self._push_on_shelf(record, bridge, self.serving.shelf(record.queue))
            return
        queue = self._queues.get(bridge)
        if queue is None:
            queue = self._queues[bridge] = PendingQueue()
        queue.push(record)

    def _push_on_shelf(self, record: JobRecord, bridge: str, shelf: str | None) -> None:
        if shelf is None:
            return
        queue = self._queues.get((bridge, shelf))
        if queue is None:
            queue = self._queues[bridge, shelf] = PendingQueue(shelf)
        queue.push(record)

    def _on_next_shelf(self, serving: Serving, selection: Selection) -> list[PendingQueue]:
        due = [q for q in self._queues.values() if q.peek(self.clock, selection) is not None]
        shelves = {queue.shelf for queue in due}
        chosen = serving.choose([*shelves]) if shelves else None
        return [queue for queue in due if queue.shelf == chosen]

    def _wake(self) -> None:
        for wake in tuple(self._wakers):
            wake()

    def _relate(self, record: JobRecord, current: JobRecord) -> None:
        if record.origin is not FIRST and record.envelope.job_id == current.envelope.job_id:
            record.relate(current.parent, retry_of=current.sequence)
        else:
            record.relate(current.sequence)

    def _drop_old_tracebacks(self, error: BaseException) -> None:
        self._errors.append(error)
        if len(self._errors) > _TRACEBACKS_KEPT:
            oldest = self._errors.popleft()
            if all(oldest is not kept for kept in self._errors):
                _drop_tracebacks(oldest)


def _attach(delivery: Delivery, records: list[JobRecord]) -> None:
    performed = delivery.record.sequence
    delivery.attach(
        next((record for record in records if record.retry_of == performed), None),
        tuple(
            record
            for record in records
            if record.parent == performed and record.retry_of != performed
        ),
    )


def _drop_tracebacks(error: BaseException) -> None:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is not None and id(found) not in seen:
            seen.add(id(found))
            found.__traceback__ = None
            waiting += [found.__cause__, found.__context__]
            if isinstance(found, BaseExceptionGroup):
                waiting += found.exceptions
