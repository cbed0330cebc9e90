"""Draining by several workers: what is begun, what goes on, and when the clock moves."""

from __future__ import annotations

from ..errors import LoopLimitError
from .bounds import Bounds
from .delivery import Delivery
from .ledger import Ledger
from .record import JobRecord
from .selection import Selection
from .serving import check_served
from .tally import Tally
from .tracebacks import own_traceback
from .verbs import LoopGuard, check_done
from .workers import Worker, Workers


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
