"""What each verb performs, and in which order.

A verb is a plan: a generator that yields the next record to perform, is sent the delivery that
came of it, and returns the verb's result. The synchronous verbs and their `a` twins drive the same
plans.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import TypeAlias, TypeVar, cast

from ...errors import (
    CriterionError,
    LoopLimitError,
    NothingMatchedError,
    NotPerformedError,
    TooFewPerformedError,
)
from ..ledger.ledger import Ledger
from ..ledger.queues import check_served
from ..ledger.selection import Holding, Selection
from ..records.bridge import CountsAttempts
from ..records.delivery import Delivery, Tally
from ..records.record import PENDING, TAKEN, JobRecord
from ..records.texts import short_name
from ..time.clock import VirtualClock
from .recurring import Recurring

T = TypeVar("T")
Plan: TypeAlias = Generator[JobRecord, Delivery, T]

#: How many jobs that came up during one verb it performs before it takes them for a loop.
DEFAULT_LIMIT = 10_000
_RECENT = 1_000
_ADVICE_ON_VERBS = "perform a part with `until=` or `only=`, or pass a `limit=` above {limit}"


def drive(plan: Plan[T], deliver: Callable[[JobRecord], Delivery]) -> T:
    """Carry a plan out and return its result."""
    try:
        record = next(plan)
    except StopIteration as end:
        return cast(T, end.value)
    try:
        while True:
            delivery = deliver(record)
            try:
                record = plan.send(delivery)
            except StopIteration as end:
                return cast(T, end.value)
    finally:
        plan.close()


async def adrive(plan: Plan[T], deliver: Callable[[JobRecord], Awaitable[Delivery]]) -> T:
    """Carry a plan out on the running event loop and return its result."""
    try:
        record = next(plan)
    except StopIteration as end:
        return cast(T, end.value)
    try:
        while True:
            delivery = await deliver(record)
            try:
                record = plan.send(delivery)
            except StopIteration as end:
                return cast(T, end.value)
    finally:
        plan.close()


class Bounds:
    """The least and the most deliveries of one verb call."""

    __slots__ = ("_least", "_most")

    def __init__(self, at_least: int, at_most: int | None) -> None:
        """Take the arguments of a verb.

        Args:
            at_least: with fewer the verb raises.
            at_most: the verb stops after so many; None for no end.

        Raises:
            CriterionError: when no number of deliveries is meant.
        """
        if type(at_least) is not int or at_least < 0:
            raise CriterionError(
                f"at_least={at_least!r} is no number of deliveries: write an int of at least 0."
            )
        if at_most is not None and (type(at_most) is not int or at_most < 1):
            raise CriterionError(
                f"at_most={at_most!r} is no number of deliveries: write an int of at least 1."
            )
        if at_most is not None and at_least > at_most:
            raise CriterionError(
                f"at_least={at_least} is more than at_most={at_most}: no number of deliveries is both."
            )
        self._least = at_least
        self._most = at_most

    def reached_by(self, tally: Tally) -> bool:
        """Say whether the verb stops here."""
        return self._most is not None and tally.total >= self._most

    def reached_at(self, deliveries: int) -> bool:
        """Say whether the verb stops after so many."""
        return self._most is not None and deliveries >= self._most

    def missed_by(self, tally: Tally) -> bool:
        """Say whether there were too few deliveries."""
        return tally.total < self._least

    def text(self, tally: Tally, verb: str, waiting: str) -> str:
        """Return the message that says so.

        Args:
            tally: what the verb did.
            verb: its name.
            waiting: what is pending still, in words.
        """
        counts = ", ".join(f"{count} {status}" for status, count in tally.items())
        made = f"only {tally.total} ({counts})" if tally.total else "none"
        deliveries = "1 delivery" if self._least == 1 else f"{self._least} deliveries"
        return (
            f"jobs.{verb}() was to make at least {deliveries} and made {made}. Pending: {waiting}. Make sure that "
            "the code which enqueues the jobs ran before it, and that they are due."
        )


def check_limit(limit: object) -> None:
    """Check the number of jobs that may come up during a verb.

    Raises:
        CriterionError: when it is none.
    """
    if type(limit) is not int or limit < 0:
        raise CriterionError(f"limit={limit!r} is no number of jobs: write an int of at least 0.")


def perform_one(
    ledger: Ledger, record: JobRecord, attempt: int | None, holdings: Iterable[Holding]
) -> Plan[Delivery]:
    """Perform one record, due or not, as the attempt that it is, or as another."""
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
        raise CriterionError(f"attempt={attempt!r} is no attempt: they are counted from 1.")
    if attempt is None or attempt == record.attempt:
        ledger.claim(record)
        return (yield record)
    other = _as_attempt(record, attempt)
    ledger.stand_in(record, other)
    return (yield other)


def _as_attempt(record: JobRecord, attempt: int) -> JobRecord:
    """Return a record that asks for another attempt of the same job, as the library itself would.

    Raises:
        CriterionError: when the library does not count attempts.
    """
    bridge: object = record.source
    if not isinstance(bridge, CountsAttempts):
        raise CriterionError(
            f"jobs.perform(record, attempt={attempt}): the jobs of {record.bridge} do not carry the number of "
            f"their attempt, so {short_name(record.name)} cannot be told that it is another. Leave attempt= out."
        )
    return bridge.as_attempt(record, attempt)


def perform_due(
    ledger: Ledger, selection: Selection, bounds: Bounds, *, children: bool, limit: int
) -> Plan[Tally]:
    """Perform what is due, the clock standing still."""
    tally = Tally()
    loop = LoopGuard(ledger, limit, "jobs.perform_due()")
    selection.before = None if children else len(ledger.records)
    try:
        while not bounds.reached_by(tally) and (record := ledger.take(selection)) is not None:
            loop.check(record)
            tally.count((yield record))
        if not bounds.reached_by(tally):
            check_served(ledger, selection, "jobs.perform_due()", ledger.now_ns())
        check_done(tally, "perform_due", ledger, selection, bounds, " that is due")
    finally:
        ledger.put_back(selection.held())
    return tally


def drain(
    ledger: Ledger,
    clock: VirtualClock,
    selection: Selection,
    bounds: Bounds,
    *,
    until_ns: int | None,
    limit: int,
) -> Plan[Tally]:
    """Perform everything, children and retries included; the clock jumps to each due time."""
    tally = Tally()
    selection.until_ns = until_ns
    try:
        yield from _drain_until(ledger, clock, selection, bounds, tally, until_ns, limit, "drain")
        if not bounds.reached_by(tally):
            check_served(ledger, selection, "jobs.drain()", until_ns)
        check_done(tally, "drain", ledger, selection, bounds, "")
    finally:
        ledger.put_back(selection.held())
    return tally


def run_for(
    ledger: Ledger,
    clock: VirtualClock,
    selection: Selection,
    bounds: Bounds,
    recurring: Recurring,
    *,
    delta_ns: int,
    limit: int,
) -> Plan[Tally]:
    """Perform what comes due within a time, which has passed at the end; recurring tasks fire in it."""
    check_limit(limit)
    start_ns = clock.now_ns()
    end_ns = selection.until_ns = start_ns + delta_ns
    tally = Tally()

    def perform_until(until_ns: int) -> Plan[None]:
        # What fires while a job sleeps comes up meanwhile, and is no loop.
        most = limit + firings.left
        return _drain_until(ledger, clock, selection, bounds, tally, until_ns, most, "run_for")

    firings = recurring.round(start_ns, end_ns)
    try:
        with clock.stopping(firings):
            while (firing_ns := firings.next_ns) is not None:
                yield from perform_until(firing_ns - 1)
                clock.reach_ns(firing_ns)
                firings.check()
            yield from perform_until(end_ns)
        recurring.passed(end_ns)
        if not bounds.reached_by(tally):
            check_served(ledger, selection, "jobs.run_for()", end_ns)
        check_done(tally, "run_for", ledger, selection, bounds, "")
    finally:
        ledger.put_back(selection.held())
    clock.reach_ns(end_ns)
    return tally


def _drain_until(
    ledger: Ledger,
    clock: VirtualClock,
    selection: Selection,
    bounds: Bounds,
    tally: Tally,
    until_ns: int | None,
    limit: int,
    verb: str,
) -> Plan[None]:
    loop = LoopGuard(ledger, limit, f"jobs.{verb}()")
    while not bounds.reached_by(tally):
        record = ledger.take(selection)
        if record is not None:
            loop.check(record)
            tally.count((yield record))
            continue
        due_ns = ledger.next_due_ns(selection)
        if due_ns is None or (until_ns is not None and due_ns > until_ns):
            return
        clock.reach_ns(due_ns)


def check_done(
    tally: Tally, verb: str, ledger: Ledger, selection: Selection, bounds: Bounds, which: str
) -> None:
    """Raise when a verb has done nothing although it has filters, or less than it was to do.

    Raises:
        NothingMatchedError: with what was waiting instead.
        TooFewPerformedError: likewise.
    """
    unmatched = not selection.unfiltered and not selection.selected
    if not unmatched and not bounds.missed_by(tally):
        return
    now_ns = ledger.now_ns() if which else None
    counts = Counter(_waiting_text(record, now_ns, selection) for record in ledger.pending())
    waiting = ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing"
    if unmatched:
        raise NothingMatchedError(
            f"jobs.{verb}({selection.described}) matches no pending job{which}, so it would have done nothing. "
            f"Pending: {waiting}."
        )
    raise TooFewPerformedError(bounds.text(tally, verb, waiting))


def _waiting_text(record: JobRecord, now_ns: int | None, selection: Selection) -> str:
    text = f"{short_name(record.name)} in {record.queue!r}"
    due_ns = record.envelope.due_ns
    if now_ns is not None and due_ns is not None and due_ns > now_ns:
        text += " due later"
    return f"{text} held back" if selection.holds(record) else text


class LoopGuard:
    """Stops what would go on performing for ever."""

    __slots__ = ("_advice", "_before", "_late", "_ledger", "_limit", "_newest", "_what")

    def __init__(
        self, ledger: Ledger, limit: int, what: str, advice: str = _ADVICE_ON_VERBS
    ) -> None:
        """Begin to count.

        Args:
            ledger: has the records, and the deliveries.
            limit: how many records that came up meanwhile are performed at most.
            what: what is stopped.
            advice: what can be done besides ending the loop; may name the limit.

        Raises:
            CriterionError: when the limit is no number.
        """
        check_limit(limit)
        self._ledger = ledger
        self._limit = limit
        self._what = what
        self._advice = advice
        self._newest = len(ledger.records)
        self._before = len(ledger.deliveries)
        self._late = 0

    def check(self, record: JobRecord) -> None:
        """Count a record that came up meanwhile.

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
