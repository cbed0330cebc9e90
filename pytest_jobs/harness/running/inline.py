"""Performing each job as soon as it is enqueued, or as soon as the one running has ended."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from ...errors import LoopLimitError, UnfinishedJobsError
from ..ledger.ledger import Ledger
from ..ledger.selection import Selection
from ..records.delivery import own_traceback
from ..records.record import PENDING, JobRecord, call_text, current_record
from ..time.waiting import in_running_loop
from .performer import Performer
from .verbs import DEFAULT_LIMIT, LoopGuard

if TYPE_CHECKING:
    import asyncio

RaiseAt: TypeAlias = Literal["end", "enqueue"]

_ADVICE = "or record its jobs and drain them with a `limit=`"


class RecordsInTransactions:
    """The records that were enqueued inside open transactions: inline mode does not perform them yet.

    Each thread has transactions of its own, and so may each task of an event loop. A record is kept
    with its thread and its context, to find out later whether the transaction has ended.
    """

    __slots__ = ("_by_sequence", "_in_transaction")

    def __init__(self, in_transaction: Callable[[], bool]) -> None:
        """Begin without records.

        Args:
            in_transaction: returns whether the calling thread and context are in a transaction.
        """
        self._by_sequence: dict[int, tuple[int, contextvars.Context, JobRecord]] = {}
        self._in_transaction = in_transaction

    def add(self, record: JobRecord) -> bool:
        """Keep a record until the transaction of this thread has ended; return False without a transaction."""
        if not self._in_transaction():
            return False
        place = threading.get_ident(), contextvars.copy_context(), record
        self._by_sequence[record.sequence] = place
        return True

    def release_ended(self) -> bool:
        """Release the records of this thread whose transactions have ended; return whether there were any."""
        if not self._by_sequence:
            return False
        here = threading.get_ident()
        ended = [
            sequence
            for sequence, (thread, context, _) in list(self._by_sequence.items())
            if thread == here and not context.copy().run(self._in_transaction)
        ]
        for sequence in ended:
            self._by_sequence.pop(sequence, None)
        return bool(ended)

    def release_all(self) -> list[JobRecord]:
        """Release every record, and return those that are still pending."""
        records, self._by_sequence = self._by_sequence, {}
        return [record for _, _, record in records.values() if record.state is PENDING]

    def __contains__(self, sequence: object) -> bool:
        return sequence in self._by_sequence


@dataclass(eq=False, repr=False)
class Inline:
    """The inline mode, for a test or for a block.

    A job that fails does not raise in the caller of `perform_later`, as it does not in production:
    the error is kept, and raised at the end.
    """

    _ledger: Ledger
    _performer: Performer
    #: Returns the filters; called with the sequence of the first record to perform.
    _make_selection: Callable[[int], Selection]
    #: Where the errors of jobs are raised.
    _raise_at: RaiseAt
    #: Keeps records back; None when no library with transactions is in use.
    _in_transactions: RecordsInTransactions | None
    #: Held by the one thread, or task of an event loop, that performs jobs.
    _gate: threading.Lock = field(default_factory=threading.Lock)
    _worker: asyncio.Task[None] | None = None
    _unraised: list[BaseException] = field(default_factory=list)
    _since: int = 0
    _stopped: bool = False

    def begin(self) -> None:
        """Perform only what is enqueued from now on."""
        self._since = len(self._ledger.records)

    def added(self, record: JobRecord) -> None:
        """Perform what is due, once the job that is running and the open transaction have ended."""
        if current_record.get() is not None:
            return
        if self._in_transactions is not None:
            if self._in_transactions.add(record):
                return
            self._in_transactions.release_ended()
        if not self._performer.busy:
            self.run()

    def admits(self, record: JobRecord) -> bool:
        """Say whether the filters of the block let a job be performed."""
        return self._make_selection(self._since).admits(record)

    def transaction_ended(self) -> None:
        """Perform what was enqueued inside the transaction of this thread, committed or not."""
        kept = self._in_transactions
        if kept is not None and kept.release_ended() and not self._performer.busy:
            self.run()

    def run(self) -> None:
        """Perform what is due, on this thread, unless another thread does so already."""
        guard = LoopGuard(self._ledger, DEFAULT_LIMIT, "Inline mode", _ADVICE)
        while not self._stopped and self._gate.acquire(blocking=False):
            on_loop = False
            try:
                on_loop = self._run_here(guard)
            finally:
                if not on_loop:
                    self._gate.release()
            # A record may have come in after the last look, and its thread have found the gate closed.
            if on_loop or not self._more_is_due():
                return

    def _run_here(self, guard: LoopGuard) -> bool:
        """Perform what is due; return whether a task on the running event loop goes on with it."""
        selection = self._make_selection(self._since)
        try:
            while (record := self._take(selection, guard)) is not None:
                if record.source.is_coroutine(record) and in_running_loop():
                    self._ledger.put_back([record])
                    self._go_on_with_loop(guard)
                    return True
                try:
                    delivery = self._performer.deliver(self._ledger, record)
                except self._performer.outcomes as outcome:
                    self._keep(outcome)
                else:
                    if delivery.raises and delivery.error is not None:
                        self._keep(delivery.error)
        except LoopLimitError as error:
            self._keep(error)
        finally:
            self._ledger.put_back(selection.passed_over())
        return False

    def _go_on_with_loop(self, guard: LoopGuard) -> None:
        import asyncio

        self._worker = asyncio.get_running_loop().create_task(self._run_on_loop(guard))
        self._worker.add_done_callback(self._worker_done)

    async def _run_on_loop(self, guard: LoopGuard) -> None:
        """Perform what is due. No caller waits for this task, so that every error is kept for the end."""
        current_record.set(None)
        selection = self._make_selection(self._since)
        try:
            while (record := self._take(selection, guard)) is not None:
                try:
                    delivery = await self._performer.adeliver(self._ledger, record)
                except self._performer.outcomes as outcome:
                    self._unraised.append(outcome)
                else:
                    if delivery.raises and delivery.error is not None:
                        self._unraised.append(delivery.error)
        except Exception as error:  # Not of a job: a bridge, a filter, or the limit.
            self._stopped = True
            self._unraised.append(error)
        finally:
            self._ledger.put_back(selection.passed_over())

    def _worker_done(self, worker: asyncio.Task[None]) -> None:
        self._gate.release()
        gone_wrong = worker.cancelled() or worker.exception() is not None
        if not gone_wrong and self._more_is_due() and self._gate.acquire(blocking=False):
            self._go_on_with_loop(LoopGuard(self._ledger, DEFAULT_LIMIT, "Inline mode", _ADVICE))

    def _take(self, selection: Selection, guard: LoopGuard) -> JobRecord | None:
        record = self._ledger.take(selection)
        if record is not None:
            try:
                guard.check(record)
            except LoopLimitError:
                self._stopped = True
                raise
        return record

    def _more_is_due(self) -> bool:
        if self._stopped:
            return False
        selection = self._make_selection(self._since)
        try:
            return self._ledger.has_due(selection)
        finally:
            self._ledger.put_back(selection.passed_over())

    def _keep(self, error: BaseException) -> None:
        if self._raise_at == "enqueue":
            raise error
        self._unraised.append(error)

    async def settle(self) -> None:
        """Wait for the coroutine jobs that run on the event loop."""
        while self._worker is not None and not self._worker.done():
            await self._worker

    def raise_errors(self) -> None:
        """Raise the first error of the jobs that failed; a note on it names the others.

        Raises:
            UnfinishedJobsError: when a coroutine job had not ended, or the transaction in which a
                job was enqueued had not.
            UnservedQueueError: when a job is in a queue that no worker serves.
        """
        errors, self._unraised = self._unraised, []
        selection = self._make_selection(self._since)
        unserved = self._ledger.unserved(selection, "Inline mode", self._ledger.now_ns())
        if unserved is not None:
            errors.append(unserved)
        kept = [] if self._in_transactions is None else self._in_transactions.release_all()
        if kept:
            error = UnfinishedJobsError(
                f"{', '.join(map(call_text, kept))}: enqueued inline inside a transaction that is still open, so "
                "nothing was performed: a worker would not see its rows. Let the transaction end inside "
                "`with jobs.inline():`, or inside the test."
            )
            errors.insert(0, error)
        worker, self._worker = self._worker, None
        if worker is not None and (not worker.done() or worker.cancelled()):
            if not worker.get_loop().is_closed():
                worker.cancel()
            error = UnfinishedJobsError(
                "Coroutine jobs that were enqueued inline inside the running event loop had not ended: await them "
                "with `async with jobs.inline():`, or perform them with `await jobs.adrain()`."
            )
            errors.insert(0, error)
        if errors:
            for other in errors[1:]:
                errors[0].add_note(
                    f"Another inline job failed too: {type(other).__name__}: {other}"
                )
            raise errors[0].with_traceback(own_traceback(errors[0]))

    def __repr__(self) -> str:
        return f"<Inline, {len(self._unraised)} errors to raise>"


@dataclass(eq=False, repr=False)
class InlineBlock:
    """The context manager that `jobs.inline` returns; `async with` also waits for coroutine jobs."""

    _inline: Inline
    #: Makes an inline mode, or none, that of the harness; returns the one before.
    _put_in_force: Callable[[Inline | None], Inline | None]
    _before: Inline | None = None
    #: Whether the block has begun.
    entered: bool = False

    def __enter__(self) -> Self:
        self.entered = True
        self._inline.begin()
        self._before = self._put_in_force(self._inline)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Stop performing, and raise what a job raised, unless the block raises itself."""
        self._put_in_force(self._before)
        if error is None:
            self._inline.raise_errors()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        """Wait for the coroutine jobs, stop performing, and raise what a job raised."""
        try:
            await self._inline.settle()
        except BaseException:
            self._put_in_force(self._before)
            raise
        self.__exit__(kind, error, traceback)
