"""Delivering each job of a test once more, where the test does not see it: `--jobs-twice`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from ..ledger.ledger import Ledger
from ..records.bridge import Bridge, KeepsBatches
from ..records.delivery import Delivery
from ..records.record import JobRecord, Rollback, call_text, current_record
from . import verbs
from .calls import DirectCall, calling
from .performer import Performer, RealBody

if TYPE_CHECKING:
    import asyncio

#: The library is done with a job that ended so: only a second copy of its message runs it again.
_DONE: Final = frozenset(("performed", "discarded", "halted", "cancelled", "exhausted"))
#: How often a copy that asks for a retry is delivered at most.
_DELIVERIES: Final = 4


@dataclass(frozen=True)
class Copy:
    """The result of delivering a job once more."""

    #: The name of the job.
    job: str
    #: The job as the call that it stands for.
    call: str
    #: The error of the copy, when the first delivery had none; None when it had one as well.
    error: BaseException | None
    #: How many deliveries were made without the library being done with the job; 0 when it was done.
    unfinished: int = 0

    @property
    def failed(self) -> bool:
        """Whether the copy did worse than the first delivery."""
        return self.error is not None or self.unfinished > 0


class HasLedger(Protocol):
    """A harness."""

    @property
    def ledger(self) -> Ledger: ...

    @property
    def performer(self) -> Performer: ...


class Twice:
    """Delivers each job once more as soon as the library is done with it: an adversary.

    The copy goes through the library's real path, in the world of the test. No view shows it, nor
    the jobs that it enqueues, and nobody performs those: each job that the first delivery enqueued
    is delivered twice in its own turn.
    """

    def __init__(self, only: str | None = None) -> None:
        """Begin.

        Args:
            only: the name of the jobs that are delivered twice; None for all.
        """
        self._only = only
        #: Returns the open harness in which a direct call enqueues; None if there is none.
        self.harness: Callable[[], HasLedger | None] = lambda: None
        self._turn: asyncio.Lock | None = None
        self.copies: list[Copy] = []
        #: The calls that were not delivered again, since the test had made their delivery fail.
        self.spared: list[str] = []
        self.passed: set[str] = set()
        self.only_watches = False

    def deliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        """Make the delivery, and its copy."""
        delivery = performer.make(ledger, record, body)
        if self._is_worth_a_copy(delivery, body):
            hidden = _HiddenLedger(ledger, performer, on_loop=False)
            verbs.drive(self._plan(hidden, delivery), hidden.deliver)
        return delivery

    async def adeliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        """Make the delivery and its copy on the running event loop."""
        import asyncio

        delivery = await performer.amake(ledger, record, body)
        if self._is_worth_a_copy(delivery, body):
            if self._turn is None:
                self._turn = asyncio.Lock()
            # One copy at a time: several verbs may run on the loop, and sandboxes close in order.
            async with self._turn:
                hidden = _HiddenLedger(ledger, performer, on_loop=True)
                await verbs.adrive(self._plan(hidden, delivery), hidden.adeliver)
        return delivery

    def call(self, call: DirectCall) -> Any:
        """Make a direct call, and once more if it did not fail."""
        with calling():
            result = call.make()
            if self._is_worth_a_second_call(call, result):
                with self._hidden():
                    try:
                        self._note_call(call, call.error_in(call.make()))
                    except Exception as error:
                        self._note_call(call, error)
        return result

    async def acall(self, call: DirectCall) -> Any:
        """Make a direct call of a coroutine function, and once more if it did not fail."""
        with calling():
            result = await call.make()
            if self._is_worth_a_second_call(call, result):
                with self._hidden():
                    try:
                        await call.make()
                        self._note_call(call, None)
                    except Exception as error:
                        self._note_call(call, error)
        return result

    def _is_worth_a_second_call(self, call: DirectCall, result: object) -> bool:
        return self._only in (None, call.name) and call.error_in(result) is None

    def _note_call(self, call: DirectCall, error: BaseException | None) -> None:
        self.copies.append(Copy(call.name, call.text, error))

    @contextmanager
    def _hidden(self) -> Generator[None, None, None]:
        """Hide what the second call enqueues from the harness of the test, if it has one."""
        harness = self.harness()
        if harness is None:
            yield
            return
        with _HiddenLedger(harness.ledger, harness.performer, on_loop=False).installed():
            yield

    def _is_worth_a_copy(self, delivery: Delivery, body: RealBody) -> bool:
        if self._only is not None and delivery.record.name != self._only:
            return False
        if body.faulty:
            self.spared.append(call_text(delivery.record))
            return False
        return delivery.status in _DONE and delivery.next is None

    def _plan(self, hidden: _HiddenLedger, delivery: Delivery) -> verbs.Plan[None]:
        """Deliver the payload again, and its retries, until the library is done with it."""
        first = delivery.record
        with hidden.installed():
            again, unfinished = delivery, _DELIVERIES
            record = first.source.redeliver(first)
            for _ in range(_DELIVERIES):
                hidden.ledger.claim(record)
                again = yield record
                if again.next is None:
                    unfinished = 0
                    break
                record = again.next
                hidden.ledger.clock.reach_ns(record.envelope.due_ns or 0)
            worse = again.raises and not delivery.raises
            error = again.error if worse or unfinished else None
            self.copies.append(Copy(first.name, call_text(first), error, unfinished))


class _HiddenLedger:
    """A second ledger for one copy. Meanwhile all bridges report here, and it sorts what they report."""

    def __init__(self, live: Ledger, performer: Performer, *, on_loop: bool) -> None:
        self._live = live
        self._performer = performer
        self._on_loop = on_loop
        self.ledger = Ledger(live.clock)
        self.now_ns = live.now_ns
        self.refused = live.refused

    @contextmanager
    def installed(self) -> Generator[None, None, None]:
        """Let the bridges report here for a block; at its end the clock is back where it was."""
        with ExitStack() as stack:
            stack.enter_context(self.ledger.clock.excursion())
            stack.enter_context(self._performer.bridges.sandboxed(self._sandbox))
            stack.callback(self.ledger.die)
            yield

    def _sandbox(self, bridge: Bridge) -> AbstractContextManager[None]:
        if isinstance(bridge, KeepsBatches):
            # The copy belongs to a batch of the test, which a fresh sandbox would not know.
            return bridge.sandbox_with_batches(self)
        return bridge.sandbox(self)

    def deliver(self, record: JobRecord) -> Delivery:
        body, before = RealBody(self._performer.outcomes, None), len(self.ledger.records)
        return self._ended(record, self._performer.attempt(record, body), before, body)

    async def adeliver(self, record: JobRecord) -> Delivery:
        body, before = RealBody(self._performer.outcomes, None), len(self.ledger.records)
        return self._ended(record, await self._performer.aattempt(record, body), before, body)

    def _ended(
        self, record: JobRecord, delivery: Delivery, before: int, body: RealBody
    ) -> Delivery:
        if body.outcome is not None:
            at_ns = delivery.at_ns
            delivery = Delivery(record, at_ns, "failed", error=body.outcome, handled=False)
        self.ledger.delivered(delivery, before)
        return delivery

    # The sink of the bridges: see `Sink`

    def added(self, record: JobRecord) -> None:
        """Hide what the copy enqueues; pass on what another task of the test enqueues meanwhile."""
        ours = True
        if self._on_loop and self.ledger.records:
            ours = self._is_hidden(current_record.get())
        (self.ledger if ours else self._live).added(record)

    def removed(self, record: JobRecord, rollback: Rollback | None = None) -> None:
        (self.ledger if self._is_hidden(record) else self._live).removed(record, rollback)

    def unblocked(self, record: JobRecord) -> None:
        (self.ledger if self._is_hidden(record) else self._live).unblocked(record)

    def pending_with(self, bridge: object, job_id: str) -> JobRecord | None:
        """Return the oldest pending record of a bridge with this id, the copy's own first."""
        own = self.ledger.pending_with(bridge, job_id)
        return own or self._live.pending_with(bridge, job_id)

    def result_of(self, record: JobRecord) -> object:
        """Return what the last delivery of the job returned, in the test or of the copy."""
        known = any(
            record.job_id == each.record.job_id and record.source is each.record.source
            for each in self._live.deliveries
        )
        return (self._live if known else self.ledger).result_of(record)

    def _is_hidden(self, record: JobRecord | None) -> bool:
        return any(record is known for known in self.ledger.records)
