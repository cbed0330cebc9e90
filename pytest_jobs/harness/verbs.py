"""What each verb performs, and in which order.

A verb is a plan: a generator that yields the next record to perform, is sent the delivery that
came of it, and returns the verb's result. The synchronous verbs and their `a` twins drive the same
plans.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import TypeAlias, TypeVar, cast

from ..errors import LoopLimitError, NothingMatchedError, NotPerformedError
from .clock import VirtualClock
from .delivery import Delivery
from .describe import short_name
from .ledger import Ledger
from .record import PENDING, TAKEN, JobRecord
from .selection import Selection
from .tally import Tally

T = TypeVar("T")
Plan: TypeAlias = Generator[JobRecord, Delivery, T]

#: How many jobs that came up during one verb it performs before it takes them for a loop.
DEFAULT_LIMIT = 10_000
_RECENT = 1_000
_ADVICE_ON_VERBS = "perform a part with `until=` or `only=`, or pass a `limit=` above {limit}"


def drive(plan: Plan[T], deliver: Callable[[JobRecord], Delivery]) -> T:
    """Carry a plan out and return its result."""
    __tracebackhide__ = True
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
    __tracebackhide__ = True
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


def perform_one(ledger: Ledger, record: JobRecord) -> Plan[Delivery]:
    """Perform one record, due or not."""
    if record._state is not PENDING:
        state = "has been performed" if record._state is TAKEN else "was withdrawn"
        raise NotPerformedError(
            f"{record!r} {state}, so it is not pending: to deliver the same payload again, write "
            "jobs.perform(jobs.redeliver(record))."
        )
    ledger.claim(record)
    return (yield record)


def perform_due(ledger: Ledger, selection: Selection, *, children: bool, limit: int) -> Plan[Tally]:
    """Perform what is due, the clock standing still."""
    tally = Tally()
    loop = LoopGuard(ledger, limit, "jobs.perform_due()")
    newest = len(ledger.records)
    later: list[JobRecord] = []
    try:
        while (record := ledger.take(selection)) is not None:
            if not children and record.sequence >= newest:
                later.append(record)
                continue
            loop.check(record)
            tally.count((yield record))
        waiting = (_due_text(record, ledger.now_ns()) for record in ledger.pending())
        check_matched(selection, "perform_due", " that is due", waiting)
    finally:
        ledger.put_back([*later, *selection.held()])
    return tally


def drain(
    ledger: Ledger,
    clock: VirtualClock,
    selection: Selection,
    *,
    until_ns: int | None,
    limit: int,
    verb: str = "drain",
) -> Plan[Tally]:
    """Perform everything, children and retries included; the clock jumps to each due time."""
    tally = Tally()
    loop = LoopGuard(ledger, limit, f"jobs.{verb}()")
    try:
        while True:
            while (record := ledger.take(selection)) is not None:
                loop.check(record)
                tally.count((yield record))
            due_ns = ledger.next_due_ns(selection)
            if due_ns is None or (until_ns is not None and due_ns > until_ns):
                break
            clock.reach_ns(due_ns)
        waiting = (waiting_text(record) for record in ledger.pending())
        check_matched(selection, verb, "", waiting)
    finally:
        ledger.put_back(selection.held())
    return tally


def run_for(
    ledger: Ledger,
    clock: VirtualClock,
    selection: Selection,
    *,
    delta_ns: int,
    limit: int,
) -> Plan[Tally]:
    """Perform what comes due within a time, which has passed at the end."""
    end_ns = clock.now_ns() + delta_ns
    tally = yield from drain(
        ledger,
        clock,
        selection,
        until_ns=end_ns,
        limit=limit,
        verb="run_for",
    )
    clock.reach_ns(end_ns)
    return tally


def check_matched(selection: Selection, verb: str, which: str, waiting: Iterable[str]) -> None:
    """Refuse filters that selected nothing.

    Raises:
        NothingMatchedError: with what was waiting instead.
    """
    if selection.unfiltered or selection.selected:
        return
    counts = Counter(waiting)
    listed = ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing"
    raise NothingMatchedError(
        f"jobs.{verb}({selection.described}) matches no pending job{which}, so it would have done nothing. "
        f"Pending: {listed}."
    )


def _due_text(record: JobRecord, now_ns: int) -> str:
    due_ns = record._envelope.due_ns
    text = waiting_text(record)
    return f"{text} due later" if due_ns is not None and due_ns > now_ns else text


def waiting_text(record: JobRecord) -> str:
    """Return how a message names a pending record."""
    return f"{short_name(record.name)} in {record.queue!r}"


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
        """
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
        if record._sequence < self._newest:
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
