"""Several workers on the virtual clock: jobs that overlap by the time that they sleep."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Final

from ...errors import CriterionError, LoopLimitError, UnfinishedJobsError
from ..ledger.ledger import Ledger
from ..records.delivery import Delivery, Tally, own_traceback
from ..records.record import JobRecord, call_text
from ..time.clock import SleepingClock, VirtualClock
from ..time.waiting import comes_about
from .performer import Performer
from .verbs import LoopGuard, VerbCall

#: Seconds of real time after which a job that neither ends nor sleeps is taken to wait for one that sleeps.
_PATIENCE: Final = 30.0


class Worker:
    """One delivery, on a thread of its own that runs only when it is its turn."""

    def __init__(self, record: JobRecord, deliver: Callable[[JobRecord], Delivery]) -> None:
        self._record = record
        #: The delivery; None while it is being made, and when it raised.
        self.delivery: Delivery | None = None
        #: The error that was raised instead.
        self.error: BaseException | None = None
        self.ended = False
        #: When it goes on, in nanoseconds since the epoch; None when it does not sleep.
        self.wakes_ns: int | None = None
        self._deliver = deliver
        self._turn = threading.Semaphore(0)
        self._turn_ended = threading.Semaphore(0)
        context = contextvars.copy_context()
        #: Makes the delivery.
        self.thread = threading.Thread(target=context.run, args=(self._run,), daemon=True)

    def run_to_sleep(self) -> None:
        """Let it begin, or go on, until its next sleep or its end."""
        self.wakes_ns = None
        if self.thread.ident is None:
            self.thread.start()
        else:
            self._turn.release()
        if not comes_about(lambda seconds: self._turn_ended.acquire(timeout=seconds), _PATIENCE):
            raise UnfinishedJobsError(
                f"{call_text(self._record)} neither ended nor slept for {_PATIENCE:g} real seconds while others "
                "of the jobs slept, so it most likely waits for what one of them holds, such as a lock or an open "
                "transaction: drain with one worker, or let no job sleep while it holds something."
            )

    def sleep_until(self, ns: int) -> None:
        """Sleep, in its own thread, until it is woken."""
        self.wakes_ns = ns
        self._turn_ended.release()
        self._turn.acquire()

    def _run(self) -> None:
        try:
            self.delivery = self._deliver(self._record)
        except BaseException as error:
            self.error = error
        finally:
            self.ended = True
            self._turn_ended.release()


class Workers:
    """A number of deliveries at once. One at a time runs; the clock moves when all of them sleep."""

    def __init__(self, count: int, performer: Performer, ledger: Ledger) -> None:
        if type(count) is not int or count < 1:
            raise CriterionError(
                f"jobs.drain(workers={count!r}) is not a number of workers: write an int of at least 1."
            )
        self._count = count
        self._performer = performer
        self._clock = performer.clock
        self._ledger = ledger
        self._busy: list[Worker] = []

    def any_free(self) -> bool:
        return len(self._busy) < self._count

    def begin(self, record: JobRecord) -> Worker:
        """Let a free worker perform a record, up to its first sleep."""
        worker = Worker(record, self._deliver)
        self._busy.append(worker)
        return self._run(worker)

    def next_ns(self) -> int | None:
        return min((w.wakes_ns for w in self._busy if w.wakes_ns is not None), default=None)

    def wake(self) -> Worker | None:
        """Let the worker that wakes first go on, if its time has come."""
        now_ns = self._clock.now_ns()
        due = [w for w in self._busy if w.wakes_ns is not None and w.wakes_ns <= now_ns]
        return self._run(min(due, key=lambda each: each.wakes_ns or 0)) if due else None

    def _run(self, worker: Worker) -> Worker:
        with self._performer.sleeps.passing_time(self._sleep):
            worker.run_to_sleep()
        if worker.ended:
            self._busy.remove(worker)
        return worker

    def _deliver(self, record: JobRecord) -> Delivery:
        performer = self._performer.beside(_WorkerClock(self._clock, self._sleep))
        try:
            return performer.deliver(self._ledger, record)
        finally:
            performer.close()

    def _sleep(self, ns: int) -> None:
        thread = threading.get_ident()
        worker = next((each for each in self._busy if each.thread.ident == thread), None)
        if worker is None:
            self._clock.advance_ns(ns)
        else:
            worker.sleep_until(self._clock.now_ns() + ns)


class _WorkerClock(SleepingClock):
    """The clock for the event loop of a worker."""

    def __init__(self, clock: VirtualClock, sleep: Callable[[int], None]) -> None:
        super().__init__(clock)
        self.advance_ns = sleep


class OverlappingDrain:
    """Performs everything, several jobs at once; a job takes the time that it sleeps."""

    def __init__(self, call: VerbCall, workers: Workers, until_ns: int | None) -> None:
        """Prepare it.

        Args:
            call: the filters and bounds of the verb.
            workers: perform the jobs.
            until_ns: jobs that are due after this stay pending, in nanoseconds since the epoch.
        """
        self._call = call
        self._ledger = call.ledger
        self._workers = workers
        self._begun = 0
        self._until_ns = call.selection.until_ns = until_ns
        self._guard = LoopGuard(call.ledger, call.limit, "jobs.drain()")
        self._errors: list[BaseException] = []

    def run(self) -> Tally:
        """Perform the jobs.

        After an error no more jobs are begun; those that run go on to their end, and the error is raised.
        """
        clock = self._ledger.clock
        clock.freeze()
        try:
            while True:
                while (worker := self._workers.wake()) is not None:
                    self._count(worker)
                while (record := self._take()) is not None:
                    self._begun += 1
                    self._count(self._workers.begin(record))
                next_ns = self._next_ns()
                if next_ns is None:
                    break
                clock.reach_ns(next_ns)
            if self._errors:
                for other in self._errors[1:]:
                    self._errors[0].add_note(
                        f"Another job failed too: {type(other).__name__}: {other}"
                    )
                raise self._errors[0]
            self._call.check("drain", self._until_ns)
        finally:
            self._ledger.put_back(self._call.selection.passed_over())
        return self._call.tally

    def _may_begin(self) -> bool:
        most = self._call.at_most
        return (
            self._workers.any_free() and not self._errors and (most is None or self._begun < most)
        )

    def _take(self) -> JobRecord | None:
        record = self._ledger.take(self._call.selection) if self._may_begin() else None
        if record is not None:
            try:
                self._guard.check(record)
            except LoopLimitError as error:
                self._errors.append(error)
                return None
        return record

    def _count(self, worker: Worker) -> None:
        error, delivery = worker.error, worker.delivery
        if delivery is not None:
            self._call.tally.count(delivery)
            if self._call.raise_errors and delivery.raises and delivery.error is not None:
                error = delivery.error.with_traceback(own_traceback(delivery.error))
        if error is not None:
            self._errors.append(error)

    def _next_ns(self) -> int | None:
        due_ns = self._ledger.next_due_ns(self._call.selection) if self._may_begin() else None
        if due_ns is not None and self._until_ns is not None and due_ns > self._until_ns:
            due_ns = None
        return min((ns for ns in (due_ns, self._workers.next_ns()) if ns is not None), default=None)
