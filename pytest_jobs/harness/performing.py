"""The verbs of a harness."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from ..core.foundation.waits import Seconds
from ..errors import CriterionError
from . import verbs
from .bounds import Bounds
from .delivery import Delivery
from .holding import Holding
from .inline import InlineBlock
from .instants import delta_ns, to_ns
from .overlapping import OverlappingDrain
from .performer import Performer
from .record import JobRecord
from .redelivering import Redelivering
from .selection import JobFilter, Selection, record_test
from .tally import Tally
from .tracebacks import own_traceback
from .verbs import DEFAULT_LIMIT, Plan
from .viewing import checked_record
from .workers import Workers

T = TypeVar("T")


class Performing(Redelivering):
    """Performs what was recorded. The verbs never recurse, and mean the same for every library."""

    def perform(self, record: JobRecord, *, attempt: int | None = None) -> Delivery:
        """Perform one pending job, due or not, and return what came of it. Errors of the job are in it.

        Args:
            record: which job.
            attempt: the number of the run, counted from 1, as which it is performed; None for the
                one that the record asks for. The attempts before it are taken to have failed.

        Raises:
            NotPerformedError: when the record is not pending, or held back.
            CriterionError: when the library cannot be told the number.
            RunningLoopError: for a coroutine job inside a running event loop.
        """
        return self._drive(
            "perform",
            self._plan_one(record, attempt),
            raise_errors=False,
        )

    async def aperform(self, record: JobRecord, *, attempt: int | None = None) -> Delivery:
        """Do the same on the running event loop."""
        return await self._adrive(
            "aperform",
            self._plan_one(record, attempt),
            raise_errors=False,
        )

    def perform_due(
        self,
        *,
        children: bool = True,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
        limit: int = DEFAULT_LIMIT,
        at_least: int = 0,
        at_most: int | None = None,
        raise_errors: bool = True,
    ) -> Tally:
        """Perform what is due; the clock stands still.

        Args:
            children: whether jobs that are enqueued meanwhile and are due are performed too.
            only: a job, several, or a callable that takes a record: no other is performed.
            exclude: the same, for what is not performed.
            queue: the name of a queue, or several.
            limit: how many jobs that are enqueued meanwhile are performed at most.
            at_least: how many deliveries there must be.
            at_most: after how many deliveries it stops; None for no end.
            raise_errors: whether a job that ends in failure raises its error here; the rest then
                stays pending.

        Raises:
            NothingMatchedError: when filters are given and match nothing.
            TooFewPerformedError: when there were fewer deliveries than `at_least`.
            LoopLimitError: when the limit is reached.
            VerbInsideJobError: when a job calls it.
        """
        return self._drive(
            "perform_due",
            self._plan_due(children, only, exclude, queue, limit, Bounds(at_least, at_most)),
            raise_errors=raise_errors,
        )

    async def aperform_due(
        self,
        *,
        children: bool = True,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
        limit: int = DEFAULT_LIMIT,
        at_least: int = 0,
        at_most: int | None = None,
        raise_errors: bool = True,
    ) -> Tally:
        """Do the same on the running event loop; see `perform_due`."""
        plan = self._plan_due(children, only, exclude, queue, limit, Bounds(at_least, at_most))
        return await self._adrive("aperform_due", plan, raise_errors=raise_errors)

    def drain(
        self,
        *,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
        limit: int = DEFAULT_LIMIT,
        at_least: int = 0,
        at_most: int | None = None,
        until: datetime | None = None,
        raise_errors: bool = True,
        workers: int | None = None,
    ) -> Tally:
        """Perform everything, children and retries included; the clock jumps to each due time.

        Args:
            only: a job, several, or a callable that takes a record: no other is performed.
            exclude: the same, for what is not performed.
            queue: the name of a queue, or several.
            limit: how many jobs that are enqueued meanwhile are performed at most.
            at_least: how many deliveries there must be.
            at_most: after how many deliveries it stops; None for no end.
            until: what is due after this aware datetime stays pending.
            raise_errors: whether a job that ends in failure raises its error here; the rest then
                stays pending, and the next drain goes on.
            workers: how many perform jobs at once, each on a thread of its own. A job takes the virtual time
                that it sleeps, and others go on meanwhile, one at a time. None for one after another, on
                the thread of the test.

        Raises:
            NothingMatchedError: when filters are given and match nothing.
            TooFewPerformedError: when there were fewer deliveries than `at_least`.
            LoopLimitError: when the limit is reached.
            VerbInsideJobError: when a job calls it.
        """
        bounds = Bounds(at_least, at_most)
        if workers is not None:
            self._check_outside_jobs("drain")
            drain = OverlappingDrain(
                self._ledger,
                Workers(workers, self._performer, self._sleeps, self._deliver_beside),
                self._selection(only, exclude, queue),
                bounds,
                until_ns=None if until is None else to_ns(until, "until"),
                limit=limit,
                raise_errors=raise_errors,
            )
            tally = drain.run()
            self._run_inline()
            return tally
        return self._drive(
            "drain",
            self._plan_drain(only, exclude, queue, limit, bounds, until),
            raise_errors=raise_errors,
        )

    async def adrain(
        self,
        *,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
        limit: int = DEFAULT_LIMIT,
        at_least: int = 0,
        at_most: int | None = None,
        until: datetime | None = None,
        raise_errors: bool = True,
        workers: int | None = None,
    ) -> Tally:
        """Do the same on the running event loop; see `drain`. It takes no `workers`, and says what does."""
        if workers is not None:
            raise CriterionError(_no_workers_on_the_loop(workers))
        plan = self._plan_drain(only, exclude, queue, limit, Bounds(at_least, at_most), until)
        return await self._adrive("adrain", plan, raise_errors=raise_errors)

    def run_for(
        self,
        delta: Seconds,
        *,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
        limit: int = DEFAULT_LIMIT,
        at_least: int = 0,
        at_most: int | None = None,
        raise_errors: bool = True,
    ) -> Tally:
        """Let time pass and perform what comes due in it; the clock ends `delta` later.

        What `jobs.recurring` brought in fires on the way.

        Args:
            delta: seconds or a timedelta.
            only: see `drain`, as for the others.
            exclude: what is not performed.
            queue: the name of a queue, or several.
            limit: how many jobs that are enqueued meanwhile are performed at most.
            at_least: how many deliveries there must be.
            at_most: after how many deliveries it stops; None for no end.
            raise_errors: whether a job that ends in failure raises its error here.

        Returns:
            How many deliveries came to what. A firing whose job was kept out made none.

        Raises:
            WaitError: when the delta is negative or none.
            TooFewPerformedError: when there were fewer deliveries than `at_least`.
        """
        plan = self._plan_run_for(delta, only, exclude, queue, limit, Bounds(at_least, at_most))
        return self._drive("run_for", plan, raise_errors=raise_errors)

    async def arun_for(
        self,
        delta: Seconds,
        *,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
        limit: int = DEFAULT_LIMIT,
        at_least: int = 0,
        at_most: int | None = None,
        raise_errors: bool = True,
    ) -> Tally:
        """Do the same on the running event loop; see `run_for`."""
        plan = self._plan_run_for(delta, only, exclude, queue, limit, Bounds(at_least, at_most))
        return await self._adrive("arun_for", plan, raise_errors=raise_errors)

    def inline(
        self,
        *,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
    ) -> InlineBlock:
        """Perform each due job as soon as the one running has ended, for a `with` block.

        What is pending before the block stays so, as does what is due later. The error of a job is
        raised at the end of the block. In an async test write `async with`, which also waits for
        coroutine jobs.
        """
        return InlineBlock(self._make_inline(only, exclude, queue), self._put_in_force)

    def holding(self, held: JobFilter) -> Holding:
        """Keep some jobs pending, whatever verb is called, until they are released.

        Args:
            held: a job, several, or a callable that takes a record.

        Returns:
            The holding, which ends with its `with` block, its `release()`, or the test.

        Raises:
            CriterionError: when something named is no job.
        """
        test = record_test(held, self._targets, "held")
        return Holding(test, repr(held), self._holdings, self._run_inline)

    def _selection(
        self, only: JobFilter | None, exclude: JobFilter | None, queue: str | Iterable[str] | None
    ) -> Selection:
        return Selection(self._targets, only, exclude, queue, holdings=self._holdings)

    def _plan_one(self, record: JobRecord, attempt: int | None) -> Plan[Delivery]:
        checked = checked_record(record, "perform")
        return verbs.perform_one(self._ledger, checked, attempt, self._holdings)

    def _plan_due(
        self,
        children: bool,
        only: JobFilter | None,
        exclude: JobFilter | None,
        queue: str | Iterable[str] | None,
        limit: int,
        bounds: Bounds,
    ) -> Plan[Tally]:
        selection = self._selection(only, exclude, queue)
        return verbs.perform_due(self._ledger, selection, bounds, children=children, limit=limit)

    def _plan_drain(
        self,
        only: JobFilter | None,
        exclude: JobFilter | None,
        queue: str | Iterable[str] | None,
        limit: int,
        bounds: Bounds,
        until: datetime | None,
    ) -> Plan[Tally]:
        selection = self._selection(only, exclude, queue)
        until_ns = None if until is None else to_ns(until, "until")
        return verbs.drain(
            self._ledger, self._clock, selection, bounds, until_ns=until_ns, limit=limit
        )

    def _plan_run_for(
        self,
        delta: Seconds,
        only: JobFilter | None,
        exclude: JobFilter | None,
        queue: str | Iterable[str] | None,
        limit: int,
        bounds: Bounds,
    ) -> Plan[Tally]:
        selection = self._selection(only, exclude, queue)
        wait_ns = delta_ns(delta, "delta")
        return verbs.run_for(
            self._ledger,
            self._clock,
            selection,
            bounds,
            self._recurring,
            delta_ns=wait_ns,
            limit=limit,
        )

    def _deliver_beside(self, performer: Performer, record: JobRecord) -> Delivery:
        return performer.deliver(self._ledger, record)

    def _drive(self, verb: str, plan: Plan[T], *, raise_errors: bool) -> T:
        self._check_outside_jobs(verb)

        def deliver(record: JobRecord) -> Delivery:
            return _raised(self._performer.deliver(self._ledger, record), raise_errors)

        result = verbs.drive(plan, deliver)
        self._run_inline()
        return result

    async def _adrive(self, verb: str, plan: Plan[T], *, raise_errors: bool) -> T:
        self._check_outside_jobs(verb)

        async def deliver(record: JobRecord) -> Delivery:
            return _raised(await self._performer.adeliver(self._ledger, record), raise_errors)

        result = await verbs.adrive(plan, deliver)
        self._run_inline()
        if self._inline is not None:
            await self._inline.settle()
        return result


def _raised(delivery: Delivery, raise_errors: bool) -> Delivery:
    error = delivery._error
    if raise_errors and error is not None and delivery.raises:
        raise error.with_traceback(own_traceback(error))
    return delivery


def _no_workers_on_the_loop(workers: int) -> str:
    return (
        f"await jobs.adrain(workers={workers!r}) cannot be: on the event loop of the test jobs sleep in real "
        "time, and workers take the virtual time that jobs sleep. Write `await asyncio.to_thread(jobs.drain, "
        f"workers={workers!r})`, which performs coroutine jobs on loops of their own."
    )
