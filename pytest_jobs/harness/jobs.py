"""The harness as a test sees it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Self, TypeVar, Unpack, cast

from ..core.foundation.vocabulary import in_our_words, keyword_advice
from ..core.foundation.waits import Seconds
from ..errors import CriterionError, ExplorationError, RunningLoopError
from .commits.callables import calling_line
from .commits.transactions import CallbackState, CommitCallback
from .ledger.chosen import Beginning
from .ledger.locks import KeptOut, Lock, held_locks, kept_out_jobs
from .ledger.queues import Queues, Serving
from .ledger.selection import Holding, JobFilter, JobFilters, record_test
from .open_harness import HarnessOptions, OpenHarness, check_outside_jobs, open_harnesses, sandbox
from .records.bridge import Bridge
from .records.delivery import ENDED_IN_FAILURE, Delivery, Tally, own_traceback
from .records.instants import delta_ns, to_ns
from .records.progress import Work
from .records.record import FIRST, JobRecord, call_text
from .records.texts import short_name
from .running import verbs
from .running.faults import Fault, Raising
from .running.inline import InlineBlock
from .running.promises import awaitable
from .running.recurring import Firings, Scheduler
from .running.timeline import RetryTimeline, Simulation
from .running.verbs import Plan, VerbCall, VerbFilters
from .running.workers import OverlappingDrain, Workers
from .time.clock import RealTime, VirtualClock
from .time.waiting import in_running_loop
from .views import (
    Capture,
    Events,
    View,
    is_blocked,
    mark_delivery_seen,
    mark_nothing_seen,
    mark_record_seen,
)

T = TypeVar("T")


class Jobs:
    """Records the jobs that the application enqueues, and performs them when a test calls a verb.

    The `jobs` fixture is one. Elsewhere, `pytest_jobs.open_jobs()` opens one for a block.
    """

    def __init__(self, bridges: Iterable[Bridge], **options: Unpack[HarnessOptions]) -> None:
        """Prepare a harness; `open` puts it in force."""
        #: The parts, for assertions, explorations and plugins.
        self.harness = OpenHarness(bridges, **options)

    # Opening and closing

    def open(self) -> None:
        """Install the bridges: from now on the application's jobs come here."""
        self.harness.open(self)

    def check(self) -> None:
        """Raise the errors that are left at the end of a test.

        Raises:
            BaseException: the error of a job that was performed inline.
            ForgottenCallError: when a call was never awaited, or a block never entered.
            CriterionError: when an assertion that nothing happened would have held whatever the application does.
            UnusedFaultError: when a fault never met a delivery.
        """
        self.harness.check()

    def close(self) -> None:
        """Restore everything, whatever has happened.

        Raises:
            ClockConflictError: when another library holds the time; everything is restored all the same.
        """
        self.harness.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Raise the errors that are left, unless the block raises itself, and close."""
        try:
            if error is None:
                self.check()
        finally:
            self.close()

    def __repr__(self) -> str:
        ledger = self.harness.ledger
        return f"<Jobs {len(ledger.records)} records, {sum(1 for _ in ledger.pending())} pending>"

    # Views of what was enqueued

    @property
    def enqueued(self) -> View[JobRecord]:
        """Every job that the application enqueued, performed or not; no retries, no redeliveries."""
        return View("enqueued", self.harness.ledger.first_enqueues(), mark_record_seen)

    @property
    def pending(self) -> View[JobRecord]:
        """The jobs that wait to be performed, retries included, in the order of enqueueing."""
        return View("pending", self.harness.ledger.pending(), mark_record_seen)

    @property
    def scheduled(self) -> View[JobRecord]:
        """The pending jobs that are due later."""
        now, pending = self.harness.clock.now(), self.harness.ledger.pending()
        later = (r for r in pending if r.due_at is not None and r.due_at > now)
        return View("scheduled", later, mark_record_seen)

    @property
    def blocked(self) -> View[JobRecord]:
        """The pending jobs that wait for a place of their concurrency limit, in the order of enqueueing."""
        return View("blocked", filter(is_blocked, self.harness.ledger.pending()), mark_record_seen)

    @property
    def locks(self) -> View[Lock]:
        """The locks of unique jobs and the places of limited ones that are held now."""
        harness = self.harness
        return View("locks", held_locks(harness.bridges, harness.ledger), mark_nothing_seen)

    @property
    def kept_out(self) -> View[KeptOut]:
        """The jobs that were not enqueued, since another had their lock or the last place of their limit."""
        harness = self.harness
        return View("kept out", kept_out_jobs(harness.bridges, harness.ledger), mark_nothing_seen)

    @in_our_words(CriterionError)
    def capture(self) -> Capture:
        """Return a window: `with jobs.capture() as sent:` contains the jobs first-enqueued inside it."""
        window = Capture(self.harness.ledger)
        self.harness.promises.block(
            "jobs.capture", window, "nothing looked at it", "with jobs.capture() as sent:"
        )
        return window

    # Views of what happened

    @property
    def deliveries(self) -> View[Delivery]:
        """Every attempt, in the order in which they ended."""
        return View("deliveries", Beginning(self.harness.ledger.deliveries), mark_delivery_seen)

    @property
    def performed(self) -> View[Delivery]:
        """The attempts that succeeded."""
        return self._ended_as("performed", frozenset(("performed",)))

    @property
    def retried(self) -> View[Delivery]:
        """The attempts that failed and will be followed by another."""
        return self._ended_as("retried", frozenset(("retried",)))

    @property
    def discarded(self) -> View[Delivery]:
        """The attempts after which a rule dropped the job."""
        return self._ended_as("discarded", frozenset(("discarded",)))

    @property
    def failed(self) -> View[Delivery]:
        """The attempts with which a job ended in failure: no rule knew the error, or no attempts were left."""
        return self._ended_as("failed", ENDED_IN_FAILURE)

    def _ended_as(self, title: str, statuses: frozenset[str]) -> View[Delivery]:
        return View(title, self.harness.ledger.ended(statuses), mark_delivery_seen)

    @property
    def events(self) -> Events:
        """Everything that happened, in order: each job enqueued, started, and how its deliveries ended."""
        return Events(self.harness.ledger.events)

    def result_of(self, record: JobRecord) -> object:
        """Return what the library's result object would return for a job.

        Raises:
            NotPerformedError: when the job has not been performed.
            BaseException: what the job raised.
        """
        return _checked_record(record, "result_of").source.result_of(record)

    # Dead letters

    @property
    def dead(self) -> View[Delivery]:
        """The dead letters: the attempts with which a job was given up, failed, exhausted or discarded.

        The payload is kept, readable or not. Redriven letters, and those beyond a limit, are left out.
        """
        return View("dead", self.harness.dead_letters.kept(), mark_delivery_seen)

    @in_our_words(CriterionError, by_position="size")
    def limit_dead(self, *, size: int | None = None, age: Seconds | None = None) -> None:
        """Limit the dead letters from now on; the oldest go first, and do not come back.

        Args:
            size: how many are kept; None for all, as at the beginning. Sidekiq keeps 10,000.
            age: seconds or a timedelta after the last attempt for which each is kept, by the virtual
                clock; None for ever, as at the beginning. Sidekiq keeps each for 180 days.

        Raises:
            CriterionError: when the size is not a number of dead letters.
            WaitError: when the age is not a duration.
        """
        self.harness.dead_letters.limit(size, age)

    @in_our_words(CriterionError)
    def redeliver(self, record: JobRecord) -> JobRecord:
        """Enqueue the same payload once more, as a broker does that lost the acknowledgement."""
        return _checked_record(record, "redeliver").source.redeliver(record)

    @in_our_words(CriterionError)
    def redrive(self, dead: Delivery | JobRecord) -> JobRecord | None:
        """Take a dead letter out of `jobs.dead` and enqueue its job anew, with its first payload.

        The job begins at the attempt and with the counters of that payload, as new. Its id stays. A unique
        job takes its lock again, and a limited one its place: when another has it, the job is dropped,
        replaces the other or waits, as any job that is enqueued.

        Args:
            dead: a delivery of `jobs.dead`, or any record of its job.

        Returns:
            The new record, which is not a first enqueue; None when it was dropped for another, which
            `jobs.kept_out` names.

        Raises:
            StoreError: when the store of locks cannot be reached; it stays dead then.
            NotDeadError: when it is not among the dead letters, or not any more.
            CriterionError: when it is neither a delivery nor a record.
        """
        return self.harness.dead_letters.redrive(dead)

    def redrive_all(self) -> tuple[JobRecord, ...]:
        """Redrive every dead letter, the oldest first, and return the new records.

        Raises:
            StoreError: when the store of locks cannot be reached; those that follow stay dead.
        """
        return self.harness.dead_letters.redrive_all()

    # Commits

    @property
    def waiting_for_commit(self) -> View[CommitCallback]:
        """The calls that the application registered for after a commit that has not come yet."""
        self.harness.transactions.asked = True
        return self._callbacks("waiting for commit", "waiting")

    @property
    def dropped_by_rollback(self) -> View[CommitCallback]:
        """The calls that were registered for after a commit, and will never be made.

        And the jobs that were rows of a database in a transaction, or after a savepoint, that was rolled back.
        """
        return self._callbacks(
            "dropped by rollback", "dropped", map(_dropped, self.harness.ledger.rolled_back)
        )

    def _callbacks(
        self, title: str, state: CallbackState, rows: Iterable[CommitCallback] = ()
    ) -> View[CommitCallback]:
        transactions = self.harness.transactions
        callbacks = [*transactions.callbacks(state), *rows]
        return View(title, callbacks, lambda callback: transactions.seen.add(callback.key))

    def commit(self) -> tuple[JobRecord, ...]:
        """Run the callbacks that wait for a commit, as the commit of the outermost transaction would.

        A callback that registers another for after a commit has it called at once, as it is where no
        transaction is open. Callbacks that were registered before the test case began, by
        `setUpTestData` say, are left alone.

        Returns:
            The records that the callbacks enqueued; none when nothing waited.

        Raises:
            CommitError: inside a transaction that the test or the application opened, when none of
                the known database libraries is in use, or when callbacks wait in other threads alone.
            VerbInsideJobError: when a job calls it.
            BaseException: what a callback raised, unless it was registered as robust; callbacks
                behind it on the same database are dropped.
        """
        check_outside_jobs("commit")
        transactions, before = self.harness.transactions, len(self.harness.ledger.records)
        transactions.check_can_commit("commit")
        for system in transactions:
            system.commit()
        return self._enqueued_since(before)

    @awaitable
    async def acommit(self) -> tuple[JobRecord, ...]:
        """Commit where an async application runs its synchronous code; see `commit`."""
        check_outside_jobs("acommit")
        transactions, before = self.harness.transactions, len(self.harness.ledger.records)
        transactions.check_can_commit("acommit")
        for system in transactions:
            await system.acommit()
        if self.harness.inline is not None:
            await self.harness.inline.settle()
        return self._enqueued_since(before)

    def _enqueued_since(self, before: int) -> tuple[JobRecord, ...]:
        return tuple(
            record
            for record in self.harness.ledger.kept(before)
            if record.origin is FIRST and record.parent is None
        )

    # Verbs. They never recurse, and mean the same for every library.

    @in_our_words(CriterionError)
    def perform(self, record: JobRecord, *, attempt: int | None = None) -> Delivery:
        """Perform one pending job, due or not, and return the delivery. Errors of the job are in it.

        Args:
            record: the job.
            attempt: the number of the run, counted from 1, as which it is performed; None for the
                one that the record asks for. The attempts before it are taken to have failed.

        Raises:
            NotPerformedError: when the record is not pending, or held back.
            CriterionError: when the library cannot be told the number.
            RunningLoopError: for a coroutine job inside a running event loop.
        """
        checked = _checked_record(record, "perform")
        plan = verbs.perform_one(self.harness.ledger, checked, attempt, self.harness.holdings)
        return self._drive("perform", plan, raise_errors=False)

    @awaitable
    @in_our_words(CriterionError)
    async def aperform(self, record: JobRecord, *, attempt: int | None = None) -> Delivery:
        """Perform one job on the running event loop; see `perform`."""
        checked = _checked_record(record, "perform")
        plan = verbs.perform_one(self.harness.ledger, checked, attempt, self.harness.holdings)
        return await self._adrive("aperform", plan, raise_errors=False)

    @in_our_words(CriterionError, by_position="only")
    def perform_due(self, *, children: bool = True, **filters: Unpack[VerbFilters]) -> Tally:
        """Perform what is due; the clock stands still.

        Args:
            children: whether jobs that are enqueued meanwhile and are due are performed too.
            **filters: `only`, `exclude`, `queue`, `limit`, `at_least`, `at_most` and `raise_errors`;
                see `VerbFilters`.

        Raises:
            NothingMatchedError: when filters are given and match nothing.
            TooFewPerformedError: when there were fewer deliveries than `at_least`.
            LoopLimitError: when the limit is reached.
            VerbInsideJobError: when a job calls it.
        """
        call = self._call("perform_due", filters)
        plan = call.perform_due(children=children)
        return self._drive("perform_due", plan, raise_errors=call.raise_errors)

    @awaitable
    @in_our_words(CriterionError, by_position="only")
    async def aperform_due(self, *, children: bool = True, **filters: Unpack[VerbFilters]) -> Tally:
        """Perform what is due on the running event loop; see `perform_due`."""
        call = self._call("aperform_due", filters)
        plan = call.perform_due(children=children)
        return await self._adrive("aperform_due", plan, raise_errors=call.raise_errors)

    @in_our_words(CriterionError, by_position="only")
    def drain(
        self,
        *,
        until: datetime | None = None,
        workers: int | None = None,
        **filters: Unpack[VerbFilters],
    ) -> Tally:
        """Perform everything, children and retries included; the clock jumps to each due time.

        After a job that ended in failure the rest stays pending, and the next drain goes on.

        Args:
            until: jobs that are due after this aware datetime stay pending.
            workers: how many perform jobs at once, each on a thread of its own. A job takes the virtual time
                that it sleeps, and others go on meanwhile, one at a time. None for one after another, on
                the thread of the test.
            **filters: `only`, `exclude`, `queue`, `limit`, `at_least`, `at_most` and `raise_errors`;
                see `VerbFilters`.

        Raises:
            NothingMatchedError: when filters are given and match nothing.
            TooFewPerformedError: when there were fewer deliveries than `at_least`.
            LoopLimitError: when the limit is reached.
            VerbInsideJobError: when a job calls it.
        """
        call = self._call("drain", filters)
        until_ns = None if until is None else to_ns(until, "until")
        if workers is None:
            call.meanwhile = self.harness.performer.go_on_until
            tally = self._drive("drain", call.drain(until_ns), raise_errors=call.raise_errors)
        else:
            self._check_may_perform("drain")
            pool = Workers(workers, self.harness.performer, self.harness.ledger)
            tally = OverlappingDrain(call, pool, until_ns).run()
            self.harness.run_inline()
        self._note_idle("jobs.drain()", call, until)
        return tally

    @awaitable
    @in_our_words(CriterionError, by_position="only")
    async def adrain(
        self,
        *,
        until: datetime | None = None,
        workers: int | None = None,
        **filters: Unpack[VerbFilters],
    ) -> Tally:
        """Drain on the running event loop; see `drain`. It refuses `workers`, and says what to write."""
        if workers is not None:
            raise CriterionError(
                f"await jobs.adrain(workers={workers!r}) cannot be: on the event loop of the test jobs sleep in "
                "real time, and workers take the virtual time that jobs sleep. Write `await "
                f"asyncio.to_thread(jobs.drain, workers={workers!r})`, which performs coroutine jobs on loops of "
                "their own."
            )
        call = self._call("adrain", filters)
        until_ns = None if until is None else to_ns(until, "until")
        tally = await self._adrive("adrain", call.drain(until_ns), raise_errors=call.raise_errors)
        self._note_idle("jobs.adrain()", call, until)
        return tally

    def _note_idle(self, verb: str, call: VerbCall, until: datetime | None) -> None:
        """Note a drain that had nothing to perform, for strict mode.

        Inline nothing is left for it, and one with `until` asks about the time as well.
        """
        harness = self.harness
        if not (call.tally or call.may_be_idle or until is not None or harness.inline is not None):
            harness.idle_drains.append(f"{verb} at {calling_line()}")

    @in_our_words(CriterionError, by_position="only")
    def run_for(self, delta: Seconds, **filters: Unpack[VerbFilters]) -> Tally:
        """Let time pass and perform what comes due in it; the clock ends `delta` later.

        The tasks of `jobs.recurring` fire on the way, and the schedules of the job libraries.

        Args:
            delta: seconds or a timedelta.
            **filters: `only`, `exclude`, `queue`, `limit`, `at_least`, `at_most` and `raise_errors`;
                see `VerbFilters`.

        Returns:
            The deliveries, counted by how they ended. A firing whose job was kept out made none.

        Raises:
            WaitError: when the delta is negative or not a duration.
            TooFewPerformedError: when there were fewer deliveries than `at_least`.
        """
        call = self._call("run_for", filters)
        call.meanwhile = self.harness.performer.go_on_until
        plan = call.run_for(delta_ns(delta, "delta"), self.harness.recurring)
        return self._drive("run_for", plan, raise_errors=call.raise_errors)

    @awaitable
    @in_our_words(CriterionError, by_position="only")
    async def arun_for(self, delta: Seconds, **filters: Unpack[VerbFilters]) -> Tally:
        """Run on the running event loop; see `run_for`."""
        call = self._call("arun_for", filters)
        plan = call.run_for(delta_ns(delta, "delta"), self.harness.recurring)
        return await self._adrive("arun_for", plan, raise_errors=call.raise_errors)

    @in_our_words(CriterionError, by_position="only")
    def inline(self, **filters: Unpack[JobFilters]) -> InlineBlock:
        """Perform each due job as soon as the one running has ended, for a `with` block.

        Jobs that were pending before the block stay so, as do those that are due later. The error of a
        job is raised at the end of the block. In an async test write `async with`, which also waits for
        coroutine jobs.

        Args:
            **filters: `only`, `exclude` and `queue`; see `JobFilters`.
        """
        _refuse_unknown("inline", filters, JobFilters.__annotations__)
        block = InlineBlock(self.harness.make_inline(**filters), self.harness.put_in_force)
        self.harness.promises.block(
            "jobs.inline", block, "nothing was performed inline", "with jobs.inline():"
        )
        return block

    @in_our_words(CriterionError)
    def holding(self, held: JobFilter) -> Holding:
        """Keep some jobs pending, whatever verb is called, until they are released.

        Args:
            held: a job, several, or a callable that takes a record.

        Returns:
            The holding, which ends with its `with` block, its `release()`, or the test.

        Raises:
            CriterionError: when something that is named is not a job.
        """
        test = record_test(held, self.harness.targets, "held")
        return Holding(test, repr(held), self.harness.holdings, self.harness.run_inline)

    def _call(self, verb: str, filters: VerbFilters) -> VerbCall:
        own = [word for word, verbs in _OWN_KEYWORDS.items() if verb in verbs]
        _refuse_unknown(verb, filters, (*VerbFilters.__annotations__, *own))
        harness = self.harness
        return VerbCall(harness.ledger, harness.targets, harness.holdings, **filters)

    def _check_may_perform(self, verb: str) -> None:
        check_outside_jobs(verb)
        if self.harness.histories:
            raise ExplorationError(
                f"jobs.{verb}() was called in a check, whose jobs are in a ledger of their own, so that it would "
                "perform nothing. Call the function of the job, or let the world make what the job would have "
                "left; the check performs its own job by itself."
            )

    def _drive(self, verb: str, plan: Plan[T], *, raise_errors: bool) -> T:
        self._check_may_perform(verb)
        ledger, performer = self.harness.ledger, self.harness.performer
        work = self._work(verb)

        def deliver(record: JobRecord) -> Delivery:
            work.step(record)
            delivery = performer.deliver(ledger, record)
            error = delivery.error
            if raise_errors and error is not None and delivery.raises:
                raise error.with_traceback(own_traceback(error))
            return delivery

        with work:
            result = verbs.drive(plan, deliver)
        self.harness.run_inline()
        return result

    async def _adrive(self, verb: str, plan: Plan[T], *, raise_errors: bool) -> T:
        self._check_may_perform(verb)
        ledger, performer = self.harness.ledger, self.harness.performer
        work = self._work(verb)

        async def deliver(record: JobRecord) -> Delivery:
            work.step(record)
            delivery = await performer.adeliver(ledger, record)
            error = delivery.error
            if raise_errors and error is not None and delivery.raises:
                raise error.with_traceback(own_traceback(error))
            return delivery

        with work:
            result = await verbs.adrive(plan, deliver)
        self.harness.run_inline()
        if self.harness.inline is not None:
            await self.harness.inline.settle()
        return result

    def _work(self, verb: str) -> Work:
        # It gets the work, so that the two do not keep each other, and the harness, alive.
        def planned(work: Work) -> int:
            # An interrupted delivery is pending again.
            left = sum(1 for record in self.harness.ledger.pending() if record is not work.now)
            return work.steps + left

        return Work(f"jobs.{verb}()", "deliveries", planned)

    # What jobs are performed with

    @property
    def clock(self) -> VirtualClock:
        """The virtual clock."""
        return self.harness.clock

    def real_time(self) -> RealTime:
        """Let the time of the system through for a block, in which sleeping is real too."""
        return self.harness.clock.real_time()

    @in_our_words(CriterionError, by_position="raising")
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
            job: the job.
            raising: an exception, or an exception class.
            times: how many deliveries fail; None with `on=None` for all.
            on: which attempts fail, by number from 1, as in `on=[1, 3]`.
            after: whether the body runs before the error is raised.

        Returns:
            The fault. It lasts until the end of the test, or of its `with` block.

        Raises:
            CriterionError: when an argument has a value that makes no sense.
        """
        fault = Fault(self.harness.targets.get(job), raising, times=times, on=on, after=after)
        self.harness.performer.faults.append(fault)
        return fault

    @in_our_words(CriterionError)
    def recurring(self, schedule: Firings) -> Scheduler:
        """Fire the tasks of a schedule from now on, while `run_for` lets time pass.

        Each firing enqueues a job at its time. Other verbs, and a clock that is moved by hand, fire
        nothing; firings in the time that they pass over are missed, and listed as such. Called twice with
        the same tasks it stands for two schedulers, of which one fires each task at each time.

        Args:
            schedule: what `load_schedule` returns, or a `Schedule`.

        Returns:
            The scheduler. It has what it `fired`, what of that was `dropped`, what it `missed`, and can be
            `down()` for a block.

        Raises:
            CriterionError: when it is not a schedule, when another schedule has another task with the same
                key, or when a task is of a library whose application is not bridged.
            VerbInsideJobError: when a job calls it.
        """
        check_outside_jobs("recurring")
        return self.harness.recurring.add(schedule, self.harness.targets)

    @in_our_words(CriterionError)
    def serve(self, queues: Queues | None) -> None:
        """Let verbs take jobs from now on as workers do that serve these queues, in their order.

        `perform_due`, `drain`, `run_for` and inline mode do so; among the jobs of one queue the order stays
        priority, then due time. A job in a queue that is not served is never taken; the verb that should
        have performed it raises. The limits of dead letters apply too, where the queues have any.

        Args:
            queues: what `load_queues` returns, or `Queues(...)`; None for all queues alike.

        Raises:
            CriterionError: when it is neither queues nor None.
            VerbInsideJobError: when a job calls it.
        """
        given: object = queues
        if given is not None and not isinstance(given, Queues):
            raise CriterionError(
                f"jobs.serve({given!r}) is given no queues: write jobs.serve(load_queues('config/sidekiq.yml')), "
                "or jobs.serve(Queues(['critical', 'default']))."
            )
        check_outside_jobs("serve")
        self.harness.ledger.serve(None if queues is None else Serving(queues))
        if queues is not None and (queues.dead_max_jobs or queues.dead_timeout):
            self.harness.dead_letters.limit(queues.dead_max_jobs, queues.dead_timeout)

    @property
    def queues(self) -> Queues | None:
        """The queues of `serve`, the ini option or the marker; None when all queues are served alike."""
        serving = self.harness.ledger.serving
        return None if serving is None else serving.queues

    @in_our_words(CriterionError, by_position="raising")
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
        harness, target = self.harness, self.harness.targets.get(job)
        simulation = Simulation(target, raising, succeed_on=succeed_on, limit=limit)
        check_outside_jobs("simulate_retries")
        with sandbox(harness.bridges, harness.clock) as ledger:
            enqueueing = simulation.enqueue(ledger, args, kwargs)
            if enqueueing is not None:
                if in_running_loop():
                    close = getattr(enqueueing, "close", None)
                    if close is not None:
                        close()  # or Python warns of a coroutine that was never awaited
                    raise RunningLoopError(_simulated_in_loop(job))
                harness.performer.run(enqueueing)
            first = simulation.first(ledger)
            if first.source.is_coroutine(first) and in_running_loop():
                raise RunningLoopError(_simulated_in_loop(short_name(first.name)))
            deliveries = verbs.drive(
                simulation.plan(ledger, harness.targets, first),
                lambda record: harness.performer.deliver(ledger, record, simulation.body),
            )
            harness.simulated(deliveries)
            return simulation.timeline(first, deliveries)

    @awaitable
    @in_our_words(CriterionError, by_position="raising")
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
        """Simulate retries on the running event loop; see `simulate_retries`."""
        harness, target = self.harness, self.harness.targets.get(job)
        simulation = Simulation(target, raising, succeed_on=succeed_on, limit=limit)
        check_outside_jobs("asimulate_retries")
        with sandbox(harness.bridges, harness.clock) as ledger:
            enqueueing = simulation.enqueue(ledger, args, kwargs)
            if enqueueing is not None:
                await enqueueing
            first = simulation.first(ledger)
            deliveries = await verbs.adrive(
                simulation.plan(ledger, harness.targets, first),
                lambda record: harness.performer.adeliver(ledger, record, simulation.body),
            )
            harness.simulated(deliveries)
            return simulation.timeline(first, deliveries)


def current_jobs() -> Jobs:
    """Return the harness that is open: for tests that cannot ask for a fixture.

    Raises:
        NoHarnessError: when none is open.
    """
    return cast(Jobs, open_harnesses.innermost().jobs)


def _dropped(record: JobRecord) -> CommitCallback:
    """Return a job that a rollback took back as views show it."""
    using, enqueued_by = record.rollback or ("", "")
    return CommitCallback(
        text=call_text(record),
        using=using,
        registered_at=enqueued_by,
        state="dropped",
        dropped="by a rollback",
        owner=record.job,
        is_row=True,
    )


def _checked_record(record: object, verb: str) -> JobRecord:
    if not isinstance(record, JobRecord):
        meant = (
            "delivery.record"
            if isinstance(record, Delivery)
            else "a record, such as jobs.pending[0]"
        )
        raise CriterionError(f"jobs.{verb}({record!r}) is given no record: pass {meant}.")
    return record


#: The keywords of the verbs that are no filters.
_OWN_KEYWORDS: Final = {
    "until": ("drain", "adrain"),
    "workers": ("drain", "adrain"),
    "children": ("perform_due", "aperform_due"),
    "delta": ("run_for", "arun_for"),
}


def _refuse_unknown(verb: str, given: Mapping[str, object], known: Collection[str]) -> None:
    """Refuse a keyword that a verb does not take."""
    for name, value in given.items():
        if name not in known:
            advice = keyword_advice(name, value, [word for word in known if word not in given])
            raise CriterionError(
                f"Jobs.{verb}() got an unexpected keyword argument {name!r}: {advice}"
            )


def _simulated_in_loop(job: object) -> str:
    return (
        f"{job} is a coroutine job, and this was called inside a running event loop: write "
        "`await jobs.asimulate_retries(...)`."
    )
