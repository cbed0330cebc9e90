"""Many jobs at once: all are checked before one is enqueued, and sent in one round trip if the adapter can."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from ...errors import EnqueueError, SignatureError
from ..foundation.base import JobBase
from ..foundation.hooks import hooks
from ..foundation.payload import Payload
from ..foundation.protocols import Adapter, EnqueuesMany, FoundTransaction, NotesKeptOut
from ..foundation.settings import settings
from .enqueue import (
    encoded_arguments,
    enqueue,
    enqueue_inside_callbacks,
    in_context_of,
    not_enqueued,
    payload_of,
    transactions_of,
    wait_for_commit,
)

if TYPE_CHECKING:
    from .commits import WaitingJob

J = TypeVar("J", bound=JobBase)

#: A job, and the payload that it is handed over with.
Ready: TypeAlias = tuple[JobBase, Payload]
_NONE: Final[Sequence[FoundTransaction]] = ()


def perform_all_later(jobs: Iterable[J]) -> tuple[J, ...]:
    """Enqueue many jobs, in one round trip where the adapter can.

    When one of them has an argument that cannot be written, none is enqueued. Callbacks run, for
    each job its own; ActiveJob skips them. Those that are enqueued after the commit wait for it.

    `RqAdapter` and `CeleryAdapter` send all jobs in one round trip, and `RedisStore` takes their locks in
    another. Jobs with enqueue callbacks and those that replace others are sent one after the other.

    Args:
        jobs: jobs made by `new`, of any classes.

    Returns:
        The jobs; `.enqueued` of each says whether an adapter took it.

    Raises:
        StoreError: when the store of locks and limits cannot be reached; the jobs that were sent before that
            are enqueued.
    """
    adapter = settings.adapter
    every = checked_jobs(jobs, "perform_all_later")
    prepared = [PreparedJob(job, adapter) for job in every]
    if isinstance(adapter, EnqueuesMany):
        _enqueue_together(prepared, adapter)
    else:
        for each in prepared:
            each.enqueue()
    return every


def checked_jobs(jobs: Iterable[J], verb: str) -> tuple[J, ...]:
    """Return the jobs that a verb is given.

    Raises:
        SignatureError: when they are not a list, or an item of it is not a job.
    """
    if not isinstance(jobs, Iterable):
        raise SignatureError(
            f"{verb} is given {jobs!r}, and takes a list: write {verb}([job.new(...), ...])."
        )
    every = tuple(jobs)
    for job in every:
        if not isinstance(job, JobBase):
            raise SignatureError(
                f"{verb} is given {job!r}, which is not a job yet: write `.new(...)` of it, with the arguments."
            )
    return every


class PreparedJob:
    """A job that was checked and is not enqueued yet, so that none of many is when one of them is refused."""

    __slots__ = ("_adapter", "job", "payload", "transactions")

    def __init__(self, job: JobBase, adapter: Adapter) -> None:
        """Check a job.

        Raises:
            SignatureError: when the arguments do not fit `perform`.
            SerializationError: when one, or the key of a lock or limit, cannot be written.
        """
        self.job = job
        self._adapter = adapter
        #: What is handed over; None for a job whose callbacks may still change its arguments.
        self.payload: Payload | None = None
        #: The transactions whose commit it waits for.
        self.transactions = _NONE
        in_context_of(job, self._check)

    def _check(self) -> None:
        job = self.job
        declaration = type(job).__declaration__
        if type(job).enqueue_after_commit:
            self.transactions = transactions_of(job)
        if self.transactions or not declaration.enqueue_callbacks:
            self.payload = payload_of(job, self._adapter.now_ns())
        else:
            encoded_arguments(job)
        if declaration.exclusion is not None:
            declaration.exclusion.write_keys(job, self.payload)

    def enqueue(self) -> None:
        """Enqueue it alone, or let it wait for the commit."""
        in_context_of(self.job, self._enqueue)

    def _enqueue(self) -> None:
        job, payload, adapter = self.job, self.payload, self._adapter
        if payload is None:
            enqueue_inside_callbacks(job, None, adapter)
        elif self.transactions:
            wait_for_commit(job, payload, adapter, self.transactions)
        else:
            enqueue(job, payload, adapter)

    @property
    def goes_alone(self) -> bool:
        """Whether something has to happen just before or after this one job is handed over."""
        declaration = type(self.job).__declaration__
        exclusion = declaration.exclusion
        return bool(declaration.enqueue_callbacks) or (exclusion is not None and exclusion.replaces)


def _enqueue_together(prepared: Sequence[PreparedJob], adapter: EnqueuesMany) -> None:
    """Enqueue jobs in their order, and those that follow one another in one round trip."""
    ready: list[Ready] = []
    waiting = WaitingTogether(adapter)
    for each in prepared:
        if each.payload is None or each.goes_alone:
            hand_over(ready, adapter)
            ready = []
            each.enqueue()
        elif each.transactions:
            waiting.add(each.job, each.payload, each.transactions)
        else:
            ready.append((each.job, each.payload))
    hand_over(ready, adapter)


class WaitingTogether:
    """Jobs that wait for the commit of the same transactions, and are handed over at once then."""

    __slots__ = ("_adapter", "_ready", "_sent", "_waiting")

    def __init__(self, adapter: EnqueuesMany) -> None:
        self._adapter = adapter
        self._ready: list[Ready] = []
        self._waiting: list[WaitingJob] = []
        self._sent = False

    def add(self, job: JobBase, payload: Payload, transactions: Sequence[FoundTransaction]) -> None:
        self._ready.append((job, payload))
        waiting = wait_for_commit(job, payload, self._adapter, transactions, self._committed)
        self._waiting.append(waiting)

    def _committed(self) -> None:
        """Hand all of them over. Each calls this, and the first call tells that all have committed."""
        if self._sent:
            return
        self._sent = True
        for waiting in self._waiting:
            waiting.settle()
        now_ns = self._adapter.now_ns()
        for _, payload in self._ready:
            payload.enqueued_ns = now_ns
        hand_over(self._ready, self._adapter)


def hand_over(ready: Sequence[Ready], adapter: EnqueuesMany) -> None:
    """Hand jobs to an adapter that takes many, and note on each what happened.

    Raises:
        StoreError: when the store of locks and limits cannot be reached; none of them is enqueued then.
    """
    if len(ready) < 2:
        for job, payload in ready:
            in_context_of(job, enqueue, job, payload, adapter)
        return
    admitted = _admitted(ready, adapter)
    try:
        refusals = adapter.enqueue_all([payload for _, payload in admitted])
    except BaseException:
        for job, payload in admitted:
            _give_back(job, payload, adapter)
        raise
    for (job, payload), refusal in zip(admitted, refusals, strict=True):
        in_context_of(job, _note, job, payload, refusal, adapter)


def _admitted(ready: Sequence[Ready], adapter: Adapter) -> list[Ready]:
    """Take the locks and places of the jobs; return those that no other job keeps out."""
    limited: list[Ready] = []
    admit: Callable[[Sequence[Ready]], None] | None = None
    for job, payload in ready:
        job.payload = payload
        job.enqueued, job.enqueue_error, job.dropped_for = False, None, None
        exclusion = type(job).__declaration__.exclusion
        if exclusion is not None:
            admit = exclusion.admit_together
            limited.append((job, payload))
    if admit is not None:
        admit(limited)
    for job, payload in limited:
        if job.dropped_for is not None:
            in_context_of(job, _note_kept_out, job, payload, job.dropped_for, adapter)
    return [(job, payload) for job, payload in ready if job.dropped_for is None]


def _note(job: JobBase, payload: Payload, refusal: EnqueueError | None, adapter: Adapter) -> None:
    if refusal is not None:
        _give_back(job, payload, adapter)
        not_enqueued(job, refusal)
        return
    job.enqueued = True
    if hooks.job_enqueued is not None:
        hooks.job_enqueued(job=job, payload=payload)


def _note_kept_out(job: JobBase, payload: Payload, dropped_for: str, adapter: Adapter) -> None:
    if isinstance(adapter, NotesKeptOut):
        adapter.kept_out(payload, dropped_for)
    if hooks.job_not_enqueued is not None:
        hooks.job_not_enqueued(job=job)


def _give_back(job: JobBase, payload: Payload, adapter: Adapter) -> None:
    exclusion = type(job).__declaration__.exclusion
    if exclusion is not None:
        exclusion.give_back(payload, adapter)
