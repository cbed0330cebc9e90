"""Jobs that are enqueued when a transaction has committed, and not when it was rolled back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from ...errors import CommitError, RolledBackError
from ..foundation.base import JobBase
from ..foundation.hooks import hooks
from ..foundation.libraries import integrations_in_use
from ..foundation.protocols import (
    CommitWait,
    FoundTransaction,
    MayBeIdle,
    OpenTransaction,
    TransactionSource,
)
from ..foundation.settings import settings


class WaitingJob:
    """A job that is enqueued when all of some transactions have committed."""

    __slots__ = ("_enqueue", "_left", "_settled", "job")

    def __init__(self, job: JobBase, enqueue: Callable[[], None]) -> None:
        self.job = job
        self._enqueue = enqueue
        self._left = 0
        self._settled = False

    def wait_for(self, transactions: Sequence[FoundTransaction]) -> None:
        self._left = len(transactions)
        for source, transaction in transactions:
            wait = CommitWait(self, transaction, source.name)
            commit_watches.announce(wait)
            transaction.when_ended(wait)

    def one_committed(self) -> None:
        """Enqueue the job, if that was the last of its transactions."""
        self._left -= 1
        if self._left:
            return
        try:
            self._enqueue()
        except Exception as error:
            error.add_note(
                f"{self.job!r} was to be enqueued after the commit: the transaction has committed, and the job is "
                "not enqueued."
            )
            raise

    def settle(self) -> None:
        """Note that the job is enqueued, so that nothing can drop it any more."""
        self._settled = True

    def drop(self, transaction: OpenTransaction, by: str) -> None:
        """Drop the job, since one of its transactions will not commit."""
        if self._settled:
            return
        self._settled = True
        job = self.job
        job.enqueued = False
        job.enqueue_error = RolledBackError(
            f"{job!r} was to be enqueued after the commit of {transaction.text}, and was dropped {by}."
        )
        if hooks.job_not_enqueued is not None:
            hooks.job_not_enqueued(job=job)


class CommitWatches:
    """The harnesses that list the jobs which wait for a commit. Only the innermost one gets a new wait."""

    __slots__ = ("_watchers",)

    def __init__(self) -> None:
        self._watchers: list[Callable[[CommitWait], None]] = []

    def announce(self, wait: CommitWait) -> None:
        """Call the innermost function with a wait that begins."""
        if self._watchers:
            self._watchers[-1](wait)

    def watch(self, added: Callable[[CommitWait], None]) -> Callable[[], None]:
        """Call a function with each wait from now on; return the function that ends that."""
        self._watchers.append(added)
        return lambda: self._watchers.remove(added)

    @contextmanager
    def muted(self) -> Generator[None, None, None]:
        """Call no function in this block."""
        unwatch = self.watch(lambda wait: None)
        try:
            yield
        finally:
            unwatch()


commit_watches = CommitWatches()


def sources_in_use() -> list[TransactionSource]:
    """Return the sources of the libraries that the program has imported and set up."""
    in_use = integrations_in_use(django="django.records", sqlalchemy="sqlalchemy.commits")
    return [integration.source() for integration in in_use]


def transactions_to_wait_for(
    job_class: type[JobBase], *, is_member: bool = False
) -> Sequence[FoundTransaction]:
    """Return the open transactions whose commit a job of a class waits for.

    Args:
        job_class: the class of the job.
        is_member: whether the job is of a batch, which waits for no transaction but those that may be rolled back
            with changes.

    Raises:
        CommitError: when no library that we know is in use, and `configure` was not told that there is none.
    """
    configured = settings.transactions
    sources = [*sources_in_use(), *(configured or ())]
    if not sources and configured is None:
        raise CommitError(
            f"{job_class.__qualname__} is enqueued after the commit, and no database library whose transactions "
            "pytest-jobs knows is in use: neither is sqlalchemy.orm (2.0 or later) imported, nor does Django have "
            "its settings. For another one write pytest_jobs.configure(..., transactions=[...]), with what knows "
            "its transactions; in a program without a database transactions=[], and the job is enqueued at once."
        )
    return [
        (source, transaction)
        for source in sources
        for transaction in source.open_here()
        if not (is_member and isinstance(transaction, MayBeIdle) and transaction.is_idle)
    ]
