"""Transactions that the core knows and that commit in tests too, such as those of SQLAlchemy's sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...core.enqueueing.commits import WaitingJob, commit_watches
from ...core.foundation.protocols import (
    BeginsByReading,
    CommitWait,
    OpenTransaction,
    ReadTransaction,
    TransactionSource,
)
from ...errors import BridgeError, CommitError
from .callables import calling_place, line_text, waiting_text
from .transactions import CommitCallback


class CoreTransactions:
    """Lists the jobs that wait for such a commit, and reports when a transaction ends."""

    name = "core"

    def __init__(self, sources: Sequence[TransactionSource]) -> None:
        """Prepare to watch.

        Args:
            sources: know which transactions are open.
        """
        self._sources = tuple(sources)
        self._names = {source.name for source in sources}
        #: The jobs that wait, each with the place of the call that enqueued it.
        self._waits: list[tuple[CommitWait, tuple[str, int]]] = []
        self._unwatch: Callable[[], None] | None = None
        self._ended: Callable[[], None] | None = None
        #: The transactions of all threads whose end will be reported.
        self._reporting: list[OpenTransaction] = []

    def install(self, commits: Callable[[], bool], ended: Callable[[], None]) -> None:
        """Begin to watch.

        Raises:
            BridgeError: when it watches already.
        """
        if self._unwatch is not None:
            raise BridgeError(
                "CoreTransactions is installed already: uninstall it first, or make another one."
            )
        self._ended = ended
        self._unwatch = commit_watches.watch(self._job_waits)

    def uninstall(self) -> None:
        """Stop watching. Jobs that wait for a commit still wait."""
        unwatch, self._unwatch, self._ended = self._unwatch, None, None
        self._waits, self._reporting = [], []
        if unwatch is not None:
            unwatch()

    def open_here(self) -> str | None:
        """Return the open transaction of this thread that holds changes, as text; None without one."""
        return next((transaction.text for _, transaction in self._changed_here()), None)

    def callbacks(self) -> Sequence[CommitCallback]:
        return [
            CommitCallback(
                text=waiting_text(wait.waiting.job),
                using=wait.transaction.using,
                registered_at=line_text(*place),
                state=wait.state,
                dropped=wait.dropped_by,
                owner=type(wait.waiting.job),
                commits_itself=True,
            )
            for wait, place in self._waits
            if isinstance(wait.waiting, WaitingJob)
        ]

    def commit(self) -> None:
        """Do nothing, for the application commits these transactions.

        Raises:
            CommitError: when a job waits for one.
        """
        if any(wait.state == "waiting" for wait, _ in self._waits):
            raise CommitError(self.refusal("commit"))

    async def acommit(self) -> None:
        """Do nothing, as `commit` does."""
        self.commit()

    def refusal(self, verb: str) -> str:
        """Return the message that the application commits itself, with the transaction and what waits for it."""
        waiting = [found.text for found in self.callbacks() if found.state == "waiting"]
        shown = ", ".join(waiting[:3]) + (f" and {len(waiting) - 3} more" if waiting[3:] else "")
        text = next(
            (wait.transaction.text for wait, _ in self._waits if wait.state == "waiting"),
            self.open_here(),
        )
        waits = f", for which {shown} waits," if waiting else ""
        return (
            f"jobs.{verb}() does not commit {text}{waits} since its commit comes in tests too: commit it as the "
            "application does, with `session.commit()` or at the end of its block, and what waits is enqueued."
        )

    def reading_here(self) -> Sequence[ReadTransaction]:
        return [
            transaction
            for source in self._sources
            if isinstance(source, BeginsByReading)
            for transaction in source.reading_here()
        ]

    def report_end(self) -> None:
        for source, transaction in self._changed_here():
            if transaction not in self._reporting:
                self._reporting.append(transaction)
                end = _End(transaction, self._one_ended)
                transaction.when_ended(CommitWait(end, transaction, source.name))

    def _one_ended(self, transaction: OpenTransaction) -> None:
        if transaction in self._reporting:
            self._reporting.remove(transaction)
        if self.open_here() is not None:
            # It was a savepoint, or the transaction of another database is still open.
            self.report_end()
        elif self._ended is not None:
            self._ended()

    def _changed_here(self) -> list[tuple[TransactionSource, OpenTransaction]]:
        return [
            (source, transaction)
            for source in self._sources
            for transaction in source.open_here()
            if transaction.changed
        ]

    def _job_waits(self, wait: CommitWait) -> None:
        if wait.source in self._names:
            self._waits.append((wait, calling_place()))


class _End:
    """Calls a function when a transaction has ended, committed or not: a `Waiting` of the core."""

    __slots__ = ("_ended", "_transaction")

    def __init__(
        self, transaction: OpenTransaction, ended: Callable[[OpenTransaction], None]
    ) -> None:
        self._transaction = transaction
        self._ended = ended

    def one_committed(self) -> None:
        self._ended(self._transaction)

    def drop(self, transaction: OpenTransaction, by: str) -> None:
        self._ended(transaction)
