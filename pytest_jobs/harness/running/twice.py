"""Delivering each job of a test once more, where the test does not see it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from ..ledger.ledger import Ledger
from ..records.bridge import Bridge, KeepsBatches
from ..records.delivery import Delivery
from ..records.record import JobRecord, call_text, current_record
from . import verbs
from .performer import Performer, RealBody

if TYPE_CHECKING:
    import asyncio


class Adversary(Protocol):
    """Makes the deliveries of a harness in the place of its performer, and worse things with them."""

    def deliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        """Make one delivery of a record that was taken, record it, and return what the test sees.

        Args:
            performer: makes deliveries.
            ledger: records those of the test.
            record: what to perform.
            body: runs the body.
        """
        ...

    async def adeliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        """Do the same on the running event loop."""
        ...


#: With these the library is done with a job, so that only a second copy of its message runs it again.
_DONE: Final = frozenset(("performed", "discarded", "halted", "cancelled", "exhausted"))
#: How often a copy that asks for a retry is delivered at most.
_DELIVERIES: Final = 4


@dataclass(frozen=True)
class Copy:
    """What came of delivering a job once more."""

    #: The name of the job.
    job: str
    #: The job as the call that it stands for.
    call: str
    #: What it raised, where the first delivery raised nothing; None when it did as well.
    error: BaseException | None
    #: How often it was delivered without the library's being done with it; 0 when it was done.
    unfinished: int = 0

    @property
    def failed(self) -> bool:
        """Whether it did worse than the first delivery."""
        return self.error is not None or self.unfinished > 0


class Twice:
    """Delivers each job once more, at once, as soon as the library is done with it.

    The copy goes through the library's real path, in the world of the test. It is in no view, and
    neither is what it enqueues, which nobody performs: what the first delivery enqueued is
    delivered twice in its own turn.
    """

    def __init__(self, only: str | None = None) -> None:
        """Begin.

        Args:
            only: the name of the jobs that are delivered twice; None for all.
        """
        self._only = only
        self._turn: asyncio.Lock | None = None
        self.copies: list[Copy] = []
        #: The calls that were not delivered again, since the test had made their delivery fail.
        self.spared: list[str] = []

    def deliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        """Make the delivery, and its copy."""
        delivery = performer.make(ledger, record, body)
        if self._is_worth_a_copy(delivery, body):
            aside = _Aside(ledger, on_loop=False)
            plan = self._plan(performer, aside, delivery)
            verbs.drive(plan, lambda again: aside.deliver(performer, again))
        return delivery

    async def adeliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        """Do the same on the running event loop."""
        delivery = await performer.amake(ledger, record, body)
        if self._is_worth_a_copy(delivery, body):
            async with self._one_at_a_time():
                aside = _Aside(ledger, on_loop=True)
                plan = self._plan(performer, aside, delivery)
                await verbs.adrive(plan, lambda again: aside.adeliver(performer, again))
        return delivery

    def _is_worth_a_copy(self, delivery: Delivery, body: RealBody) -> bool:
        if self._only is not None and delivery.record.name != self._only:
            return False
        if body.faulty:
            self.spared.append(call_text(delivery.record))
            return False
        return delivery.status in _DONE and delivery.next is None

    def _plan(self, performer: Performer, aside: _Aside, delivery: Delivery) -> verbs.Plan[None]:
        """Deliver the payload again, and its retries, until the library is done with it."""
        with aside.opened(performer):
            again = delivery
            record = delivery.record.source.redeliver(delivery.record)
            for _ in range(_DELIVERIES):
                aside.ledger.claim(record)
                again = yield record
                if again.next is None:
                    self._note(delivery, again, 0)
                    return
                record = again.next
                performer.clock.reach_ns(record.envelope.due_ns or 0)
            self._note(delivery, again, _DELIVERIES)

    def _note(self, delivery: Delivery, again: Delivery, unfinished: int) -> None:
        worse = again.raises and not delivery.raises
        error = again.error if worse or unfinished else None
        record = delivery.record
        self.copies.append(Copy(record.name, call_text(record), error, unfinished))

    def _one_at_a_time(self) -> asyncio.Lock:
        """Return what keeps copies of several verbs apart: the sandboxes of each close in order."""
        import asyncio

        if self._turn is None:
            self._turn = asyncio.Lock()
        return self._turn


class _Aside:
    """A ledger beside that of the test, for one copy: the sink of all bridges meanwhile."""

    def __init__(self, live: Ledger, *, on_loop: bool) -> None:
        self._live = live
        self._on_loop = on_loop
        self.ledger = Ledger(live.clock)
        self.now_ns = live.now_ns

    @contextmanager
    def opened(self, performer: Performer) -> Generator[None, None, None]:
        """Let the bridges report here; at the end the clock is back at where it was."""
        with ExitStack() as stack:
            stack.enter_context(performer.clock.excursion())
            for bridge in performer.bridges:
                stack.enter_context(self._in_place_of_the_test(bridge))
            stack.callback(self.ledger.die)
            yield

    def _in_place_of_the_test(self, bridge: Bridge) -> AbstractContextManager[None]:
        if isinstance(bridge, KeepsBatches):
            return bridge.sandbox_with_batches(self)
        return bridge.sandbox(self)

    def deliver(self, performer: Performer, record: JobRecord) -> Delivery:
        """Make one delivery of the copy."""
        body, before = RealBody(performer.outcomes, None), len(self.ledger.records)
        return self._ended(record, performer.attempt(record, body), before, body)

    async def adeliver(self, performer: Performer, record: JobRecord) -> Delivery:
        """Do the same on the running event loop."""
        body, before = RealBody(performer.outcomes, None), len(self.ledger.records)
        return self._ended(record, await performer.aattempt(record, body), before, body)

    def _ended(
        self, record: JobRecord, delivery: Delivery, before: int, body: RealBody
    ) -> Delivery:
        if body.outcome is not None:
            at_ns = delivery.at_ns
            delivery = Delivery(record, at_ns, "failed", error=body.outcome, handled=False)
        self.ledger.delivered(delivery, before)
        return delivery

    # The sink of the bridges

    def added(self, record: JobRecord) -> None:
        """Take in what the copy enqueues; what another task of the test enqueues meanwhile goes on to it."""
        (self.ledger if self._is_ours(record) else self._live).added(record)

    def removed(self, record: JobRecord) -> None:
        """Take note that a pending job was withdrawn, of the copy or of the test."""
        self._ledger_of(record).removed(record)

    def unblocked(self, record: JobRecord) -> None:
        """Take note that a blocked job has its place, of the copy or of the test."""
        self._ledger_of(record).unblocked(record)

    def pending_with(self, job_id: str) -> JobRecord | None:
        """Return the oldest pending record with this id, the copy's own first."""
        return self.ledger.pending_with(job_id) or self._live.pending_with(job_id)

    def result_of(self, record: JobRecord) -> object:
        """Return what the last delivery of the job returned, in the test or here."""
        known = any(record.job_id == each.record.job_id for each in self._live.deliveries)
        return (self._live if known else self.ledger).result_of(record)

    def _ledger_of(self, record: JobRecord) -> Ledger:
        ours = any(record is known for known in self.ledger.records)
        return self.ledger if ours else self._live

    def _is_ours(self, record: JobRecord) -> bool:
        if not self._on_loop or not self.ledger.records:
            return True
        current = current_record.get()
        return current is not None and any(current is known for known in self.ledger.records)
