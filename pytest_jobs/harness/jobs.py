"""The harness as a test sees it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, TypeVar

from ..core.waits import Seconds
from ..errors import VerbInsideJobError
from . import verbs
from .active import open_harnesses
from .bridge import Bridge
from .clock import VirtualClock
from .delivery import ENDED_IN_FAILURE, GIVEN_UP, Delivery
from .describe import call_text, short_name
from .faults import Fault, Raising
from .inline import Inline, InlineBlock, RaiseAt
from .instants import delta_ns, to_ns
from .jitter import Jitter, draws
from .ledger import Ledger
from .performer import Performer
from .record import JobRecord, current_record
from .sandbox import sandbox
from .selection import JobFilter, Selection
from .simulation import Simulation
from .sleeps import SleepPatch
from .tally import Tally
from .targets import Targets
from .timeline import RetryTimeline
from .tracebacks import own_traceback
from .verbs import DEFAULT_LIMIT, Plan
from .views import Capture, View, look_at_delivery, look_at_record

T = TypeVar("T")
Mode: TypeAlias = Literal["record", "inline"]


class Jobs:
    """Records what the application enqueues, and performs it when told to.

    The `jobs` fixture is one. Elsewhere, `pytest_jobs.open_jobs()` opens one for a block.
    """

    def __init__(
        self,
        bridges: Sequence[Bridge],
        *,
        mode: Mode = "record",
        raise_at: RaiseAt = "end",
        jitter: Jitter = "zero",
        outcomes: tuple[type[BaseException], ...] = (AssertionError,),
    ) -> None:
        """Prepare a harness; `open` puts it in force.

        Args:
            bridges: bring in the job libraries.
            mode: `record` keeps jobs until a verb performs them, `inline` performs each when due.
            raise_at: where the error of an inline job is raised: at the `end` of the test or block,
                or in the caller that enqueued it.
            jitter: see `jobs_jitter`.
            outcomes: exceptions that fail the test whatever a library does with them.
        """
        self._bridges = tuple(bridges)
        self._draw = draws(jitter)
        self._raise_at: RaiseAt = raise_at
        self._clock = VirtualClock()
        self._ledger = Ledger(self._clock)
        self._sleeps = SleepPatch(self._clock)
        self._performer = Performer(self._clock, self._sleeps, outcomes)
        self._targets = Targets(self._bridges)
        self._inline = self._make_inline(None, None, None) if mode == "inline" else None

    # Opening

    def open(self) -> None:
        """Bring the bridges in: from now on the application's jobs come here."""
        installed: list[Bridge] = []
        try:
            for bridge in self._bridges:
                bridge.install(self._ledger, self._draw)
                installed.append(bridge)
        except BaseException:
            for bridge in reversed(installed):
                bridge.uninstall()
            raise
        self._sleeps.install()
        if self._inline is not None:
            self._ledger.listen(self._inline.added)
        open_harnesses.push(self)

    def check(self) -> None:
        """Raise what the test has to answer for: errors of inline jobs, faults that struck nothing.

        Raises:
            BaseException: the error of a job that was performed inline.
            UnusedFaultError: when a fault never met a delivery.
        """
        __tracebackhide__ = True
        if self._inline is not None:
            self._inline.raise_errors()
        faults, self._performer.faults = self._performer.faults, []
        for fault in faults:
            if fault.active:
                fault.stop()

    def close(self) -> None:
        """Restore everything, whatever has happened.

        Raises:
            ClockConflictError: when another library holds the time; everything is restored all the same.
        """
        open_harnesses.remove(self)
        self._ledger.die()
        try:
            self._performer.close()
        finally:
            self._sleeps.uninstall()
            try:
                for bridge in reversed(self._bridges):
                    bridge.uninstall()
            finally:
                self._clock.stop()

    def __enter__(self) -> Self:
        """Open it."""
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise what is left to be raised, unless the block raises itself, and close."""
        try:
            if error is None:
                self.check()
        finally:
            self.close()

    # Looking

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
        """The attempts with which a job was given up: failed, exhausted or discarded. The payload is kept."""
        return self._deliveries("dead", GIVEN_UP)

    @property
    def clock(self) -> VirtualClock:
        """The virtual clock."""
        return self._clock

    @property
    def targets(self) -> Targets:
        """The jobs that the bridges know."""
        return self._targets

    @property
    def ledger(self) -> Ledger:
        """The store behind the views: for assertions and plugins."""
        return self._ledger

    def when_delivered(self, hear: Callable[[Delivery], None]) -> None:
        """Call a function with every delivery, after it was recorded: for plugins."""
        self._performer.when_delivered.append(hear)

    @contextmanager
    def reporting_to(self, other: Jobs) -> Iterator[None]:
        """Record into another harness what is enqueued during a block: for plugins."""
        with ExitStack() as stack:
            for bridge in self._bridges:
                stack.enter_context(bridge.sandbox(other._ledger))
            yield

    def capture(self) -> Capture:
        """Return a window: `with jobs.capture() as sent:` holds what is first-enqueued inside it."""
        return Capture(self._ledger)

    def result_of(self, record: JobRecord) -> object:
        """Return what the library's result object would return for a job.

        Raises:
            NotPerformedError: when the job has not been performed.
            BaseException: what the job raised.
        """
        return record._bridge.result_of(record)

    # Performing

    def perform(self, record: JobRecord) -> Delivery:
        """Perform one pending job, due or not, and return what came of it. Errors of the job are in it.

        Raises:
            NotPerformedError: when the record is not pending.
            RunningLoopError: for a coroutine job inside a running event loop.
        """
        __tracebackhide__ = True
        return self._drive("perform", verbs.perform_one(self._ledger, record), raise_errors=False)

    async def aperform(self, record: JobRecord) -> Delivery:
        """Do the same on the running event loop."""
        return await self._adrive(
            "aperform", verbs.perform_one(self._ledger, record), raise_errors=False
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

        Raises:
            NothingMatchedError: when filters are given and match nothing.
            LoopLimitError: when the limit is reached.
            VerbInsideJobError: when a job calls it.
        """
        __tracebackhide__ = True
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
        return record._bridge.redeliver(record)

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
        return InlineBlock(self._make_inline(only, exclude, queue), self._ledger)

    # Simulating

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
            first = simulation.enqueue(ledger, args, kwargs)
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
            first = simulation.enqueue(ledger, args, kwargs)
            plan = simulation.plan(ledger, self._clock, self._targets, first)
            deliveries = await verbs.adrive(
                plan, lambda record: self._performer.adeliver(ledger, record, simulation.body)
            )
            return RetryTimeline(short_name(first.name), deliveries)

    def real_time(self) -> AbstractContextManager[None]:
        """Let the time of the system through for a block, in which sleeping is real too."""
        return self._clock.real_time()

    # Within

    def _deliveries(self, title: str, statuses: frozenset[str] | None) -> View[Delivery]:
        every = self._ledger.deliveries
        wanted = every if statuses is None else (d for d in every if d.status in statuses)
        return View(title, wanted, look_at_delivery)

    def _make_inline(
        self, only: JobFilter | None, exclude: JobFilter | None, queue: str | Iterable[str] | None
    ) -> Inline:
        def make_selection() -> Selection:
            return Selection(self._targets, only, exclude, queue)

        make_selection()
        return Inline(self._ledger, self._performer, make_selection, self._raise_at)

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

    def _check_outside_jobs(self, verb: str) -> None:
        current = current_record.get()
        if current is not None:
            raise VerbInsideJobError(
                f"jobs.{verb}() was called by {call_text(current)} while it ran. A job does not perform others: "
                "what it enqueues is performed after it. Call the verb in the test."
            )

    def __repr__(self) -> str:
        pending = sum(1 for _ in self._ledger.pending())
        return f"<Jobs {len(self._ledger.records)} records, {pending} pending>"


def _raised(delivery: Delivery, raise_errors: bool) -> Delivery:
    __tracebackhide__ = True
    if raise_errors and delivery.raises and delivery.error is not None:
        raise delivery.error.with_traceback(own_traceback(delivery.error))
    return delivery
