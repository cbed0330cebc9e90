"""What others implement for the core: adapters, stores of locks and of batches, and transactions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from ...errors import EnqueueError
from .payload import Payload

# Adapters


class Adapter(Protocol):
    """Keeps payloads, or runs them. Two methods are all that the core asks for.

    An adapter may also be one that `EnqueuesMany`, that `Withdraws`, that `Unblocks` or that `NotesKeptOut`.
    """

    def now_ns(self) -> int:
        """Return the time that new jobs count from, in nanoseconds since the epoch."""
        ...

    def enqueue(self, payload: Payload) -> None:
        """Take a payload, for a retry too.

        Raises:
            EnqueueError: when the queue does not accept it; `perform_later` keeps the error.
        """
        ...


@runtime_checkable
class EnqueuesMany(Adapter, Protocol):
    """An adapter that takes many payloads in one round trip, for `perform_all_later`."""

    def enqueue_all(self, payloads: Sequence[Payload]) -> Sequence[EnqueueError | None]:
        """Take payloads of first attempts, in this order.

        A job that waits for a place of its limit is among them, due when the first place expires.

        Returns:
            For each payload None, or why the queue does not accept it.
        """
        ...


@runtime_checkable
class Withdraws(Protocol):
    """An adapter that can take a payload back, which `unique(on_conflict="replace")` asks for."""

    def withdraw(self, job_id: str) -> Payload | None:
        """Take back the pending payload of a job and return it; None when nothing is pending."""
        ...


@runtime_checkable
class Unblocks(Protocol):
    """An adapter that keeps jobs which wait for a place of their limit until they get one.

    For any other adapter, such a job is due when the place expires.
    """

    def block(self, payload: Payload, until_ns: int | None) -> None:
        """Take a payload that is due when it is unblocked.

        Args:
            payload: the payload of the waiting job.
            until_ns: when the first of the taken places expires, in nanoseconds since the epoch; the
                payload is due then at the latest.
        """
        ...

    def unblock(self, job_id: str) -> None:
        """Let a job that was blocked be due."""
        ...


@runtime_checkable
class NotesKeptOut(Protocol):
    """An adapter that notes the jobs it does not get because another has their lock or place."""

    def kept_out(self, payload: Payload, dropped_for: str) -> None:
        """Note a job that was dropped.

        Args:
            payload: the payload that the adapter would have got.
            dropped_for: the id of the job that keeps it out.
        """
        ...


# Stores


@dataclass(frozen=True, slots=True)
class Held:
    """A place that is taken."""

    #: What the place is of: the lock of a unique job, or a concurrency key.
    key: str
    #: The id of the job that has it.
    owner: str
    #: When it ends by itself, in nanoseconds since the epoch; None for never.
    expires_ns: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A place that is asked for; the fields are the arguments of `Store.acquire`."""

    key: str
    owner: str
    now_ns: int
    ttl_ns: int | None = None
    limit: int = 1
    rank: int | None = None
    renew: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that waits for a place."""

    key: str
    #: The id of the job.
    owner: str


class Store(Protocol):
    """Keeps places, each under a key: one for a lock, several for a concurrency limit.

    Every method is atomic. Times are nanoseconds, by the clock of the adapter; a place ends at a
    whole microsecond. A place that has expired counts as given back.

    Each method raises a `StoreError` when the store cannot be reached. A store may also be one that
    `AcquiresMany`.
    """

    def acquire(
        self,
        key: str,
        owner: str,
        *,
        now_ns: int,
        ttl_ns: int | None = None,
        limit: int = 1,
        rank: int | None = None,
        renew: bool = False,
    ) -> Held | None:
        """Take a place.

        Args:
            key: what the place is of.
            owner: the id of the job; one that has a place already keeps it.
            now_ns: the time.
            ttl_ns: how long the place lasts; None for ever.
            limit: how many places there are.
            rank: queue for a place when there is none, the lower rank first; None to not queue.
            renew: let the place of an owner that has one last `ttl_ns` from now, too.

        Returns:
            None when the owner has a place now; otherwise the place that ends first.
        """
        ...

    def release(
        self, key: str, owner: str, *, now_ns: int, ttl_ns: int | None = None
    ) -> str | None:
        """Give a place back, or stop waiting for one.

        Args:
            key: what the place is of.
            owner: the id of the job; nothing happens when its place has expired.
            now_ns: the time.
            ttl_ns: how long the place lasts for the job that gets it.

        Returns:
            The id of the job that was waiting and has the place now.
        """
        ...

    def held(self, now_ns: int) -> Sequence[Held]:
        """Return the places that are taken, by key."""
        ...

    def waiting(self) -> Sequence[Waiting]:
        """Return the jobs that wait, by key, the next one first."""
        ...


@runtime_checkable
class AcquiresMany(Protocol):
    """A store that takes many places in one round trip."""

    def acquire_all(self, wanted: Sequence[Wanted]) -> Sequence[Held | None]:
        """Take places, one after the other; return for each what `Store.acquire` would."""
        ...


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """How far a batch is."""

    #: How many jobs it has.
    total: int
    #: How many of them have not ended for good.
    pending: int
    #: How many ended otherwise than performed.
    failed: int


class BatchStore(Protocol):
    """Keeps batches, each under an id. A store of locks that keeps batches too has one as `batches`.

    Every method is atomic and idempotent. Each raises a `StoreError` when the store cannot be reached.
    """

    def add(
        self,
        batch_id: str,
        job_ids: Sequence[str],
        callbacks: Mapping[str, Payload] | None,
        adder: str = "",
    ) -> Sequence[str] | None:
        """Announce jobs, before they are handed to the adapter.

        Args:
            batch_id: the batch.
            job_ids: the ids of the jobs; one that is in the batch already stays as it is.
            callbacks: the payloads to enqueue when the batch is done, by `complete` and `success`, for
                a batch that may be new; None for a batch that must be kept already.
            adder: the id of the job of the batch that adds them; empty for whoever begins it.

        Returns:
            The ids of the jobs, in order, that were not handed over yet. None when nothing was added,
            since the batch is not kept, or is finished and these are other jobs than it has and than were
            withdrawn from it. A job of the batch that had failed can add to it even then.

        Raises:
            BatchError: when the batch is kept with callbacks of other jobs, so that it is another one.
        """
        ...

    def handed_over(self, batch_id: str, job_id: str) -> None:
        """Note that the adapter has a job."""
        ...

    def withdraw(self, batch_id: str, job_id: str) -> None:
        """Remove a job that was announced, and that a rule kept from being enqueued."""
        ...

    def end(self, batch_id: str, job_id: str, *, performed: bool) -> Mapping[str, Payload] | None:
        """Note that a job has ended for good. A job that was performed once stays performed.

        Returns:
            The callbacks to send now, as `settle` returns them for this job; None when no such job is
            kept.
        """
        ...

    def settle(self, batch_id: str, asker: str) -> Mapping[str, Payload]:
        """Return the callbacks to send now, by name. Each is returned to exactly one asker.

        Args:
            batch_id: the batch.
            asker: who asks. It gets the callback again until it says `sent`, since it may have died in
                between.
        """
        ...

    def sent(self, batch_id: str, name: str) -> None:
        """Note that the adapter has a callback."""
        ...

    def facts(self, batch_id: str) -> BatchFacts | None:
        """Return how far a batch is; None when it is not kept."""
        ...


# Transactions


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
        """Call `committed` or `dropped` of a waiting object, once, when the transaction has ended.

        That is when the outermost transaction has committed, and it can be used no longer to write
        with; or as soon as the transaction, or one around it, was rolled back.
        """
        ...


@runtime_checkable
class MayBeIdle(Protocol):
    """A transaction that jobs wait for inside a delivery, although nothing was written in it."""

    @property
    def is_idle(self) -> bool:
        """Whether it began by itself, and nothing was written in it so far."""
        ...


class WasIdle(Protocol):
    """A transaction in which nothing was written when a job began to wait for it.

    If nothing is, the delivery decides: the job is enqueued when it was performed, and dropped when it failed.
    """

    @property
    def is_written(self) -> bool:
        """Whether it goes on, and something was written in it since."""
        ...


class TransactionSource(Protocol):
    """Knows which transactions of one database library are open."""

    @property
    def name(self) -> str:
        """The name of the library."""
        ...

    def open_here(self) -> Sequence[OpenTransaction]:
        """Return the innermost open transaction of each database that the calling code uses.

        Leave out a transaction that a test case opened around a test, to roll it back.
        """
        ...


@runtime_checkable
class KnowsSessions(Protocol):
    """A source of a library with sessions, which can be asked for one of them."""

    def transaction_of(self, session: Any) -> OpenTransaction:
        """Return the transaction of a session that is in one, and note that it writes."""
        ...


#: An open transaction, and the source that knows it.
FoundTransaction: TypeAlias = tuple[TransactionSource, OpenTransaction]


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
        """Return the transactions that have only read, also those that `open_here` leaves out."""
        ...


class AwaitsCommit(Protocol):
    """Waits for one or several transactions, and gets a call when one has committed or will not."""

    def one_committed(self) -> None: ...

    def drop(self, transaction: OpenTransaction, by: str) -> None: ...


#: What became of a wait for a transaction.
WaitState: TypeAlias = Literal["waiting", "ran", "dropped"]


@dataclass(slots=True, eq=False, repr=False, weakref_slot=True)
class CommitWait:
    """The wait for one transaction, which calls `committed` or `dropped`."""

    #: Who waits: a `WaitingJob` where a job is to be enqueued.
    waiting: AwaitsCommit
    #: The transaction.
    transaction: OpenTransaction
    #: The name of the library.
    source: str
    #: Whether it waits, or how the transaction ended.
    state: WaitState = "waiting"
    #: Why it was dropped, as in `by a rollback`.
    dropped_by: str = ""

    def committed(self) -> None:
        """Enqueue the job, unless it waits for another open transaction too.

        Raises:
            BaseException: what the adapter raises that is no `EnqueueError`; the job is not enqueued then.
        """
        if self.state == "waiting":
            self.state = "ran"
            self.waiting.one_committed()

    def dropped(self, by: str = "by a rollback") -> None:
        """Do not enqueue the job, whatever happens to the other transactions."""
        if self.state == "waiting":
            self.state, self.dropped_by = "dropped", by
            self.waiting.drop(self.transaction, by)
