"""Batches: jobs that are counted together, and the callbacks that are enqueued when all have ended."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any, Self, TypeVar, cast

from ...errors import BatchError, EnqueueError, Halt, SignatureError
from ..enqueueing.context import performed
from ..enqueueing.enqueue import encoded_arguments, in_context_of, payload_of
from ..enqueueing.many import PreparedJob, checked_jobs
from ..foundation.base import JobBase, Membership
from ..foundation.payload import BATCH, BATCH_CALLBACK, Payload
from ..foundation.protocols import BatchFacts
from ..foundation.settings import settings
from ..foundation.vocabulary import in_our_words
from .ends import batch_of, derived_id, enqueue_callbacks
from .stores import COMPLETE, SUCCESS

T = TypeVar("T")


def slices(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut items into lists, one for each job.

    `itertools.batched` of Python 3.12 makes tuples, which a payload must tag; lists are plain JSON.

    Args:
        items: any iterable; it is read as far as the lists are.
        size: how many items a list has, the last one perhaps fewer; at least 1.

    Raises:
        BatchError: when the size is not an int above 0.
    """
    given: Any = size
    if type(given) is not int or given < 1:
        raise BatchError(f"slices(size={size!r}) cuts nothing: write an int of at least 1.")
    remaining = iter(items)
    return iter(lambda: list(islice(remaining, size)), [])


J = TypeVar("J", bound=JobBase)

#: The batch that gets the jobs which a test tool enqueues by itself; see `added_to`.
adding: ContextVar[Batch | None] = ContextVar("pytest_jobs_adding", default=None)


class Batch:
    """A group of jobs, and the jobs that are enqueued once when all of it has ended.

    Args:
        id: names the batch. A second batch of this id is the same batch, and enqueues only the jobs that
            are not in it: so a job that begins a batch can be delivered twice. None, the default, for a
            new batch each time.
        on_success: a job, made by `new`, that is enqueued when every job was performed; None for none.
        on_complete: a job, made by `new`, that is enqueued when every job has ended for good, however
            it ended; None for none.

    Raises:
        BatchError: when there is no callback, or one is not a job or is due later, or the id is not text.
        SerializationError: when an argument of a callback cannot be written.
    """

    @in_our_words(SignatureError)
    def __init__(
        self,
        id: str | None = None,
        *,
        on_success: JobBase | None = None,
        on_complete: JobBase | None = None,
    ) -> None:
        given: Any = id
        if given is not None and (not isinstance(given, str) or not given):
            raise BatchError(
                f"Batch({id!r}) names a batch by what is not a text: write what it is for, such as "
                'Batch(f"import-{file_id}"), or leave it out.'
            )
        if on_success is None and on_complete is None:
            raise BatchError(
                "This batch has neither on_success nor on_complete, so nothing would come of it: give it one, or "
                "enqueue its jobs with perform_all_later."
            )
        callbacks = {COMPLETE: on_complete, SUCCESS: on_success}
        self._callbacks: Mapping[str, Payload] | None = {
            name: _callback(job, name) for name, job in callbacks.items() if job is not None
        }
        self._id = os.urandom(16).hex() if id is None else id
        self._adder = ""

    @classmethod
    def current(cls) -> Self | None:
        """Return the batch of the job that is being performed, or the batch whose callback it is.

        Returns:
            The batch; None when the job is in none.
        """
        payload = performed.get()
        headers = None if payload is None else payload.headers
        if payload is None or headers is None:
            return None
        if BATCH in headers:
            return cls._known(batch_of(headers), payload.job_id)
        return (
            cls._known(cast("str", headers[BATCH_CALLBACK])) if BATCH_CALLBACK in headers else None
        )

    @classmethod
    def find(cls, id: str) -> Self | None:
        """Return the batch of this id; None when the store has none.

        Raises:
            NoStoreError: when no store is configured.
            StoreError: when it cannot be reached.
        """
        return None if settings.batches.facts(id) is None else cls._known(id)

    @classmethod
    def _known(cls, id: str, adder: str = "") -> Self:
        batch = cls.__new__(cls)
        batch._id, batch._callbacks, batch._adder = id, None, adder
        return batch

    def enqueue(self, jobs: Iterable[J]) -> tuple[J, ...]:
        """Enqueue the jobs of the batch. It is finished when all of them have ended.

        Called again, it enqueues the jobs that are missing: of jobs with the same arguments the batch has
        as many as the longest list. Jobs can be added later only by a job of the batch while it runs:
        `Batch.current().enqueue(...)`; a job that had failed, and is redriven, can do so even when the
        batch is finished. When an argument cannot be written, none of the jobs is enqueued.

        Args:
            jobs: jobs made by `new`, of any classes. With an empty list the batch is done at once.

        Returns:
            The jobs. `.enqueued` is False for a job that a callback halted or a rule dropped, which is
            not in the batch, and for a job that the batch has already, whose `.dropped_for` is its own id.

        Raises:
            BatchError: when the batch is finished, or not kept any more; when its id is that of a batch
                with other callbacks; when a job would wait for the commit of a transaction, or is in the
                list twice.
            EnqueueError: when the adapter did not take all of them. The batch waits for the others:
                call it again.
            NoStoreError: when no store is configured.
            StoreError: when it cannot be reached. Call it again: it enqueues only the jobs that are missing.
        """
        every = checked_jobs(jobs, "Batch.enqueue")
        _check_members(every)
        adapter, store = settings.adapter, settings.batches
        ids = self._ids(every)
        for job, job_id in zip(every, ids, strict=True):
            job.__membership__ = Membership(self._id, job_id)
        prepared = [PreparedJob(job, adapter) for job in every]
        missing = store.add(self._id, ids, self._callbacks, self._adder)
        if missing is None:
            raise BatchError(
                f"The batch {self._id} is finished, or not kept any more, so no job can be added to it. Enqueue "
                "all of them at once; what is only known later is added by a job of the batch while it runs: "
                "Batch.current().enqueue([...])."
            )
        waiting, refused = set(missing), []
        for job, job_id, each in zip(every, ids, prepared, strict=True):
            if job_id not in waiting:
                job.enqueued, job.enqueue_error, job.dropped_for = False, None, job_id
                continue
            each.enqueue()
            if job.enqueued:
                store.handed_over(self._id, job_id)
            elif job.enqueue_error is None or isinstance(job.enqueue_error, Halt):
                store.withdraw(self._id, job_id)  # A rule or a callback keeps it out for good.
            else:
                refused.append(job)
        if refused:
            error = refused[0].enqueue_error
            raise EnqueueError(
                f"The adapter did not take {len(refused)} of {len(every)} jobs of the batch {self._id}: {error} "
                "The batch waits for them: enqueue the same jobs again, and those that are missing are "
                "handed over."
            ) from error
        enqueue_callbacks(store, self._id, store.settle(self._id, self._id))
        return every

    def _ids(self, jobs: Sequence[JobBase]) -> list[str]:
        """Return an id for each job that it has whenever it is enqueued in this batch."""
        met: Counter[tuple[str, str]] = Counter()
        ids = []
        for job in jobs:
            what = (job.__declaration__.name, encoded_arguments(job))
            ids.append(derived_id(self._id, self._adder, *what, str(met[what])))
            met[what] += 1
        return ids

    # Looking

    @property
    def id(self) -> str:
        """The id."""
        return self._id

    @property
    def total(self) -> int:
        """How many jobs it has."""
        return self._facts().total

    @property
    def pending(self) -> int:
        """How many of its jobs have not ended for good."""
        return self._facts().pending

    @property
    def failed(self) -> int:
        """How many of its jobs ended otherwise than performed."""
        return self._facts().failed

    @property
    def finished(self) -> bool:
        """Whether it was enqueued, and every job has ended for good."""
        found = settings.batches.facts(self._id)
        return found is not None and not found.pending

    def _facts(self) -> BatchFacts:
        return settings.batches.facts(self._id) or BatchFacts(0, 0, 0)

    def __repr__(self) -> str:
        return f"<Batch {self._id}>"


@contextmanager
def added_to(batch: Batch) -> Generator[None, None, None]:
    """Add the jobs that a test tool enqueues by itself to a batch, in this block."""
    token = adding.set(batch)
    try:
        yield
    finally:
        adding.reset(token)


def _callback(job: JobBase, name: str) -> Payload:
    checked: Any = job
    if not isinstance(checked, JobBase):
        raise BatchError(
            f"on_{name}={job!r} is not a job yet: write `.new(...)` of it, with the arguments."
        )
    if job.payload is not None:
        raise BatchError(
            f"on_{name}={job!r} was enqueued already, and a callback is enqueued when its batch is done: make it "
            "by `.new(...)`."
        )
    payload = in_context_of(job, payload_of, job, 0)
    exclusion = job.__declaration__.exclusion
    if exclusion is not None:
        in_context_of(job, exclusion.write_keys, job, payload)
    if payload.due_ns is not None:
        raise BatchError(
            f"on_{name}={job!r} says when it is due, and a callback is due when its batch is done: leave wait= "
            "and at= out."
        )
    return payload


def _check_members(jobs: Sequence[JobBase]) -> None:
    """Check that no job is there twice, and that none would wait for a commit."""
    seen: set[int] = set()
    for job in jobs:
        if id(job) in seen:
            raise BatchError(
                f"{job!r} is in the list twice, and is one job with one id: make each by a `.new(...)` of its own."
            )
        seen.add(id(job))
    for job in jobs:
        if not type(job).enqueue_after_commit:
            continue
        from ..enqueueing.commits import transactions_to_wait_for

        for _, transaction in transactions_to_wait_for(type(job), is_member=True):
            raise BatchError(
                f"{job!r} is to be enqueued after the commit of {transaction.text}, and a batch counts its jobs "
                "when they are enqueued: enqueue the batch after the transaction, or have a job enqueue it."
            )
