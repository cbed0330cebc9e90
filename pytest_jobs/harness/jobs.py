"""The harness as a test sees it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from ..core.foundation.waits import Seconds
from ..errors import CriterionError, RunningLoopError
from .commits.transactions import WITH_TEST_CASE, CallbackState, CommitCallback
from .ledger.locks import KeptOut, Lock, held_locks, kept_out_jobs
from .ledger.queues import Queues, Serving, checked_queues
from .ledger.selection import Holding, JobFilter, Selection, record_test
from .open_harness import OpenHarness, sandbox
from .payload_files import write_payloads
from .records.delivery import ENDED_IN_FAILURE, Delivery, Tally, own_traceback
from .records.instants import delta_ns, to_ns
from .records.record import FIRST, JobRecord
from .records.texts import short_name
from .running import verbs
from .running.faults import Fault, Raising
from .running.inline import InlineBlock
from .running.performer import Performer, in_running_loop
from .running.recurring import Firings, Scheduler
from .running.timeline import RetryTimeline, Simulation
from .running.verbs import DEFAULT_LIMIT, Bounds, Plan
from .running.workers import OverlappingDrain, Workers
from .views import (
    Capture,
    Events,
    View,
    is_blocked,
    look_at_delivery,
    look_at_nothing,
    look_at_record,
)


class Viewing(OpenHarness):
    """Shows what was enqueued and what came of it."""

    @property
    def enqueued(self) -> View[JobRecord]:
        """Every job that the application enqueued, performed or not; no retries, no redeliveries."""
        return View("enqueued", self._ledger.first_enqueues(), look_at_record)

    @property
    def pending(self) -> View[JobRecord]:
        """What waits to be performed, retries included, in the order of enqueueing."""
        return View("pending", self._ledger.pending(), look_at_record)

    @property
    def scheduled(self) -> View[JobRecord]:
        """What is pending and due later."""
        now = self._clock.now()
        later = (r for r in self._ledger.pending() if r.due_at is not None and r.due_at > now)
        return View("scheduled", later, look_at_record)

    @property
    def blocked(self) -> View[JobRecord]:
        """What is pending and waits for a place of its concurrency limit, in the order of enqueueing."""
        return View("blocked", filter(is_blocked, self._ledger.pending()), look_at_record)

    @property
    def locks(self) -> View[Lock]:
        """The locks of unique jobs and the places of limited ones that are held now."""
        return View("locks", held_locks(self._bridges, self._ledger), look_at_nothing)

    @property
    def kept_out(self) -> View[KeptOut]:
        """What was not enqueued, since another job had its lock or the last place of its limit."""
        return View("kept out", kept_out_jobs(self._bridges, self._ledger), look_at_nothing)

    @property
    def deliveries(self) -> View[Delivery]:
        """Every attempt, in the order in which they ended."""
        return self._deliveries("deliveries", None)

    @property
    def performed(self) -> View[Delivery]:
        """The attempts that succeeded."""
        return self._deliveries("performed", frozenset(("performed",)))

    @property
    def retried(self) -> View[Delivery]:
        """The attempts that failed and will be followed by another."""
        return self._deliveries("retried", frozenset(("retried",)))

    @property
    def discarded(self) -> View[Delivery]:
        """The attempts after which a rule dropped the job."""
        return self._deliveries("discarded", frozenset(("discarded",)))

    @property
    def failed(self) -> View[Delivery]:
        """The attempts with which a job ended in failure: no rule knew the error, or no attempts were left."""
        return self._deliveries("failed", ENDED_IN_FAILURE)

    @property
    def dead(self) -> View[Delivery]:
        """The dead letters: the attempts with which a job was given up, failed, exhausted or discarded.

        The payload is kept, readable or not. What was redriven, or is beyond a limit, is left out.
        """
        return View("dead", self._dead_letters.kept(), look_at_delivery)

    def limit_dead(self, *, size: int | None = None, age: Seconds | None = None) -> None:
        """Limit the dead letters from now on; the oldest go first, and do not come back.

        Args:
            size: how many are kept; None for all, as at the beginning. Sidekiq keeps 10,000.
            age: seconds or a timedelta after the last attempt for which each is kept, by the virtual
                clock; None for ever, as at the beginning. Sidekiq keeps each for 180 days.

        Raises:
            CriterionError: when the size is no number of dead letters.
            WaitError: when the age is no duration.
        """
        self._dead_letters.limit(size, age)

    @property
    def events(self) -> Events:
        """What happened, in order: each job enqueued, started, and what its deliveries came to."""
        return Events(self._ledger.events)

    def capture(self) -> Capture:
        """Return a window: `with jobs.capture() as sent:` holds what is first-enqueued inside it."""
        return Capture(self._ledger)

    def result_of(self, record: JobRecord) -> object:
        """Return what the library's result object would return for a job.

        Raises:
            NotPerformedError: when the job has not been performed.
            BaseException: what the job raised.
        """
        return checked_record(record, "result_of").source.result_of(record)

    def _deliveries(self, title: str, statuses: frozenset[str] | None) -> View[Delivery]:
        every = self._ledger.deliveries
        wanted = every if statuses is None else (d for d in every if d.status in statuses)
        return View(title, wanted, look_at_delivery)


def checked_record(record: object, verb: str) -> JobRecord:
    """Return a record.

    Raises:
        CriterionError: when it is something else, such as a delivery.
    """
    if not isinstance(record, JobRecord):
        meant = (
            "delivery.record"
            if isinstance(record, Delivery)
            else "a record, such as jobs.pending[0]"
        )
        raise CriterionError(f"jobs.{verb}({record!r}) is given no record: pass {meant}.")
    return record


class Committing(Viewing):
    """Shows what waits for a commit, and commits."""

    @property
    def waiting_for_commit(self) -> View[CommitCallback]:
        """What the application asked to be called after a commit that has not come yet."""
        return self._callbacks_view("waiting for commit", "waiting")

    @property
    def dropped_by_rollback(self) -> View[CommitCallback]:
        """What was to be called after a commit, and never will be."""
        return self._callbacks_view("dropped by rollback", "dropped")

    def commit(self) -> tuple[JobRecord, ...]:
        """Run what waits for a commit, as the commit of the outermost transaction would.

        What a callback asks to be called after a commit is called at once, as it is where no
        transaction is open. What was registered before the test case began, by `setUpTestData`
        say, is left alone.

        Returns:
            The records that the callbacks enqueued; none when nothing waited.

        Raises:
            CommitError: inside a transaction that the test or the application opened, when none of
                the known database libraries is in use, or when callbacks wait in other threads alone.
            VerbInsideJobError: when a job calls it.
            BaseException: what a callback raised, unless it was registered as robust; callbacks
                behind it on the same database are dropped.
        """
        before = self._before_commit("commit")
        for system in self._transactions:
            system.commit()
        return self._enqueued_since(before)

    async def acommit(self) -> tuple[JobRecord, ...]:
        """Do the same where an async application runs its synchronous code; see `commit`."""
        before = self._before_commit("acommit")
        for system in self._transactions:
            await system.acommit()
        if self._inline is not None:
            await self._inline.settle()
        return self._enqueued_since(before)

    def _before_commit(self, verb: str) -> int:
        self._check_outside_jobs(verb)
        self._transactions.check_can_commit(verb)
        return len(self._ledger.records)

    def _enqueued_since(self, before: int) -> tuple[JobRecord, ...]:
        return tuple(
            record
            for record in self._ledger.records[before:]
            if record.origin is FIRST and record.parent is None
        )

    def _callbacks_view(self, title: str, state: CallbackState) -> View[CommitCallback]:
        return View(title, self._transactions.callbacks(state), self._see)

    def _see(self, callback: CommitCallback) -> None:
        self._callbacks_seen.add(_key_of(callback))

    def left_waiting(self) -> list[CommitCallback]:
        """Return the jobs that waited for a commit to the end of the test, and that it never saw: for plugins."""
        ended = (
            replace(callback, state="waiting", dropped="")
            for callback in self._transactions.callbacks("dropped")
            if callback.dropped == WITH_TEST_CASE
        )
        return [
            callback
            for callback in (*self._transactions.callbacks("waiting"), *ended)
            if _key_of(callback) not in self._callbacks_seen
            and callback.owner is not None
            and self._targets.find(callback.owner) is not None
        ]


def _key_of(callback: CommitCallback) -> tuple[str, str, str]:
    return callback.text, callback.using, callback.registered_at


class Redelivering(Viewing):
    """Enqueues payloads again: as a broker does, and as who looks after dead letters does."""

    def redeliver(self, record: JobRecord) -> JobRecord:
        """Enqueue the same payload once more, as a broker does that never heard of its delivery."""
        return checked_record(record, "redeliver").source.redeliver(record)

    def redrive(self, dead: Delivery | JobRecord) -> JobRecord | None:
        """Take a dead letter out of `jobs.dead` and enqueue its job anew, by the payload that came in first.

        It begins at the attempt and with the counters of that payload, as new. Its id stays. A unique job takes
        its lock again, and a limited one its place: when another has it, it is dropped, replaces that or waits,
        as any job that is enqueued.

        Args:
            dead: a delivery of `jobs.dead`, or any record of its job.

        Returns:
            The new record, which is no first enqueue; None when it was dropped for another, which
            `jobs.kept_out` names.

        Raises:
            StoreError: when the store of locks cannot be reached; it stays dead then.
            NotDeadError: when it is not among the dead letters, or not any more.
            CriterionError: when it is neither a delivery nor a record.
        """
        return self._dead_letters.redrive(dead)

    def redrive_all(self) -> tuple[JobRecord, ...]:
        """Redrive every dead letter, the oldest first, and return the new records.

        Raises:
            StoreError: when the store of locks cannot be reached; those that follow stay dead.
        """
        return self._dead_letters.redrive_all()


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
    error = delivery.error
    if raise_errors and error is not None and delivery.raises:
        raise error.with_traceback(own_traceback(error))
    return delivery


def _no_workers_on_the_loop(workers: int) -> str:
    return (
        f"await jobs.adrain(workers={workers!r}) cannot be: on the event loop of the test jobs sleep in real "
        "time, and workers take the virtual time that jobs sleep. Write `await asyncio.to_thread(jobs.drain, "
        f"workers={workers!r})`, which performs coroutine jobs on loops of their own."
    )


class Jobs(Performing, Committing):
    """Records what the application enqueues, and performs it when told to.

    The `jobs` fixture is one. Elsewhere, `pytest_jobs.open_jobs()` opens one for a block.
    """

    def fail(
        self,
        job: object,
        *,
        raising: Raising,
        times: int | None = None,
        on: Collection[int] | None = None,
        after: bool = False,
    ) -> Fault:
        """Make deliveries of a job raise an error, inside the library's retry handling.

        Args:
            job: whose deliveries.
            raising: an exception, or an exception class.
            times: how many deliveries fail; None with `on=None` for all.
            on: which attempts fail, by number from 1, as in `on=[1, 3]`.
            after: whether the body runs before the error is raised.

        Returns:
            The fault. It holds until the end of the test, or of its `with` block.

        Raises:
            CriterionError: when an argument cannot be meant.
        """
        fault = Fault(self._targets.get(job), raising, times=times, on=on, after=after)
        self._performer.faults.append(fault)
        return fault

    def record_payloads(self, directory: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Write down what the application enqueued, for `check_payloads` to read with later code.

        There is one file of JSON for each job and shape of its arguments, to be committed. One that
        is there is left as it is, whatever the values, so that a second run writes nothing.

        Args:
            directory: where the files are; it is made if need be.

        Returns:
            The files that were written, without those that were there.

        Raises:
            PayloadError: when nothing was enqueued, or a job whose library writes no text.
            UnknownJobError: when a job lives inside a function.
        """
        return write_payloads(self._ledger.first_enqueues(), directory)

    def recurring(self, schedule: Firings) -> Scheduler:
        """Fire the tasks of a schedule from now on, while `run_for` lets time pass.

        Each firing enqueues a job at its time. Other verbs, and a clock that is moved by hand, fire
        nothing; what lies in the time that they pass over is missed, and listed as such. Called twice with
        the same tasks it stands for two schedulers, of which one fires each task at each time.

        Args:
            schedule: what `load_schedule` returns, or a `Schedule`.

        Returns:
            The scheduler, which has what it `fired`, what of that was `dropped`, what it `missed`, and can be
            `down()` for a block.

        Raises:
            CriterionError: when it is no schedule, shares a key with another, for another task, or has a
                task of a library whose application is not bridged.
            VerbInsideJobError: when a job calls it.
        """
        self._check_outside_jobs("recurring")
        return self._recurring.add(schedule, self._targets)

    def serve(self, queues: Queues | None) -> None:
        """Let verbs take jobs from now on as workers do that serve these queues, in their order.

        `perform_due`, `drain`, `run_for` and inline mode do so; among the jobs of one queue the order stays
        priority, then due time. A job in a queue that is not served is never taken, which the verb that
        should have performed it says. The limits of dead letters hold too, where the queues have any.

        Args:
            queues: what `load_queues` returns, or `Queues(...)`; None for all queues alike.

        Raises:
            CriterionError: when it is none of them.
            VerbInsideJobError: when a job calls it.
        """
        checked = checked_queues(queues)
        self._check_outside_jobs("serve")
        self._ledger.serve(None if checked is None else Serving(checked))
        if checked is not None and (checked.dead_max_jobs or checked.dead_timeout):
            self._dead_letters.limit(checked.dead_max_jobs, checked.dead_timeout)

    @property
    def queues(self) -> Queues | None:
        """What `serve`, the ini option or the marker put in force; None when all queues are served alike."""
        serving = self._ledger.serving
        return None if serving is None else serving.queues

    def simulate_retries(
        self,
        job: object,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        raising: Raising,
        succeed_on: int | None = None,
        limit: int = 100,
    ) -> RetryTimeline:
        """Run a job through its retries on the virtual clock, raising an error instead of its body.

        It runs in a sandbox through the library's real path: callbacks and `then=` functions are
        called, other jobs that they enqueue are not performed, and nothing of it is in the views.

        Args:
            job: the job.
            args: its positional arguments. Without any arguments None stands for each that is
                required, since the body does not run.
            kwargs: its keyword arguments.
            raising: what each attempt raises.
            succeed_on: the number of the attempt that succeeds, counted from 1; None for none.
            limit: after how many attempts a job that never gives up is stopped.
        """
        simulation = Simulation(self._targets.get(job), raising, succeed_on=succeed_on, limit=limit)
        self._check_outside_jobs("simulate_retries")
        with sandbox(self._bridges, self._clock) as ledger:
            enqueueing = simulation.enqueue(ledger, args, kwargs)
            if enqueueing is not None:
                if in_running_loop():
                    _throw_away(enqueueing)
                    raise RunningLoopError(_simulated_in_loop(job))
                self._performer.run(enqueueing)
            first = simulation.first(ledger)
            if first.source.is_coroutine(first) and in_running_loop():
                raise RunningLoopError(_simulated_in_loop(short_name(first.name)))
            plan = simulation.plan(ledger, self._clock, self._targets, first)
            deliveries = verbs.drive(
                plan, lambda record: self._performer.deliver(ledger, record, simulation.body)
            )
            return RetryTimeline(short_name(first.name), deliveries)

    async def asimulate_retries(
        self,
        job: object,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        raising: Raising,
        succeed_on: int | None = None,
        limit: int = 100,
    ) -> RetryTimeline:
        """Do the same on the running event loop; see `simulate_retries`."""
        simulation = Simulation(self._targets.get(job), raising, succeed_on=succeed_on, limit=limit)
        self._check_outside_jobs("asimulate_retries")
        with sandbox(self._bridges, self._clock) as ledger:
            enqueueing = simulation.enqueue(ledger, args, kwargs)
            if enqueueing is not None:
                await enqueueing
            first = simulation.first(ledger)
            plan = simulation.plan(ledger, self._clock, self._targets, first)
            deliveries = await verbs.adrive(
                plan, lambda record: self._performer.adeliver(ledger, record, simulation.body)
            )
            return RetryTimeline(short_name(first.name), deliveries)


def _simulated_in_loop(job: object) -> str:
    return (
        f"{job} is a coroutine job, and this was called inside a running event loop: write "
        "`await jobs.asimulate_retries(...)`."
    )


def _throw_away(awaitable: Awaitable[object]) -> None:
    """Close a coroutine that is not going to be awaited, so that nobody is warned of it."""
    close = getattr(awaitable, "close", None)
    if close is not None:
        close()
