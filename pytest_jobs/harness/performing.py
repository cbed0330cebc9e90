"""The verbs of a harness."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from ..core.waits import Seconds
from . import verbs
from .delivery import Delivery
from .inline import InlineBlock
from .instants import delta_ns, to_ns
from .overlapping import OverlappingDrain
from .performer import Performer
from .record import JobRecord
from .selection import JobFilter, Selection
from .tally import Tally
from .tracebacks import own_traceback
from .verbs import DEFAULT_LIMIT, Plan
from .viewing import Viewing, checked_record
from .workers import Workers

T = TypeVar("T")


class Performing(Viewing):
    """Performs what was recorded. The verbs never recurse, and mean the same for every library."""

    def perform(self, record: JobRecord) -> Delivery:
        """Perform one pending job, due or not, and return what came of it. Errors of the job are in it.

        Raises:
            NotPerformedError: when the record is not pending.
            RunningLoopError: for a coroutine job inside a running event loop.
        """
        __tracebackhide__ = True
        return self._drive(
            "perform",
            verbs.perform_one(self._ledger, checked_record(record, "perform")),
            raise_errors=False,
        )

    async def aperform(self, record: JobRecord) -> Delivery:
        """Do the same on the running event loop."""
        return await self._adrive(
            "aperform",
            verbs.perform_one(self._ledger, checked_record(record, "perform")),
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
        raise_errors: bool = True,
    ) -> Tally:
        """Perform what is due; the clock stands still.

        Args:
            children: whether jobs that are enqueued meanwhile and are due are performed too.
            only: a job, several, or a callable that takes a record: no other is performed.
            exclude: the same, for what is not performed.
            queue: the name of a queue, or several.
            limit: how many jobs that are enqueued meanwhile are performed at most.
            raise_errors: whether a job that ends in failure raises its error here; the rest then
                stays pending.

        Raises:
            NothingMatchedError: when filters are given and match nothing.
            LoopLimitError: when the limit is reached.
            VerbInsideJobError: when a job calls it.
        """
        __tracebackhide__ = True
        return self._drive(
            "perform_due",
            self._plan_due(children, only, exclude, queue, limit),
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
        raise_errors: bool = True,
    ) -> Tally:
        """Do the same on the running event loop; see `perform_due`."""
        plan = self._plan_due(children, only, exclude, queue, limit)
        __tracebackhide__ = True
        return await self._adrive("aperform_due", plan, raise_errors=raise_errors)

    def drain(
        self,
        *,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
        limit: int = DEFAULT_LIMIT,
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
            until: what is due after this aware datetime stays pending.
            raise_errors: whether a job that ends in failure raises its error here; the rest then
                stays pending, and the next drain goes on.
            workers: how many perform jobs at once, each on a thread of its own. A job takes the virtual time
                that it sleeps, and others go on meanwhile, one at a time. None for one after another, on
                the thread of the test.

        Raises:
            NothingMatchedError: when filters are given and match nothing.
            LoopLimitError: when the limit is reached.
            VerbInsideJobError: when a job calls it.
        """
        __tracebackhide__ = True
        if workers is not None:
            return self._drain_by(workers, only, exclude, queue, limit, until, raise_errors)
        return self._drive(
            "drain", self._plan_drain(only, exclude, queue, limit, until), raise_errors=raise_errors
        )

    async def adrain(
        self,
        *,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
        limit: int = DEFAULT_LIMIT,
        until: datetime | None = None,
        raise_errors: bool = True,
    ) -> Tally:
        """Do the same on the running event loop; see `drain`."""
        plan = self._plan_drain(only, exclude, queue, limit, until)
        __tracebackhide__ = True
        return await self._adrive("adrain", plan, raise_errors=raise_errors)

    def run_for(
        self,
        delta: Seconds,
        *,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
        limit: int = DEFAULT_LIMIT,
        raise_errors: bool = True,
    ) -> Tally:
        """Let time pass and perform what comes due in it; the clock ends `delta` later.

        Args:
            delta: seconds or a timedelta.
            only: see `drain`, as for the others.
            exclude: what is not performed.
            queue: the name of a queue, or several.
            limit: how many jobs that are enqueued meanwhile are performed at most.
            raise_errors: whether a job that ends in failure raises its error here.

        Raises:
            WaitError: when the delta is negative or none.
        """
        plan = self._plan_run_for(delta, only, exclude, queue, limit)
        __tracebackhide__ = True
        return self._drive("run_for", plan, raise_errors=raise_errors)

    async def arun_for(
        self,
        delta: Seconds,
        *,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
        limit: int = DEFAULT_LIMIT,
        raise_errors: bool = True,
    ) -> Tally:
        """Do the same on the running event loop; see `run_for`."""
        plan = self._plan_run_for(delta, only, exclude, queue, limit)
        __tracebackhide__ = True
        return await self._adrive("arun_for", plan, raise_errors=raise_errors)

    def redeliver(self, record: JobRecord) -> JobRecord:
        """Enqueue the same payload once more, as a broker does that never heard of its delivery."""
        return checked_record(record, "redeliver")._bridge.redeliver(record)

    def redrive(self, dead: Delivery | JobRecord) -> JobRecord:
        """Take a dead letter out of `jobs.dead` and enqueue its job anew, by the payload that came in first.

        It begins at the attempt and with the counters of that payload, as new. Its id stays.

        Args:
            dead: a delivery of `jobs.dead`, or any record of its job.

        Returns:
            The new record, which is no first enqueue.

        Raises:
            NotDeadError: when it is not among the dead letters, or not any more.
            CriterionError: when it is neither a delivery nor a record.
        """
        return self._dead_letters.redrive(dead)

    def redrive_all(self) -> tuple[JobRecord, ...]:
        """Redrive every dead letter, the oldest first, and return the new records."""
        return self._dead_letters.redrive_all()

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

    def _plan_due(
        self,
        children: bool,
        only: JobFilter | None,
        exclude: JobFilter | None,
        queue: str | Iterable[str] | None,
        limit: int,
    ) -> Plan[Tally]:
        selection = Selection(self._targets, only, exclude, queue)
        return verbs.perform_due(self._ledger, selection, children=children, limit=limit)

    def _plan_drain(
        self,
        only: JobFilter | None,
        exclude: JobFilter | None,
        queue: str | Iterable[str] | None,
        limit: int,
        until: datetime | None,
    ) -> Plan[Tally]:
        selection = Selection(self._targets, only, exclude, queue)
        until_ns = None if until is None else to_ns(until, "until")
        return verbs.drain(self._ledger, self._clock, selection, until_ns=until_ns, limit=limit)

    def _plan_run_for(
        self,
        delta: Seconds,
        only: JobFilter | None,
        exclude: JobFilter | None,
        queue: str | Iterable[str] | None,
        limit: int,
    ) -> Plan[Tally]:
        selection = Selection(self._targets, only, exclude, queue)
        wait_ns = delta_ns(delta, "delta")
        return verbs.run_for(self._ledger, self._clock, selection, delta_ns=wait_ns, limit=limit)

    def _drain_by(
        self,
        count: int,
        only: JobFilter | None,
        exclude: JobFilter | None,
        queue: str | Iterable[str] | None,
        limit: int,
        until: datetime | None,
        raise_errors: bool,
    ) -> Tally:
        __tracebackhide__ = True
        self._check_outside_jobs("drain")

        def deliver(performer: Performer, record: JobRecord) -> Delivery:
            return performer.deliver(self._ledger, record)

        def raises(delivery: Delivery) -> BaseException | None:
            if raise_errors and delivery.raises and delivery.error is not None:
                return delivery.error.with_traceback(own_traceback(delivery.error))
            return None

        drain = OverlappingDrain(
            self._ledger,
            Workers(count, self._performer, self._sleeps, deliver),
            Selection(self._targets, only, exclude, queue),
            until_ns=None if until is None else to_ns(until, "until"),
            limit=limit,
            raises=raises,
        )
        return drain.run()

    def _drive(self, verb: str, plan: Plan[T], *, raise_errors: bool) -> T:
        __tracebackhide__ = True
        self._check_outside_jobs(verb)

        def deliver(record: JobRecord) -> Delivery:
            __tracebackhide__ = True
            return _raised(self._performer.deliver(self._ledger, record), raise_errors)

        result = verbs.drive(plan, deliver)
        if self._inline is not None:
            self._inline.run()
        return result

    async def _adrive(self, verb: str, plan: Plan[T], *, raise_errors: bool) -> T:
        __tracebackhide__ = True
        self._check_outside_jobs(verb)

        async def deliver(record: JobRecord) -> Delivery:
            __tracebackhide__ = True
            return _raised(await self._performer.adeliver(self._ledger, record), raise_errors)

        result = await verbs.adrive(plan, deliver)
        if self._inline is not None:
            self._inline.run()
            await self._inline.settle()
        return result


def _raised(delivery: Delivery, raise_errors: bool) -> Delivery:
    __tracebackhide__ = True
    if raise_errors and delivery.raises and delivery.error is not None:
        raise delivery.error.with_traceback(own_traceback(delivery.error))
    return delivery
