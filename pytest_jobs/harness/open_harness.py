"""A harness while it is open: its parts, and how everything is restored."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, TypedDict

from ..core.enqueueing.context import CurrentValues, current_values
from ..core.foundation.settings import settings
from ..errors import CriterionError, NoHarnessError, RefusedEnqueueError, VerbInsideJobError
from .commits.early_enqueues import EarlyEnqueues
from .commits.transactions import CommitCallback, Transactions, TransactionSystems
from .ledger.dead_letters import DeadLetters
from .ledger.ledger import Ledger
from .ledger.selection import Holding, JobFilter, Selection
from .records.bridge import Bridge, Bridges
from .records.delivery import Delivery
from .records.mocks import EndsOfPatches, SwallowedCalls, classes_of
from .records.record import JobRecord, call_text, current_record
from .records.targets import Target, Targets
from .records.texts import Reader, known_names
from .running.inline import Inline, RaiseAt, RecordsInTransactions
from .running.performer import Bracket, Performer, SeesDeliveries
from .running.process import Process, noting_set_up
from .running.promises import Promises
from .running.recurring import Recurring
from .time.clock import VirtualClock
from .time.sleeps import SleepPatch

if TYPE_CHECKING:
    from .records.home import Home

Mode: TypeAlias = Literal["record", "inline"]
#: Where in its range of jitter a wait lies: `zero` for the shortest wait always, `seeded` for the same
#: waits in every test run, `live` for chance as in production.
Jitter: TypeAlias = Literal["zero", "seeded", "live"]

#: Errors of the test itself: a job that calls a verb or an assertion wrongly must not pass by a rule of its own.
_MISUSES: Final = (VerbInsideJobError, CriterionError, RefusedEnqueueError)


class OpenHarnesses:
    """The harnesses of the process that are open, the innermost last."""

    __slots__ = ("_open", "bracket", "ends_of_patches", "further_bridges", "process", "spectator")

    def __init__(self) -> None:
        self._open: list[OpenHarness] = []
        #: Patching is dear, so the plugin keeps it in force for the session.
        self.ends_of_patches = EndsOfPatches(self._patch_ends)
        #: Sees the deliveries of each harness that is opened from now on.
        self.spectator: SeesDeliveries | None = None
        #: Called at the beginning of each delivery of each harness that is opened from now on.
        self.bracket: Bracket | None = None
        #: What the deliveries of the running test begin with; None outside of one.
        self.process: Process | None = None
        #: Returns new bridges for a harness, besides those to the applications that are named.
        self.further_bridges: Callable[[], Iterable[Bridge]] = tuple

    @contextmanager
    def process_of(
        self, case: Any, surrounding: Callable[[], AbstractContextManager[object]] | None = None
    ) -> Generator[None, None, None]:
        """Let deliveries begin with what is set up before a block, in each harness, while a test runs there.

        Args:
            case: the instance of a `unittest.TestCase`, whose `setUp` sets up as well; None for other tests.
            surrounding: see `Process`.
        """

        def note() -> None:
            self.process = process = Process(surrounding=surrounding)
            for harness in self._open:
                harness.performer.process = process

        note()
        try:
            with nullcontext() if case is None else noting_set_up(case, note):
                yield
        finally:
            self.process = None

    def push(self, harness: OpenHarness) -> None:
        self._open.append(harness)
        known_names.append(harness.names)
        self.ends_of_patches.enter()

    def remove(self, harness: OpenHarness) -> None:
        if harness in self._open:
            self._open.remove(harness)
            known_names.remove(harness.names)
            self.ends_of_patches.leave()

    def _patch_ends(self, owner: Any, name: str) -> None:
        if self._open:
            self._open[-1].swallowed.note(owner, name)

    def of_ledger(self, ledger: object) -> OpenHarness | None:
        """Return the harness that has a ledger; None for the ledger of a check or a simulation."""
        return next((each for each in self._open if each.ledger is ledger), None)

    def any_open(self) -> bool:
        return bool(self._open)

    def innermost_or_none(self) -> OpenHarness | None:
        """Return the harness that was opened last; None when none is open."""
        return self._open[-1] if self._open else None

    def innermost(self) -> OpenHarness:
        """Return the harness that was opened last.

        Raises:
            NoHarnessError: when none is open.
        """
        if not self._open:
            raise NoHarnessError
        return self._open[-1]


open_harnesses = OpenHarnesses()


def check_outside_jobs(verb: str) -> None:
    """Raise when a verb is called by a job.

    Raises:
        VerbInsideJobError: names the job.
    """
    current = current_record.get()
    if current is not None:
        raise VerbInsideJobError(
            f"jobs.{verb}() was called by {call_text(current)} while it ran. A job does not perform others: "
            "what it enqueues is performed after it. Call the verb in the test."
        )


@contextmanager
def sandbox(bridges: Bridges, clock: VirtualClock) -> Generator[Ledger, None, None]:
    """Let every bridge report to a fresh ledger for a block.

    At its end the ledger is dead, the bridges report to where they did before, and the clock is
    back where it was.
    """
    ledger = Ledger(clock)
    token = current_record.set(None)
    with ExitStack() as stack:
        stack.callback(current_record.reset, token)
        stack.enter_context(clock.excursion())
        stack.enter_context(bridges.sandboxed(ledger))
        stack.callback(ledger.die)
        yield ledger


class Capture(Protocol):
    """Brings in the job libraries that the program has imported, and those that it imports later."""

    def begin(self, harness: OpenHarness) -> None:
        """Bring in every library that is imported from now on, and those that are imported already."""
        ...

    def end(self, harness: OpenHarness) -> None:
        """Bring in no more."""
        ...


class HarnessOptions(TypedDict, total=False):
    """How a harness is opened."""

    #: Brings in the libraries that nobody names; None for those of the bridges alone.
    capture: Capture | None
    #: Watch the transactions of the database libraries.
    transactions: Sequence[Transactions]
    #: `record` keeps jobs until a verb performs them, `inline` performs each when due. None records too, but for
    #: what has no queue: the application goes on performing that by itself.
    mode: Mode | None
    #: Where the error of an inline job is raised: at the `end` of the block, or at `enqueue`, in the caller.
    raise_at: RaiseAt
    #: See `jobs_jitter`.
    jitter: Jitter
    #: Exceptions that fail the test whatever a library does with them.
    outcomes: tuple[type[BaseException], ...]


class OpenHarness:
    """The parts of one harness: bridges, ledger, clock and performer, and what is asked of them at its end.

    Assertions, explorations, bridges and plugins ask it, as `jobs.harness`; a test has `Jobs`.
    """

    def __init__(
        self,
        bridges: Iterable[Bridge],
        *,
        capture: Capture | None = None,
        transactions: Sequence[Transactions] = (),
        mode: Mode | None = None,
        raise_at: RaiseAt = "end",
        jitter: Jitter = "zero",
        outcomes: tuple[type[BaseException], ...] = (AssertionError,),
    ) -> None:
        """Prepare a harness with some bridges; see `HarnessOptions` for the rest."""
        #: The `Jobs` of the test, which is defined on top of this file; None while the harness is closed.
        self.jobs: object = None
        #: Bring in the job libraries.
        self.bridges = Bridges(bridges)
        #: The histories of a check that are open: their jobs are in ledgers of their own.
        self.histories: list[object] = []
        self._capture = capture
        #: The transactions of the application.
        self.transactions = TransactionSystems(transactions)
        self._draw: Callable[[], float] = lambda: 0.0
        if jitter != "zero":
            self._draw = random.Random(0).random if jitter == "seeded" else random.random  # noqa: S311
        self._raise_at: RaiseAt = raise_at
        records: list[JobRecord] = []
        #: The virtual clock.
        self.clock = VirtualClock(records)
        #: The store behind the views.
        self.ledger = Ledger(self.clock, records)
        #: Makes the deliveries.
        self.performer = Performer(self.clock, SleepPatch(self.clock), (*outcomes, *_MISUSES))
        #: The jobs that the bridges know.
        self.targets = Targets(self.bridges)
        #: Keep jobs pending.
        self.holdings: list[Holding] = []
        self._early_enqueues = EarlyEnqueues(self.transactions) if transactions else None
        #: The inline mode in force; None where jobs wait for a verb.
        self.inline = self.make_inline() if mode == "inline" else None
        self._keeps_all = mode == "record"
        #: Returns what belongs to the test, or None if everything does: set by plugins before time passes.
        self.find_home: Callable[[], Home | None] = lambda: None
        #: Who reads why an assertion failed: set by plugins. None when nobody can ask for more.
        self.reader: Reader | None = None
        self._ambient: CurrentValues | None = None
        #: The calls of the test that do nothing until they are awaited or entered.
        self.promises = Promises()
        #: The calls that mocks have kept from the queue of a job, where the mocks are gone.
        self.swallowed = SwallowedCalls()
        #: Of assertions that nothing happened: each returns, at the end, why it showed nothing; empty if it did.
        self.doubts: list[Callable[[], str]] = []
        #: The drains that had nothing to perform, with their lines.
        self.idle_drains: list[str] = []
        self.clock.when_let_through = self.promises.real_time
        #: Called when the harness closes, before its bridges are gone.
        self.when_closing: list[Callable[[], None]] = []
        #: Called with the deliveries of each `simulate_retries`.
        self.when_simulated: list[Callable[[Sequence[Delivery]], None]] = []

    @cached_property
    def dead_letters(self) -> DeadLetters:
        return DeadLetters(self.ledger)

    @cached_property
    def recurring(self) -> Recurring:
        return Recurring(self.bridges, self.clock, self.ledger, self.find_home)

    # Opening and closing

    def open(self, jobs: object) -> None:
        """Install the bridges for a test that has `jobs`."""
        self.jobs = jobs
        self.stand_in()
        self._ambient = current_values.get()
        self.performer.sleeps.install()
        self.performer.spectator = open_harnesses.spectator
        self.performer.bracket = open_harnesses.bracket
        self.put_in_force(self.inline)
        self.performer.process = open_harnesses.process or Process()

    def stand_in(self) -> None:
        """Take the place of the application's own queues: to open, and after `stand_aside`."""
        installed: list[Bridge | Transactions] = []
        try:
            for bridge in self.bridges:
                bridge.install(self.ledger, self._draw)
                installed.append(bridge)
            for system in self.transactions:
                system.install(self._commits, self._transaction_ended)
                installed.append(system)
        except BaseException:
            _call_all([found.uninstall for found in reversed(installed)])
            raise
        settings.when_made.append(self.promises.awaitable)
        open_harnesses.push(self)
        if self._capture is not None:
            self._capture.begin(self)

    def stand_aside(self) -> None:
        """Give the application its own queues back, and keep all records."""
        open_harnesses.remove(self)
        settings.when_made = [w for w in settings.when_made if w != self.promises.awaitable]
        in_force = [*self.bridges, *self.transactions]
        ending = [] if self._capture is None else [partial(self._capture.end, self)]
        _call_all([*ending, *(found.uninstall for found in reversed(in_force))])

    def bring_in(self, bridges: Iterable[Bridge]) -> None:
        """Install further bridges while it is open."""
        for bridge in bridges:
            bridge.install(self.ledger, self._draw)
            self.bridges.add(bridge)

    def names(self) -> set[str]:
        """Return the names of the jobs that the test knows: those it has enqueued, and those it asks for."""
        return {*self.ledger.names(), *self.targets.asked}

    def left_waiting(self) -> list[CommitCallback]:
        """Return the jobs that waited for a commit to the end of the test without being seen."""
        return [one for one in self.transactions.unseen() if self._job_of(one) is not None]

    def may_come(self, target: Target | None) -> list[CommitCallback]:
        """Return what waits for a commit and may enqueue a job; nothing if the test has asked what waits.

        A method of a job enqueues that job. A function may enqueue any, and so may a method of the project.

        Args:
            target: the job; None for every job.
        """
        # Late, since few tests come here.
        from .records.home import is_of_library

        found: list[CommitCallback] = []
        if self.transactions.asked:
            return found
        for callback in self.transactions.unseen():
            job = self._job_of(callback)
            if job is None:
                may_come = callback.owner is None or not is_of_library(callback.owner)
            else:
                may_come = target is None or job.is_same(target)
            if may_come:
                found.append(callback)
        return found

    def swallowed_calls(self, target: Target | None) -> Iterator[tuple[str, Any]]:
        """Yield the methods of a job for which mocks stood that have swallowed a call, and the mocks.

        Args:
            target: the job; None for every job.
        """

        def is_meant(owner: Any) -> bool:
            if target is None:
                return self.targets.find(owner) is not None
            is_class_of = isinstance(owner, type) and owner in classes_of(target.job)
            return is_class_of or target.is_same(self.targets.find(owner))

        return self.swallowed.of(is_meant)

    def _job_of(self, callback: CommitCallback) -> Target | None:
        return None if callback.owner is None else self.targets.find(callback.owner)

    def check(self) -> None:
        """Raise the errors that are left at the end of a test; see `Jobs.check`."""
        if self.inline is not None:
            self.inline.raise_errors()
        self.promises.check()
        for text in filter(None, (doubt() for doubt in self.doubts)):
            raise CriterionError(text)
        faults, self.performer.faults = self.performer.faults, []
        for fault in faults:
            if fault.active:
                fault.stop()

    def close(self) -> None:
        """Restore everything, whatever has happened; see `Jobs.close`."""
        self.ledger.die()
        self.jobs = None  # They know each other: both would wait for the garbage collector.
        performer, ambient = self.performer, self._ambient
        _call_all(
            (
                *self.when_closing,
                performer.close,
                performer.sleeps.uninstall,
                self.stand_aside,
                self.clock.stop,
                *(() if ambient is None else (partial(current_values.set, ambient),)),
            )
        )

    def simulated(self, deliveries: Sequence[Delivery]) -> None:
        for call in self.when_simulated:
            call(deliveries)

    # Inline mode, and the transactions that it waits for

    def make_inline(
        self,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
    ) -> Inline:
        kept = None
        if self.transactions:
            kept = RecordsInTransactions(self.transactions.in_transaction)

        def make_selection(since: int) -> Selection:
            return Selection(
                self.targets,
                only,
                exclude,
                queue,
                since=since,
                excluded=kept,
                holdings=self.holdings,
            )

        make_selection(0)  # refuses wrong filters at once
        return Inline(self.ledger, self.performer, make_selection, self._raise_at, kept)

    def put_in_force(self, inline: Inline | None) -> Inline | None:
        before, self.inline = self.inline, inline
        then = None if inline is None else inline.added
        early = self._early_enqueues
        self.ledger.listen(then if early is None else early.before(then))
        return before

    def run_inline(self) -> None:
        """Inline mode: perform what is due now, unless a job is running (it will be performed after it)."""
        if self.inline is not None and current_record.get() is None:
            self.inline.run()

    # What an application performs by itself

    def lets_through(self, record: JobRecord) -> bool:
        """Say whether the application performs a job without a queue, which a bridge has reported as taken.

        One that the test keeps is pending from now on, as a job of any other library.
        """
        if self.inline is not None:
            goes_on = self.inline.admits(record)
        else:
            is_held = any(holding.holds(record) for holding in self.holdings)
            goes_on = not is_held and not self._keeps_all
        if not goes_on:
            self.ledger.put_back([record])
        return goes_on

    async def apass(self, record: JobRecord) -> Delivery:
        """Record the delivery that the application makes of a job that was let through: for bridges.

        Raises:
            BaseException: what does not derive from Exception, such as a cancellation: the job is lost.
        """
        try:
            delivery = await self.performer.adeliver(self.ledger, record, in_real_time=True)
        except BaseException:
            self.ledger.removed(record)
            raise
        self.run_inline()
        return delivery

    def _commits(self) -> bool:
        """Return whether callbacks run after a transaction, as in production, and do not wait for a verb."""
        return self.inline is not None or current_record.get() is not None

    def _transaction_ended(self) -> None:
        if self.inline is not None and self.transactions.open_here() is None:
            self.inline.transaction_ended()


def _call_all(functions: Iterable[Callable[[], object]]) -> None:
    """Call every function, also after one has raised."""
    rest = iter(functions)
    for function in rest:
        try:
            function()
        except BaseException:
            _call_all(rest)
            raise
