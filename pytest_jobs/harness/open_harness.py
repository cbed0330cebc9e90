"""A harness while it is open: its parts, and how everything is restored."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, Self, TypeAlias

from ..core.enqueueing.context import CurrentValues, current_values
from ..core.foundation.settings import settings
from ..errors import CriterionError, NoHarnessError, RefusedEnqueueError, VerbInsideJobError
from .commits.early_enqueues import EarlyEnqueues
from .commits.transactions import (
    WITH_TEST_CASE,
    CommitCallback,
    Transactions,
    TransactionSystems,
)
from .ledger.dead_letters import DeadLetters
from .ledger.ledger import Ledger
from .ledger.selection import Holding, JobFilter, Selection
from .records.bridge import Bridge, Bridges
from .records.delivery import Delivery
from .records.mocks import EndsOfPatches, SwallowedCalls, classes_of
from .records.record import JobRecord, call_text, current_record
from .records.targets import Target, Targets
from .records.texts import Reader
from .running.inline import Inline, RaiseAt, RecordsInTransactions
from .running.performer import Adversary, Bracket, Performer
from .running.promises import Promises
from .running.recurring import Recurring
from .time.clock import RealTime, VirtualClock
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

    __slots__ = ("_open", "adversary", "bracket", "ends_of_patches", "further_bridges")

    def __init__(self) -> None:
        # Untyped, since the innermost is a `Jobs`, which is defined on top of this file.
        self._open: list[Any] = []
        #: Patching is dear, so the plugin keeps it in force for the session.
        self.ends_of_patches = EndsOfPatches(self._patch_ends)
        #: Makes the deliveries of each harness that is opened from now on.
        self.adversary: Adversary | None = None
        #: Called at the beginning of each delivery of each harness that is opened from now on.
        self.bracket: Bracket | None = None
        #: Returns new bridges for a harness, besides those to the applications that are named.
        self.further_bridges: Callable[[], Iterable[Bridge]] = tuple

    def push(self, harness: OpenHarness) -> None:
        self._open.append(harness)
        self.ends_of_patches.enter()

    def remove(self, harness: OpenHarness) -> None:
        if harness in self._open:
            self._open.remove(harness)
            self.ends_of_patches.leave()

    def _patch_ends(self, owner: Any, name: str) -> None:
        if self._open:
            self._open[-1].note_end_of_patch(owner, name)

    def of_ledger(self, ledger: object) -> Any:
        """Return the harness that has a ledger; None for the ledger of a check or a simulation."""
        return next((each for each in self._open if each.ledger is ledger), None)

    def any_open(self) -> bool:
        return bool(self._open)

    def innermost_or_none(self) -> Any:
        """Return the harness that was opened last; None when none is open."""
        return self._open[-1] if self._open else None

    def innermost(self) -> Any:
        """Return the harness that was opened last; `current_jobs` is the typed way to it.

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
        stack.enter_context(bridges.sandboxed(lambda bridge: bridge.sandbox(ledger)))
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


class OpenHarness:
    """Owns the bridges, the ledger, the clock and the performer of one test.

    Its attributes are for assertions, explorations and plugins; tests use the views and verbs of `Jobs`.
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
        """Prepare a harness; `open` puts it in force.

        Args:
            bridges: bring in the job libraries.
            capture: brings in the libraries that nobody names; None for those of `bridges` alone.
            transactions: watch the transactions of the database libraries.
            mode: `record` keeps jobs until a verb performs them, `inline` performs each when due. None records
                too, but for what has no queue: the application goes on performing that by itself.
            raise_at: where the error of an inline job is raised: at the `end` of the test or block,
                or in the caller that enqueued it.
            jitter: see `jobs_jitter`.
            outcomes: exceptions that fail the test whatever a library does with them.
        """
        #: Bring in the job libraries.
        self.bridges = Bridges(bridges)
        #: The histories of a check that are open: their jobs are in ledgers of their own.
        self.histories: list[object] = []
        self._capture = capture
        self._transactions = TransactionSystems(transactions)
        self._callbacks_seen: set[tuple[str, str, str]] = set()
        #: Whether the test has asked what waits for a commit, be it only for the number.
        self._knows_what_waits = False
        self._draw: Callable[[], float] = lambda: 0.0
        if jitter != "zero":
            self._draw = random.Random(0).random if jitter == "seeded" else random.random  # noqa: S311
        self._raise_at: RaiseAt = raise_at
        records: list[JobRecord] = []
        self._clock = VirtualClock(records)
        #: The store behind the views.
        self.ledger = Ledger(self._clock, records)
        #: Makes the deliveries.
        self.performer = Performer(self._clock, SleepPatch(self._clock), (*outcomes, *_MISUSES))
        self.performer.bridges = self.bridges
        #: The jobs that the bridges know.
        self.targets = Targets(self.bridges)
        self._holdings: list[Holding] = []
        self._early_enqueues = EarlyEnqueues(self._transactions) if transactions else None
        self._inline = self._make_inline() if mode == "inline" else None
        self._keeps_all = mode == "record"
        #: Returns what belongs to the test, or None if everything does: set by plugins before time passes.
        self.find_home: Callable[[], Home | None] = lambda: None
        #: Who reads why an assertion failed: set by plugins. None when nobody can ask for more.
        self.reader: Reader | None = None
        self._ambient: CurrentValues | None = None
        #: The calls of the test that do nothing until they are awaited or entered.
        self.promises = Promises()
        #: The calls that mocks have kept from the queue of a job, where the mocks are gone.
        self._swallowed = SwallowedCalls()
        #: Of assertions that nothing happened: each returns, at the end, why it showed nothing; empty if it did.
        self.doubts: list[Callable[[], str]] = []
        #: The drains that had nothing to perform, with their lines.
        self.idle_drains: list[str] = []
        self._clock.when_let_through = self.promises.real_time
        self._when_closing: list[Callable[[], None]] = []
        self._when_simulated: list[Callable[[Sequence[Delivery]], None]] = []

    @property
    def clock(self) -> VirtualClock:
        """The virtual clock."""
        return self._clock

    @property
    def harness(self) -> Self:
        """What the package itself asks of an open harness."""
        return self

    @cached_property
    def _dead_letters(self) -> DeadLetters:
        return DeadLetters(self.ledger)

    @cached_property
    def _recurring(self) -> Recurring:
        return Recurring(self.bridges, self._clock, self.ledger, self.find_home)

    def firings_between(self, now_ns: int, until_ns: int) -> list[tuple[int, Callable[[], object]]]:
        """Return what recurring tasks enqueue after now and up to another time, for a world of its own."""
        return self._recurring.firings_between(now_ns, until_ns)

    # Opening and closing

    def open(self) -> None:
        """Install the bridges: from now on the application's jobs come here."""
        self.stand_in()
        self._ambient = current_values.get()
        self.performer.sleeps.install()
        self.performer.adversary = open_harnesses.adversary
        self.performer.bracket = open_harnesses.bracket
        self._put_in_force(self._inline)

    def note_end_of_patch(self, owner: Any, name: str) -> None:
        """Note that a patch of a method that enqueues ends."""
        self._swallowed.note(owner, name)

    def stand_in(self) -> None:
        """Take the place of the application's own queues: for plugins, after `stand_aside`."""
        installed: list[Bridge | Transactions] = []
        try:
            for bridge in self.bridges:
                bridge.install(self.ledger, self._draw)
                installed.append(bridge)
            for system in self._transactions:
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
        """Give the application its own queues back, and keep all records: for plugins."""
        open_harnesses.remove(self)
        settings.when_made = [w for w in settings.when_made if w != self.promises.awaitable]
        in_force = [*self.bridges, *self._transactions]
        ending = [] if self._capture is None else [partial(self._capture.end, self)]
        _call_all([*ending, *(found.uninstall for found in reversed(in_force))])

    def bring_in(self, bridges: Iterable[Bridge]) -> None:
        """Install further bridges in an open harness: for plugins."""
        for bridge in bridges:
            bridge.install(self.ledger, self._draw)
            self.bridges.add(bridge)

    def left_waiting(self) -> list[CommitCallback]:
        """Return the jobs that waited for a commit to the end of the test without being seen: for plugins."""
        return [callback for callback in self._unseen() if self._job_of(callback) is not None]

    def may_come(self, target: Target | None) -> list[CommitCallback]:
        """Return what waits for a commit and may enqueue a job; nothing if the test has asked what waits.

        A method of a job enqueues that job. A function may enqueue any, and so may a method of the project.

        Args:
            target: the job; None for every job.
        """
        # Late, since few tests come here.
        from .records.home import is_of_library

        found: list[CommitCallback] = []
        if self._knows_what_waits:
            return found
        for callback in self._unseen():
            job = self._job_of(callback)
            if job is None:
                may_come = callback.owner is None or not is_of_library(callback.owner)
            else:
                may_come = target is None or job.is_same(target)
            if may_come:
                found.append(callback)
        return found

    def still_waiting(self) -> Sequence[CommitCallback]:
        """Return what waits for a commit: for assertions, whose look is not one of the test."""
        return self._transactions.callbacks("waiting")

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

        return self._swallowed.of(is_meant)

    def _unseen(self) -> Iterator[CommitCallback]:
        for callback in self._transactions.callbacks("waiting"):
            if callback.key not in self._callbacks_seen:
                yield callback
        for callback in self._transactions.callbacks("dropped"):
            if callback.dropped == WITH_TEST_CASE and callback.key not in self._callbacks_seen:
                yield replace(callback, state="waiting", dropped="")

    def _job_of(self, callback: CommitCallback) -> Target | None:
        return None if callback.owner is None else self.targets.find(callback.owner)

    def check(self) -> None:
        """Raise the errors that are left at the end of a test.

        Raises:
            BaseException: the error of a job that was performed inline.
            ForgottenCallError: when a call was never awaited, or a block never entered.
            CriterionError: when an assertion that nothing happened would have held whatever the application does.
            UnusedFaultError: when a fault never met a delivery.
        """
        if self._inline is not None:
            self._inline.raise_errors()
        self.promises.check()
        for text in filter(None, (doubt() for doubt in self.doubts)):
            raise CriterionError(text)
        faults, self.performer.faults = self.performer.faults, []
        for fault in faults:
            if fault.active:
                fault.stop()

    def close(self) -> None:
        """Restore everything, whatever has happened.

        Raises:
            ClockConflictError: when another library holds the time; everything is restored all the same.
        """
        self.ledger.die()
        performer, ambient = self.performer, self._ambient
        _call_all(
            (
                *self._when_closing,
                performer.close,
                performer.sleeps.uninstall,
                self.stand_aside,
                self._clock.stop,
                *(() if ambient is None else (partial(current_values.set, ambient),)),
            )
        )

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

    @contextmanager
    def reporting_to(self, other: OpenHarness) -> Generator[None, None, None]:
        """Record into another harness what is enqueued during a block: for plugins."""
        with self.bridges.sandboxed(lambda bridge: bridge.sandbox(other.ledger)):
            yield

    def when_begun(self, call: Callable[[JobRecord, int], None]) -> None:
        """Call a function with every record before it is performed, and the number of records: for plugins."""
        self.performer.when_begun.append(call)

    def when_delivered(self, call: Callable[[Delivery], None]) -> None:
        """Call a function with every delivery, after it was recorded: for plugins."""
        self.performer.when_delivered.append(call)

    def when_closing(self, call: Callable[[], None]) -> None:
        """Call a function when the harness closes, before its bridges are gone: for plugins."""
        self._when_closing.append(call)

    def when_simulated(self, call: Callable[[Sequence[Delivery]], None]) -> None:
        """Call a function with the deliveries of each `simulate_retries`: for plugins."""
        self._when_simulated.append(call)

    @property
    def firings(self) -> Sequence[tuple[str, int, Sequence[int]]]:
        """The recurring tasks that were due: key, "" for one of a job library, time, sequences of its records."""
        return self._recurring.firings

    @property
    def firings_left_out(self) -> Mapping[str, int]:
        """How often something was due of applications that do not belong to the test, by their paths."""
        return self._recurring.left_out

    @property
    def firings_began_ns(self) -> int | None:
        """The time of the system from which recurring tasks fired; None where the test chose the time."""
        return self._recurring.origin_ns

    def _simulated(self, deliveries: Sequence[Delivery]) -> None:
        for call in self._when_simulated:
            call(deliveries)

    def real_time(self) -> RealTime:
        """Let the time of the system through for a block, in which sleeping is real too."""
        return self._clock.real_time()

    # Inline mode, and the transactions that it waits for

    def _make_inline(
        self,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
    ) -> Inline:
        kept = None
        if self._transactions:
            kept = RecordsInTransactions(self._transactions.in_transaction)

        def make_selection(since: int) -> Selection:
            return Selection(
                self.targets,
                only,
                exclude,
                queue,
                since=since,
                excluded=kept,
                holdings=self._holdings,
            )

        make_selection(0)  # refuses wrong filters at once
        return Inline(self.ledger, self.performer, make_selection, self._raise_at, kept)

    def _put_in_force(self, inline: Inline | None) -> Inline | None:
        before, self._inline = self._inline, inline
        then = None if inline is None else inline.added
        early = self._early_enqueues
        self.ledger.listen(then if early is None else early.before(then))
        return before

    def _run_inline(self) -> None:
        """Inline mode: perform what is due now, unless a job is running (it will be performed after it)."""
        if self._inline is not None and current_record.get() is None:
            self._inline.run()

    # What an application performs by itself

    def lets_through(self, record: JobRecord) -> bool:
        """Say whether the application performs a job without a queue, which a bridge has reported as taken.

        One that the test keeps is pending from now on, as a job of any other library.
        """
        if self._inline is not None:
            goes_on = self._inline.admits(record)
        else:
            is_held = any(holding.holds(record) for holding in self._holdings)
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
            delivery = await self.performer.apass(self.ledger, record)
        except BaseException:
            self.ledger.removed(record)
            raise
        self._run_inline()
        return delivery

    def _commits(self) -> bool:
        """Return whether callbacks run after a transaction, as in production, and do not wait for a verb."""
        return self._inline is not None or current_record.get() is not None

    def _transaction_ended(self) -> None:
        if self._inline is not None and self._transactions.open_here() is None:
            self._inline.transaction_ended()

    def __repr__(self) -> str:
        pending = sum(1 for _ in self.ledger.pending())
        return f"<Jobs {len(self.ledger.records)} records, {pending} pending>"


def _call_all(functions: Iterable[Callable[[], object]]) -> None:
    """Call every function, also after one has raised."""
    rest = iter(functions)
    for function in rest:
        try:
            function()
        except BaseException:
            _call_all(rest)
            raise
