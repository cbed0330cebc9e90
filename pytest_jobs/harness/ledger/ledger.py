"""The one ordered store of enqueued jobs and their deliveries."""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from ...errors import NotPerformedError, RefusedEnqueueError, UnservedQueueError
from ..records.delivery import Delivery
from ..records.record import (
    FIRST,
    ITS_TURN,
    PENDING,
    REMOVED,
    TAKEN,
    JobRecord,
    Rollback,
    current_record,
)
from ..time.clock import VirtualClock
from .chosen import Beginning, Chosen
from .queues import Serving
from .selection import Selection

#: How many errors keep their traceback. A traceback holds frames, and so whatever their variables hold.
_TRACEBACKS_KEPT = 8

Listener: TypeAlias = Callable[[JobRecord], None]


class Ledger:
    """Numbers records, keeps them by job name, and knows which are pending.

    It is the sink of every bridge. A dead ledger ignores all reports, so that a delivery that
    was given up cannot write into the test.

    As a context manager it is the block in which one thread at a time changes it. A signal handler may
    enqueue while its own thread is in the middle of such a change. That thread would wait for itself, so
    the record is put off until the change has ended, and numbered then.
    """

    __slots__ = (
        "_by_name",
        "_dead",
        "_depth",
        "_ended",
        "_errors",
        "_first_enqueues",
        "_lock",
        "_put_off",
        "_queues",
        "_wakers",
        "_when_added",
        "clock",
        "deliveries",
        "events",
        "now_ns",
        "records",
        "refusals",
        "rolled_back",
        "sends",
        "serving",
    )

    def __init__(self, clock: VirtualClock, records: list[JobRecord] | None = None) -> None:
        self.clock = clock
        #: Returns the time in nanoseconds since the epoch: of the clock itself, since each enqueue asks.
        self.now_ns = clock.now_ns
        #: Every record, by sequence.
        self.records: list[JobRecord] = [] if records is None else records
        #: Every delivery, in the order in which they ended.
        self.deliveries: list[Delivery] = []
        #: Everything that happened, in order: a record when it was added and whenever a delivery of it
        #: began, a delivery when it ended, and a tuple of a record when that was withdrawn.
        self.events: list[JobRecord | Delivery | tuple[JobRecord]] = []
        self._by_name: dict[str, list[JobRecord]] = {}
        # Made when they are asked for: most ledgers belong to an explored history, whose views nobody reads.
        self._first_enqueues: Chosen[JobRecord] | None = None
        self._ended: dict[frozenset[str], Chosen[Delivery]] = {}
        #: By the name of the bridge; by that and the shelf where workers serve certain queues.
        self._queues: dict[str | tuple[str, str], PendingQueue] = {}
        self._errors: deque[BaseException] = deque()
        self._lock = threading.RLock()
        #: How many of these blocks the thread that changes the ledger is in.
        self._depth = 0
        self._put_off: deque[JobRecord] = deque()
        self._when_added: Listener | None = None
        self._wakers: list[Callable[[], object]] = []
        self._dead = False
        #: Why enqueues were refused that would have gone to a real queue. No assertion can say then that nothing
        #: was enqueued, since the application may have caught the error.
        self.refusals: list[str] = []
        #: What clients of message brokers have sent, which may be jobs that the project reads by itself.
        self.sends: list[str] = []
        #: The jobs that a rollback took back. They are among `records`, which their numbers count.
        self.rolled_back: list[JobRecord] = []
        #: The queues that workers serve; None when they serve all queues alike. Set by `serve`.
        self.serving: Serving | None = None

    def __enter__(self) -> None:
        self._lock.acquire()
        self._depth += 1

    def __exit__(self, *error: object) -> None:
        self._depth -= 1
        if self._depth or not self._put_off:
            self._lock.release()
            return
        added: list[JobRecord] = []
        try:
            # A handler may put a record off between any two steps, until the block has ended.
            while self._put_off:
                self._depth = 1
                while self._put_off:
                    record = self._put_off.popleft()
                    self._add(record)
                    added.append(record)
                self._depth = 0
        finally:
            self._depth = 0
            self._lock.release()
        for record in added:
            self._announce(record)

    # The sink of the bridges: see `Sink`

    def added(self, record: JobRecord) -> None:
        """Add a job that was enqueued, from whatever thread."""
        if self._dead:
            return
        current = current_record.get()
        if current is not None:
            is_same = record.job_id == current.job_id and record.source is current.source
            if record.origin is not FIRST and is_same:
                record.relate(current.parent, retry_of=current.sequence)
            else:
                record.relate(current.sequence)
        with self:
            if self._depth > 1:
                self._put_off.append(record)
                return
            self._add(record)
        self._announce(record)

    def added_together(self, records: Sequence[JobRecord]) -> None:
        """Add jobs that one command has enqueued."""
        for record in records:
            self.added(record)

    def _add(self, record: JobRecord) -> None:
        record.place(len(self.records))
        self.records.append(record)
        self.events.append(record)
        name = record.envelope.name
        try:
            self._by_name[name].append(record)
        except KeyError:
            self._by_name[name] = [record]
        self._push(record)

    def _announce(self, record: JobRecord) -> None:
        if self._wakers:
            for wake in tuple(self._wakers):
                wake()
        if self._when_added is not None:
            self._when_added(record)

    def removed(self, record: JobRecord, rollback: Rollback | None = None) -> None:
        # A job that was never added has no number: its delivery was killed at the enqueue.
        if self._dead or record.state is not PENDING or record.sequence < 0:
            return
        record.state = REMOVED
        self.events.append((record,))
        if rollback is not None:
            record.rollback = rollback
            self.rolled_back.append(record)
            self._by_name[record.name].remove(record)
            # It was chosen before.
            self._first_enqueues = None

    def unblocked(self, record: JobRecord) -> None:
        record.blocked_until_ns = None
        if not self._dead and record.state is PENDING:
            with self:
                self._push(record)
            if self._when_added is not None:
                self._when_added(record)

    def pending_with(self, bridge: object, job_id: str) -> JobRecord | None:
        # Two libraries may number their jobs alike.
        own = (record for record in self.pending() if record.source is bridge)
        return next((record for record in own if record.job_id == job_id), None)

    def refused(self, why: str) -> None:
        self.refusals.append(why)

    def sent(self, what: str) -> None:
        self.sends.append(what)

    def check_nothing_refused(self, claim: str) -> None:
        """Raise when an enqueue was refused, since the claim that there was none would be false then.

        Raises:
            RefusedEnqueueError: with the claim, and the first refusal.
        """
        if self.refusals:
            raise RefusedEnqueueError(
                f"{claim}, but an enqueue was refused before. {self.refusals[0]}"
            )

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

    # Reading

    def names(self) -> list[str]:
        return [*self._by_name]

    def named(self, name: str) -> list[JobRecord]:
        return self._by_name.get(name, [])

    def kept(self, since: int = 0) -> list[JobRecord]:
        """Return the records from a number on, without those that a rollback took back."""
        return [record for record in self.records[since:] if record.rollback is None]

    def first_enqueues(self) -> Beginning[JobRecord]:
        """Return the records that the application enqueued, without retries and redeliveries."""
        if self._first_enqueues is None:
            self._first_enqueues = Chosen(
                self.records, lambda record: record.origin is FIRST and record.rollback is None
            )
        return self._first_enqueues.now()

    def ended(self, statuses: frozenset[str]) -> Beginning[Delivery]:
        """Return the deliveries that ended with one of these statuses, in the order in which they ended."""
        if statuses not in self._ended:
            self._ended[statuses] = Chosen(
                self.deliveries, lambda delivery: delivery.status in statuses
            )
        return self._ended[statuses].now()

    def pending(self) -> Iterator[JobRecord]:
        """Return the records that wait to be performed, in the order of enqueueing."""
        return (record for record in self.records if record.state is PENDING)

    def has_due(self, selection: Selection) -> bool:
        with self:
            return any(q.peek(self.clock, selection) is not None for q in self._queues.values())

    def next_due_ns(self, selection: Selection) -> int | None:
        """Return when the next selected record is due that is not due yet; None when there is none."""
        first_ns = None
        with self:
            for queue in self._queues.values():
                due_ns = queue.next_due_ns(selection)
                if due_ns is not None and (first_ns is None or due_ns < first_ns):
                    first_ns = due_ns
        return first_ns

    def unserved(
        self, selection: Selection, verb: str, until_ns: int | None
    ) -> UnservedQueueError | None:
        """Return the error for jobs of a verb in queues that no worker serves; None when there are none.

        Args:
            selection: the filters of the verb.
            verb: the name of the verb in the message.
            until_ns: jobs that are due after this do not count; None for no end.
        """
        serving = self.serving
        if serving is None:
            return None
        left = [
            record
            for record in self.pending()
            if serving.shelf(record.queue) is None
            and (until_ns is None or (record.envelope.due_ns or 0) <= until_ns)
            and selection.admits(record)
        ]
        return serving.unserved(left, verb) if left else None

    # Taking and putting back

    def take(self, selection: Selection) -> JobRecord | None:
        """Take out the next record that is due and selected."""
        with self:
            due = []
            for queue in self._queues.values():
                key = queue.peek(self.clock, selection)
                if key is not None:
                    due.append((key, queue))
            if not due:
                return None
            if self.serving is not None:
                shelf = self.serving.choose({queue.shelf for _, queue in due})
                due = [(key, queue) for key, queue in due if queue.shelf == shelf]
            _, first = due[0]
            if len(due) > 1:
                # Priorities of different libraries mean different things; time means the same to all.
                _, first = min(due, key=lambda each: each[0][1:])
            record = first.pop()
            record.state = TAKEN
            return record

    def claim(self, record: JobRecord) -> None:
        """Take a record out of turn."""
        record.state = TAKEN

    def replace(self, record: JobRecord, other: JobRecord) -> None:
        """Take a pending record out for good; another that is performed at once takes its place."""
        other.relate(record.parent, retry_of=record.sequence)
        with self:
            record.state = other.state = TAKEN
            other.place(len(self.records))
            self.records.append(other)
            self._by_name[record.name].append(other)
            self.events.append(other)

    def put_back(self, records: list[JobRecord]) -> None:
        """Return records that were taken or passed over and not performed."""
        with self:
            for record in records:
                if record.state is not REMOVED:
                    record.state = PENDING
                    self._push(record)

    def serve(self, serving: Serving | None) -> None:
        """Let workers take jobs from certain queues from now on, in their order; None for all queues alike."""
        with self:
            self.serving = serving
            self._queues = {}
            for record in self.pending():
                self._push(record)

    def _push(self, record: JobRecord) -> None:
        key: str | tuple[str, str] = record.source.name
        shelf = ""
        if self.serving is not None:
            served = self.serving.shelf(record.queue)
            if served is None:
                return
            key, shelf = (record.source.name, served), served
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = PendingQueue(shelf)
        queue.push(record)

    # Deliveries

    def begin(self, record: JobRecord) -> int:
        """Note that a delivery begins, and return how many records there are."""
        if not self._dead:
            self.events.append(record)
        return len(self.records)

    def delivered(self, delivery: Delivery, records_before: int) -> None:
        """Record a delivery that has ended.

        Args:
            delivery: the delivery.
            records_before: how many records there were when it began.
        """
        if self._dead:
            return
        if len(self.records) > records_before:
            performed = delivery.record.sequence
            records = self.kept(records_before)
            delivery.attach(
                next((record for record in records if record.retry_of == performed), None),
                tuple(
                    record
                    for record in records
                    if record.parent == performed and record.retry_of != performed
                ),
            )
        self.deliveries.append(delivery)
        self.events.append(delivery)
        if delivery.error is not None:
            self._errors.append(delivery.error)
            if len(self._errors) > _TRACEBACKS_KEPT:
                oldest = self._errors.popleft()
                if all(oldest is not kept for kept in self._errors):
                    _drop_tracebacks(oldest)

    # Listeners

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

    def die(self) -> None:
        """Ignore everything from now on."""
        self._dead = True


class PendingQueue:
    """The jobs of one bridge that wait to be performed: ordered by priority, then due time, then sequence.

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
        elif due_ns == ITS_TURN:
            return
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
