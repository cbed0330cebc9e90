"""Which records each verb performs, and in which order.

A verb is a plan: a generator that yields the next record to perform, is sent the delivery that was made
of it, and returns the verb's result. The synchronous verbs and their `a` twins drive the same plans.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar, cast

from ...errors import (
    CriterionError,
    LoopLimitError,
    NothingMatchedError,
    NotPerformedError,
    TooFewPerformedError,
)
from ..ledger.ledger import Ledger
from ..ledger.selection import Holding, JobFilter, JobFilters, Selection
from ..records.bridge import CountsAttempts
from ..records.delivery import Delivery, Tally
from ..records.record import ITS_TURN, PENDING, TAKEN, JobRecord
from ..records.targets import Targets
from ..records.texts import short_name
from .recurring import Recurring

T = TypeVar("T")
Plan: TypeAlias = Generator[JobRecord, Delivery, T]

#: How many jobs that are enqueued during a verb it performs before it takes them for a loop.
DEFAULT_LIMIT = 10_000
_RECENT = 1_000
_ADVICE_ON_VERBS = (
    "perform one round with `jobs.perform_due(children=False)`, or pass a `limit=` above {limit} if it has an "
    "end"
)


def drive(plan: Plan[T], deliver: Callable[[JobRecord], Delivery]) -> T:
    """Perform what a plan yields and return its result."""
    delivery: Any = None  # the first `send` only starts the plan
    try:
        while True:
            try:
                record = plan.send(delivery)
            except StopIteration as end:
                return cast(T, end.value)
            # Outside of the inner `try`, since a job may raise StopIteration itself.
            delivery = deliver(record)
    finally:
        plan.close()


async def adrive(plan: Plan[T], deliver: Callable[[JobRecord], Awaitable[Delivery]]) -> T:
    """Drive a plan on the running event loop; see `drive`."""
    delivery: Any = None
    try:
        while True:
            try:
                record = plan.send(delivery)
            except StopIteration as end:
                return cast(T, end.value)
            delivery = await deliver(record)
    finally:
        plan.close()


def perform_one(
    ledger: Ledger, record: JobRecord, attempt: int | None, holdings: Iterable[Holding]
) -> Plan[Delivery]:
    """Perform one record, due or not, as the attempt that it asks for or as another."""
    if record.state is not PENDING:
        state = "has been performed" if record.state is TAKEN else "was withdrawn"
        raise NotPerformedError(
            f"{record!r} {state}, so it is not pending: to deliver the same payload again, write "
            "jobs.perform(jobs.redeliver(record))."
        )
    for holding in holdings:
        if holding.holds(record):
            raise NotPerformedError(
                f"{record!r} is held back by jobs.holding({holding.described}): release it first."
            )
    if attempt is not None and (type(attempt) is not int or attempt < 1):
        raise CriterionError(f"attempt={attempt!r} is not an attempt: they are counted from 1.")
    if attempt is None or attempt == record.attempt:
        ledger.claim(record)
        return (yield record)
    bridge: object = record.source
    if not isinstance(bridge, CountsAttempts):
        raise CriterionError(
            f"jobs.perform(record, attempt={attempt}): the jobs of {record.bridge} do not carry the number of "
            f"their attempt, so {short_name(record.name)} cannot be told that it is another. Leave attempt= out."
        )
    other = bridge.as_attempt(record, attempt)
    ledger.replace(record, other)
    return (yield other)


class VerbFilters(JobFilters, total=False):
    """The keywords of the verbs that perform several jobs: filters and limits."""

    #: How many jobs that are enqueued meanwhile are performed at most. Default: 10,000.
    limit: int
    #: How many deliveries there must be. Default: 0. Written down, 0 says that none are right too, in strict mode.
    at_least: int
    #: The number of deliveries after which the verb stops; None, the default, for no end.
    at_most: int | None
    #: Whether a job that ends in failure raises its error out of the verb; the rest then stays pending.
    #: Default: True.
    raise_errors: bool


class VerbCall:
    """One call of `perform_due`, `drain` or `run_for`: its keywords, its plan, and its tally."""

    __slots__ = (
        "_at_least",
        "at_most",
        "ledger",
        "limit",
        "may_be_idle",
        "meanwhile",
        "raise_errors",
        "selection",
        "tally",
    )

    def __init__(
        self,
        ledger: Ledger,
        targets: Targets,
        holdings: Sequence[Holding],
        *,
        only: JobFilter | None = None,
        exclude: JobFilter | None = None,
        queue: str | Iterable[str] | None = None,
        limit: int = DEFAULT_LIMIT,
        at_least: int | None = None,
        at_most: int | None = None,
        raise_errors: bool = True,
    ) -> None:
        """Check the keywords; `VerbFilters` says what they mean.

        Raises:
            CriterionError: when a keyword has a value that makes no sense.
        """
        #: Whether the test says that there may be nothing to perform.
        self.may_be_idle = at_least == 0
        if at_least is None:
            at_least = 0
        if type(at_least) is not int or at_least < 0:
            raise CriterionError(
                f"at_least={at_least!r} is not a number of deliveries: write an int of at least 0."
            )
        if at_most is not None and (type(at_most) is not int or at_most < 1):
            raise CriterionError(
                f"at_most={at_most!r} is not a number of deliveries: write an int of at least 1."
            )
        if at_most is not None and at_least > at_most:
            raise CriterionError(
                f"at_least={at_least} is more than at_most={at_most}: no number of deliveries is both."
            )
        self.selection = Selection(targets, only, exclude, queue, holdings=holdings)
        if type(limit) is not int or limit < 0:
            raise CriterionError(
                f"limit={limit!r} is not a number of jobs: write an int of at least 0."
            )
        self.ledger = ledger
        self.limit = limit
        self._at_least = at_least
        self.at_most = at_most
        self.raise_errors = raise_errors
        self.tally = Tally()
        #: Called before the clock moves to a time: lets go on what jobs have left; returns whether there was any.
        self.meanwhile: Callable[[int], bool] = _nothing_left

    def perform_due(self, *, children: bool) -> Plan[Tally]:
        """Perform what is due; the clock stands still."""
        ledger, selection = self.ledger, self.selection
        guard = LoopGuard(ledger, self.limit, "jobs.perform_due()")
        selection.before = None if children else len(ledger.records)
        try:
            while not self.is_full() and (record := ledger.take(selection)) is not None:
                guard.check(record)
                self.tally.count((yield record))
            self.check("perform_due", ledger.now_ns(), " that is due")
        finally:
            ledger.put_back(selection.passed_over())
        return self.tally

    def drain(self, until_ns: int | None) -> Plan[Tally]:
        """Perform everything, children and retries included; the clock jumps to each due time."""
        self.selection.until_ns = until_ns
        try:
            yield from self._perform_until(until_ns, self.limit, "drain")
            self.check("drain", until_ns)
        finally:
            self.ledger.put_back(self.selection.passed_over())
        return self.tally

    def run_for(self, delta_ns: int, recurring: Recurring) -> Plan[Tally]:
        """Perform what comes due within a time, which has passed at the end; recurring tasks fire in it."""
        clock = self.ledger.clock
        start_ns = clock.now_ns()
        end_ns = self.selection.until_ns = start_ns + delta_ns
        firings = recurring.round(start_ns, end_ns)
        try:
            with clock.stopping(firings):
                while (firing_ns := firings.next_ns) is not None:
                    # What fires while a job sleeps is enqueued during the verb too, and is not a loop.
                    limit = self.limit + firings.left
                    yield from self._perform_until(firing_ns - 1, limit, "run_for")
                    self.meanwhile(firing_ns)
                    clock.reach_ns(firing_ns)
                    firings.check()
                yield from self._perform_until(end_ns, self.limit, "run_for")
                if self.meanwhile(end_ns):
                    yield from self._perform_until(end_ns, self.limit, "run_for")
            recurring.passed(end_ns)
            self.check("run_for", end_ns)
        finally:
            self.ledger.put_back(self.selection.passed_over())
        clock.reach_ns(end_ns)
        return self.tally

    def _perform_until(self, until_ns: int | None, limit: int, verb: str) -> Plan[None]:
        ledger, selection = self.ledger, self.selection
        guard = LoopGuard(ledger, limit, f"jobs.{verb}()")
        while not self.is_full():
            record = ledger.take(selection)
            if record is not None:
                guard.check(record)
                self.tally.count((yield record))
                continue
            due_ns = ledger.next_due_ns(selection)
            if due_ns is None or (until_ns is not None and due_ns > until_ns):
                return
            self.meanwhile(due_ns)
            ledger.clock.reach_ns(due_ns)

    def is_full(self) -> bool:
        """Return whether the verb has made as many deliveries as it may."""
        return self.at_most is not None and self.tally.total >= self.at_most

    def check(self, verb: str, until_ns: int | None, which: str = "") -> None:
        """Raise when the verb has left jobs that nobody serves, or has done less than it was to do.

        Args:
            verb: its name.
            until_ns: jobs that are due after this were not to be performed; None for no end.
            which: which of the pending jobs it could have performed, in words.

        Raises:
            UnservedQueueError: with the jobs in queues that no worker serves.
            NothingMatchedError: when filters were given and matched nothing.
            TooFewPerformedError: when there were fewer deliveries than `at_least`.
        """
        ledger, selection, tally = self.ledger, self.selection, self.tally
        if not self.is_full():
            unserved = ledger.unserved(selection, f"jobs.{verb}()", until_ns)
            if unserved is not None:
                raise unserved
        if not tally.total:
            ledger.check_nothing_refused(f"jobs.{verb}() had nothing to perform")
        unmatched = not selection.unfiltered and not selection.selected
        if not unmatched and tally.total >= self._at_least:
            return
        counts: Counter[str] = Counter()
        now_ns = ledger.now_ns()
        for record in ledger.pending():
            text = f"{short_name(record.name)} in {record.queue!r}"
            if which and (record.envelope.due_ns or 0) > now_ns:
                text += " due later"
            if record.blocked_until_ns == ITS_TURN:
                text += " that waits for its lock"
            counts[f"{text} held back" if selection.is_held(record) else text] += 1
        waiting = ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing"
        if unmatched:
            raise NothingMatchedError(
                f"jobs.{verb}({selection.described}) matches no pending job{which}, so it would have done "
                f"nothing. Pending: {waiting}."
            )
        made = ", ".join(f"{count} {status}" for status, count in tally.items())
        deliveries = "1 delivery" if self._at_least == 1 else f"{self._at_least} deliveries"
        # Draining without an end performs whatever is pending, due or not.
        due = "" if until_ns is None else ", and that they are due by its end"
        if verb == "perform_due":
            due = ", and that they are due: jobs.drain() moves the clock to each"
        raise TooFewPerformedError(
            f"jobs.{verb}() was to make at least {deliveries} and made "
            f"{f'only {tally.total} ({made})' if tally.total else 'none'}. Pending: {waiting}. Make sure that "
            f"the code which enqueues the jobs ran before it{due}."
        )


def _nothing_left(ns: int) -> bool:
    return False


class LoopGuard:
    """Stops a verb, or inline mode, that would go on performing for ever."""

    __slots__ = ("_advice", "_before", "_late", "_ledger", "_limit", "_newest", "_what")

    def __init__(
        self, ledger: Ledger, limit: int, what: str, advice: str = _ADVICE_ON_VERBS
    ) -> None:
        """Begin to count.

        Args:
            ledger: has the records, and the deliveries.
            limit: how many records that are enqueued from now on are performed at most.
            what: what is stopped, as the message calls it.
            advice: what can be done besides ending the loop; may name the limit.
        """
        self._ledger = ledger
        self._limit = limit
        self._what = what
        self._advice = advice
        self._newest = len(ledger.records)
        self._before = len(ledger.deliveries)
        self._late = 0

    def check(self, record: JobRecord) -> None:
        """Count a record that was enqueued meanwhile.

        Raises:
            LoopLimitError: when there have been too many; the record stays pending.
        """
        if record.sequence < self._newest:
            return
        self._late += 1
        if self._late <= self._limit:
            return
        self._ledger.put_back([record])
        deliveries = self._ledger.deliveries
        last = deliveries[max(self._before, len(deliveries) - _RECENT) :]
        recent = Counter(delivery.record.name for delivery in last)
        name, count = recent.most_common(1)[0] if recent else (record.name, 0)
        raise LoopLimitError(
            f"{self._what} stopped: it performed {self._limit} jobs that were enqueued while it ran, and more are "
            f"pending. Of the last {recent.total()}, {count} were {short_name(name)}, which most likely enqueues "
            f"itself, or retries, for ever. Give its chain an end, {self._advice.format(limit=self._limit)}."
        )
