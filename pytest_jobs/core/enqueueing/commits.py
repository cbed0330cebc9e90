"""Jobs that are enqueued when a transaction has committed, and not when it was rolled back."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias, cast, runtime_checkable

from ...errors import CommitError, RolledBackError
from ..foundation.hooks import hooks
from ..foundation.settings import settings

if TYPE_CHECKING:
    from ..job import Job

#: What has become of what waits.
WaitState: TypeAlias = Literal["waiting", "ran", "dropped"]

# By name, since the room that knows third parties lies above this one.
_DJANGO: Final = "pytest_jobs.integrations.django.records"
_SQLALCHEMY: Final = "pytest_jobs.integrations.sqlalchemy.commits"
_ROLLED_BACK: Final = "by a rollback"


class OpenTransaction(Protocol):
    """A transaction of the application that is open."""

    @property
    def text(self) -> str:
        """What it is in words, as in `an atomic block of 'default'`."""
        ...

    @property
    def using(self) -> str:
        """The name of its database."""
        ...

    @property
    def changed(self) -> bool:
        """Whether it holds changes that a job could miss; True where that is not known."""
        ...

    def when_ended(self, wait: CommitWait) -> None:
        """Take something that waits: call its `committed` or its `dropped`, once, when that is settled.

        That is when the outermost transaction has committed, and it can be used no longer to write
        with; or as soon as the transaction, or one around it, was rolled back.
        """
        ...


class TransactionSource(Protocol):
    """Knows which transactions of one database library are open."""

    @property
    def name(self) -> str:
        """The name of the library."""
        ...

    def open_here(self) -> Sequence[OpenTransaction]:
        """Return the transactions in which the calling code is, of each database the innermost.

        What a test case opened around a test, to roll it back, is none.
        """
        ...


class ReadTransaction(Protocol):
    """A transaction that has written nothing so far."""

    @property
    def text(self) -> str:
        """What it is in words."""
        ...

    def when_written(self, call: Callable[[], None]) -> None:
        """Call a function if it writes before it ends."""
        ...


@runtime_checkable
class BeginsByReading(Protocol):
    """A source of a library that begins transactions when something is read."""

    def reading_here(self) -> Sequence[ReadTransaction]:
        """Return the transactions that have only read, those that `open_here` leaves out for it among them."""
        ...


Found: TypeAlias = tuple[TransactionSource, OpenTransaction]


class Waiting(Protocol):
    """What is to be done when transactions have ended."""

    def one_committed(self) -> None:
        """Take note that a transaction has committed."""
        ...

    def drop(self, transaction: OpenTransaction, by: str) -> None:
        """Take note that a transaction will not commit."""
        ...


class CommitWait:
    """Something that waits for one transaction, which calls `committed` or `dropped`."""

    __slots__ = ("__weakref__", "dropped_by", "source", "state", "transaction", "waiting")

    def __init__(self, waiting: Waiting, transaction: OpenTransaction, source: str) -> None:
        #: What is to be done: of a job its `WaitingJob`.
        self.waiting = waiting
        #: What it waits for.
        self.transaction = transaction
        #: The name of the library.
        self.source = source
        #: Whether it waits, or how the transaction ended.
        self.state: WaitState = "waiting"
        #: By what it was dropped, as in `by a rollback`.
        self.dropped_by = ""

    def committed(self) -> None:
        """Enqueue the job, if no other transaction is open that it waits for.

        Raises:
            BaseException: what the adapter raises that is no `EnqueueError`; the job is not enqueued then.
        """
        if self.state == "waiting":
            self.state = "ran"
            self.waiting.one_committed()

    def dropped(self, by: str = _ROLLED_BACK) -> None:
        """Do not enqueue the job, whatever the other transactions come to."""
        if self.state == "waiting":
            self.state, self.dropped_by = "dropped", by
            self.waiting.drop(self.transaction, by)


class WaitingJob:
    """A job that is enqueued once each of some transactions has committed."""

    __slots__ = ("_dropped", "_enqueue", "_left", "job")

    def __init__(self, job: Job, enqueue: Callable[[], None]) -> None:
        self.job = job
        self._enqueue = enqueue
        self._left = 0
        self._dropped = False

    def wait_for(self, transactions: Sequence[Found]) -> None:
        """Enqueue it when all of them have committed."""
        self._left = len(transactions)
        for source, transaction in transactions:
            wait = CommitWait(self, transaction, source.name)
            commit_watches.tell(wait)
            transaction.when_ended(wait)

    def one_committed(self) -> None:
        """Enqueue it, if that was the last of its transactions."""
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

    def drop(self, transaction: OpenTransaction, by: str) -> None:
        """Give it up, for one of its transactions."""
        if self._dropped:
            return
        self._dropped = True
        job = self.job
        job.enqueued = False
        job.enqueue_error = RolledBackError(
            f"{job!r} was to be enqueued after the commit of {transaction.text}, and was dropped {by}."
        )
        if hooks.job_not_enqueued is not None:
            hooks.job_not_enqueued(job=job)


class CommitWatches:
    """Who is told of each job that begins to wait: the harnesses that are open, the innermost alone."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: list[Callable[[CommitWait], None]] = []

    def tell(self, wait: CommitWait) -> None:
        """Tell the innermost."""
        if self._told:
            self._told[-1](wait)

    def watch(self, added: Callable[[CommitWait], None]) -> Callable[[], None]:
        """Call a function with each from now on; return what ends that."""
        self._told.append(added)
        return lambda: self._told.remove(added)

    @contextmanager
    def muted(self) -> Generator[None, None, None]:
        """Tell nobody for a block."""
        unwatch = self.watch(lambda wait: None)
        try:
            yield
        finally:
            unwatch()


commit_watches = CommitWatches()


def transactions_to_wait_for(job_class: type[Job]) -> Sequence[Found]:
    """Return the open transactions whose commit a job of a class waits for, each with what knows it.

    Raises:
        CommitError: when nothing knows of any transaction.
    """
    return [
        (source, transaction) for source in sources(job_class) for transaction in source.open_here()
    ]


def sources(job_class: type[Job]) -> Sequence[TransactionSource]:
    """Return what knows the transactions of each database library in use.

    Raises:
        CommitError: when no library is in use that is known, and it was not said that there is none.
    """
    configured = settings.transactions
    found = [*sources_in_use(), *(configured or ())]
    if not found and configured is None:
        raise CommitError(
            f"{job_class.__qualname__} is enqueued after the commit, and no database library whose transactions "
            "pytest-jobs knows is in use: neither is sqlalchemy.orm imported, nor does Django have its settings. "
            "For another one write pytest_jobs.configure(..., transactions=[...]), with what knows its "
            "transactions; in a program without a database transactions=[], and the job is enqueued at once."
        )
    return found


def sources_in_use() -> list[TransactionSource]:
    """Return what knows the transactions of the libraries that the program has imported and set up."""
    found: list[TransactionSource] = []
    if django_is_set_up():
        found.append(_load(_DJANGO))
    if "sqlalchemy.orm" in sys.modules:
        found.append(_load(_SQLALCHEMY))
    return found


def django_is_set_up() -> bool:
    """Say whether Django's databases are imported and it has its settings."""
    if "django.db" not in sys.modules:
        return False
    configured = sys.modules["django.conf"].settings.configured
    return bool(configured) or bool(os.environ.get("DJANGO_SETTINGS_MODULE"))


class _Integration(Protocol):
    def source(self) -> TransactionSource: ...


def _load(module: str) -> TransactionSource:
    return cast(_Integration, importlib.import_module(module)).source()
