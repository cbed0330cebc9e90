"""Several workers on the virtual clock: jobs that overlap by the time that they sleep."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...errors import CriterionError, LoopLimitError, UnfinishedJobsError
from ..ledger.ledger import Ledger
from ..ledger.queues import check_served
from ..ledger.selection import Selection
from ..records.delivery import Delivery, Tally, own_traceback
from ..records.record import JobRecord, call_text
from ..time.clock import VirtualClock
from ..time.waiting import comes_about
from .verbs import Bounds, LoopGuard, check_done

if TYPE_CHECKING:
    from ..time.sleeps import SleepPatch
    from .performer import Performer


Deliver = Callable[["Performer", JobRecord], Delivery]

#: Seconds of real time after which a job that neither ends nor sleeps is taken to wait for one that sleeps.
_PATIENCE: Final = 30.0


class Worker:
    """One delivery, on a thread of its own that goes on only when it is its turn."""

    def __init__(self, record: JobRecord, deliver: Callable[[Worker], Delivery]) -> None:
        self.record = record
        #: What came of it; None while it is being made, and when it raised.
        self.delivery: Delivery | None = None
        #: What was raised instead.
        self.error: BaseException | None = None
        self.ended = False
        #: When it goes on, in nanoseconds since the epoch; None when it does not sleep.
        self.wakes_ns: int | None = None
        self._deliver = deliver
        self._turn = threading.Semaphore(0)
        self._given_back = threading.Semaphore(0)
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), daemon=True)

    def begin(self) -> None:
        """Make the delivery, up to its first sleep."""
        self._thread.start()
        self._wait()

    def go_on(self) -> None:
        """Wake it, and let it go on up to its next sleep."""
        self.wakes_ns = None
        self._turn.release()
        self._wait()

    def sleep_until(self, ns: int) -> None:
        """Sleep, in its own thread, until it is woken."""
        self.wakes_ns = ns
        self._given_back.release()
        self._turn.acquire()

    def is_on(self, thread: int) -> bool:
        """Say whether it runs on a thread."""
        return self._thread.ident == thread

    def _wait(self) -> None:
        if not comes_about(lambda seconds: self._given_back.acquire(timeout=seconds), _PATIENCE):
            raise UnfinishedJobsError(
                f"{call_text(self.record)} neither ended nor slept for {_PATIENCE:g} real seconds while others of "
                "the jobs slept, so it most likely waits for what one of them holds, such as a lock or an open "
                "transaction: drain with one worker, or let no job sleep while it holds something."
            )

    def _run(self) -> None:
        try:
            self.delivery = self._deliver(self)
        except BaseException as error:
            self.error = error
        finally:
            self.ended = True
            self._given_back.release()


class Workers:
    """So many deliveries at once. One at a time goes on; the clock moves when all sleep."""

    def __init__(
        self,
        count: int,
        performer: Performer,
        sleeps: SleepPatch,
        deliver: Deliver,
    ) -> None:
        if type(count) is not int or count < 1:
            raise CriterionError(
                f"jobs.drain(workers={count!r}) is no number of workers: write an int of at least 1."
            )
        if performer.adversary is not None:
            raise CriterionError(
                f"jobs.drain(workers={count}) makes deliveries that overlap, which --jobs-twice and --jobs-crash "
                "cannot attack: mark the test @pytest.mark.jobs(idempotent=False)."
            )
        self._count = count
        self._performer = performer
        self._clock = performer.clock
        self._sleeps = sleeps
        self._deliver = deliver
        self._busy: list[Worker] = []

    @property
    def any_free(self) -> bool:
        """Whether a worker has nothing to do."""
        return len(self._busy) < self._count

    def begin(self, record: JobRecord) -> Worker:
        """Let a free worker perform a record, up to its first sleep."""
        worker = Worker(record, self._make)
        self._busy.append(worker)
        with self._sleeps.passing_time(self._sleep):
            worker.begin()
        return self._back(worker)

    def next_ns(self) -> int | None:
        """Return when the next worker wakes."""
        return min((w.wakes_ns for w in self._busy if w.wakes_ns is not None), default=None)

    def wake(self) -> Worker | None:
        """Let the worker go on that is to wake first, if its time has come."""
        now_ns = self._clock.now_ns()
        due = [w for w in self._busy if w.wakes_ns is not None and w.wakes_ns <= now_ns]
        if not due:
            return None
        worker = min(due, key=lambda each: each.wakes_ns or 0)
        with self._sleeps.passing_time(self._sleep):
            worker.go_on()
        return self._back(worker)

    def _back(self, worker: Worker) -> Worker:
        if worker.ended:
            self._busy.remove(worker)
        return worker

    def _make(self, worker: Worker) -> Delivery:
        performer = self._performer.beside(_WorkerClock(self._clock, self._sleep))
        try:
            return self._deliver(performer, worker.record)
        finally:
            performer.close()

    def _sleep(self, ns: int) -> None:
        thread = threading.get_ident()
        worker = next((each for each in self._busy if each.is_on(thread)), None)
        if worker is None:
            self._clock.advance_ns(ns)
        else:
            worker.sleep_until(self._clock.now_ns() + ns)


class _WorkerClock:
    """The clock to the event loop of a worker, which sleeps where another would move it."""

    def __init__(self, clock: VirtualClock, sleep: Callable[[int], None]) -> None:
        self._clock = clock
        self.advance_ns = sleep

    @property
    def suspended(self) -> bool:
        """Whether a `real_time` block is open."""
        return self._clock.suspended

    @property
    def travelled_ns(self) -> int:
        """How far the clock was moved in all."""
        return self._clock.travelled_ns

    @travelled_ns.setter
    def travelled_ns(self, ns: int) -> None:
        self._clock.travelled_ns = ns


class OverlappingDrain:
    """Performs everything, several jobs at once; a job takes the time that it sleeps."""

    def __init__(
        self,
        ledger: Ledger,
        workers: Workers,
        selection: Selection,
        bounds: Bounds,
        *,
        until_ns: int | None,
        limit: int,
        raise_errors: bool,
    ) -> None:
        """Prepare it.

        Args:
            ledger: has the records.
            workers: perform them.
            selection: the filters of the verb.
            bounds: how many deliveries there are to be.
            until_ns: what is due after this stays pending, in nanoseconds since the epoch.
            limit: how many jobs that come up meanwhile are performed at most.
            raise_errors: whether a job that ends in failure raises its error.
        """
        self._ledger = ledger
        self._workers = workers
        self._selection = selection
        self._bounds = bounds
        self._begun = 0
        self._until_ns = selection.until_ns = until_ns
        self._loop = LoopGuard(ledger, limit, "jobs.drain()")
        self._raise_errors = raise_errors
        self._tally = Tally()
        self._errors: list[BaseException] = []

    def run(self) -> Tally:
        """Carry it out.

        After an error nothing more is begun; what was begun goes on to its end, and the error is raised.
        """
        self._ledger.clock.freeze()
        try:
            while True:
                self._go_on()
                next_ns = self._next_ns()
                if next_ns is None:
                    break
                self._ledger.clock.reach_ns(next_ns)
            self._raise_first()
            if not self._bounds.reached_by(self._tally):
                check_served(self._ledger, self._selection, "jobs.drain()", self._until_ns)
            check_done(self._tally, "drain", self._ledger, self._selection, self._bounds, "")
        finally:
            self._ledger.put_back(self._selection.held())
        return self._tally

    def _go_on(self) -> None:
        while (worker := self._workers.wake()) is not None:
            self._settle(worker)
        while (record := self._take()) is not None:
            self._begun += 1
            self._settle(self._workers.begin(record))

    def _take(self) -> JobRecord | None:
        record = self._ledger.take(self._selection) if self._may_begin else None
        if record is not None:
            try:
                self._loop.check(record)
            except LoopLimitError as error:
                self._errors.append(error)
                return None
        return record

    @property
    def _may_begin(self) -> bool:
        return (
            self._workers.any_free and not self._errors and not self._bounds.reached_at(self._begun)
        )

    def _settle(self, worker: Worker) -> None:
        error = worker.error
        if worker.delivery is not None:
            self._tally.count(worker.delivery)
            error = self._raised_by(worker.delivery)
        if error is not None:
            self._errors.append(error)

    def _raised_by(self, delivery: Delivery) -> BaseException | None:
        if self._raise_errors and delivery.raises and delivery.error is not None:
            return delivery.error.with_traceback(own_traceback(delivery.error))
        return None

    def _next_ns(self) -> int | None:
        due_ns = self._ledger.next_due_ns(self._selection) if self._may_begin else None
        if due_ns is not None and self._until_ns is not None and due_ns > self._until_ns:
            due_ns = None
        return min((ns for ns in (due_ns, self._workers.next_ns()) if ns is not None), default=None)

    def _raise_first(self) -> None:
        if self._errors:
            for other in self._errors[1:]:
                self._errors[0].add_note(f"Another job failed too: {type(other).__name__}: {other}")
            raise self._errors[0]
