"""Performing each job as soon as it is enqueued, or as soon as the one running has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from ..errors import UnfinishedJobsError
from .delivery import Delivery
from .ledger import Ledger
from .performer import Performer, in_running_loop
from .record import JobRecord, current_record
from .selection import Selection
from .tracebacks import own_traceback

if TYPE_CHECKING:
    import asyncio

RaiseAt: TypeAlias = Literal["end", "enqueue"]


class Inline:
    """The inline mode, for a test or for a block.

    A job that fails does not raise in the caller of `perform_later`, as it does not in production:
    the error is kept, and raised at the end.
    """

    def __init__(
        self,
        ledger: Ledger,
        performer: Performer,
        make_selection: Callable[[], Selection],
        raise_at: RaiseAt,
    ) -> None:
        self._ledger = ledger
        self._performer = performer
        self._make_selection = make_selection
        self._raise_at = raise_at
        self._gate = threading.Lock()
        self._worker: asyncio.Task[None] | None = None
        self._unraised: list[BaseException] = []

    def added(self, record: JobRecord) -> None:
        """Perform what is due, unless a job is running: then it is performed after that one."""
        if current_record.get() is None and not self._performer.busy:
            self.run()

    def run(self) -> None:
        """Perform what is due, on this thread, unless another thread is at it."""
        while self._gate.acquire(blocking=False):
            handed_over = False
            selection = self._make_selection()
            try:
                handed_over = self._run_here(selection)
            finally:
                self._ledger.put_back(selection.held())
                if not handed_over:
                    self._gate.release()
            if handed_over or not self._more_is_due():
                return

    def raise_errors(self) -> None:
        """Raise the first error of the jobs that failed; a note on it names the others.

        Raises:
            UnfinishedJobsError: when a coroutine job had not ended.
        """
        __tracebackhide__ = True
        errors, self._unraised = self._unraised, []
        if self._worker is not None and not self._worker.done():
            self._worker.cancel()
            raise UnfinishedJobsError(
                "Coroutine jobs that were enqueued inline inside the running event loop had not ended: await "
                "them with `async with jobs.inline():`, or perform them with `await jobs.adrain()`."
            )
        if errors:
            for other in errors[1:]:
                errors[0].add_note(
                    f"Another inline job failed too: {type(other).__name__}: {other}"
                )
            raise errors[0].with_traceback(own_traceback(errors[0]))

    async def settle(self) -> None:
        """Wait for the coroutine jobs that run on the event loop."""
        while self._worker is not None and not self._worker.done():
            await self._worker

    def _run_here(self, selection: Selection) -> bool:
        """Perform what is due; return whether a task on the running event loop goes on with it."""
        while (record := self._ledger.take(selection)) is not None:
            if record._bridge.is_coroutine(record) and in_running_loop():
                import asyncio

                self._worker = asyncio.get_running_loop().create_task(self._run_on_loop(record))
                return True
            try:
                delivery = self._performer.deliver(self._ledger, record)
            except self._performer.outcomes as outcome:
                self._keep(outcome)
            else:
                self._note(delivery)
        return False

    async def _run_on_loop(self, first: JobRecord) -> None:
        selection = self._make_selection()
        record: JobRecord | None = first
        current_record.set(None)
        try:
            while record is not None:
                try:
                    self._note(await self._performer.adeliver(self._ledger, record))
                except self._performer.outcomes as outcome:
                    self._unraised.append(outcome)
                record = self._ledger.take(selection)
        finally:
            self._ledger.put_back(selection.held())
            self._gate.release()

    def _more_is_due(self) -> bool:
        selection = self._make_selection()
        try:
            return self._ledger.has_due(selection)
        finally:
            self._ledger.put_back(selection.held())

    def _note(self, delivery: Delivery) -> None:
        if delivery.raises and delivery.error is not None:
            self._keep(delivery.error)

    def _keep(self, error: BaseException) -> None:
        if self._raise_at == "enqueue":
            raise error
        self._unraised.append(error)

    def __repr__(self) -> str:
        return f"<Inline, {len(self._unraised)} errors to raise>"


class InlineBlock:
    """The context manager that `jobs.inline` returns; `async with` also waits for coroutine jobs."""

    def __init__(self, inline: Inline, ledger: Ledger) -> None:
        self._inline = inline
        self._ledger = ledger
        self._before: Callable[[JobRecord], None] | None = None

    def __enter__(self) -> Self:
        """Perform each job from here on."""
        self._before = self._ledger.listen(self._inline.added)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop performing, and raise what a job raised, unless the block raises itself."""
        __tracebackhide__ = True
        self._ledger.listen(self._before)
        if error is None:
            self._inline.raise_errors()

    async def __aenter__(self) -> Self:
        """Perform each job from here on."""
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for the coroutine jobs, stop performing, and raise what a job raised."""
        __tracebackhide__ = True
        await self._inline.settle()
        self.__exit__(kind, error, traceback)
