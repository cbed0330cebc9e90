"""From a job to the adapter."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import EnqueueError, Halt, SignatureError
from ..foundation.callbacks import run_chain
from ..foundation.hooks import hooks
from ..foundation.options import Options
from ..foundation.payload import Payload
from ..foundation.protocols import Adapter, FoundTransaction, NotesKeptOut
from ..foundation.settings import settings
from .context import ambient, headers_of

if TYPE_CHECKING:
    from ..job import Job

J = TypeVar("J", bound="Job")
T = TypeVar("T")


def enqueue(job: Job) -> None:
    """Hand a job to the adapter, inside its callbacks, or have it wait for a commit."""
    in_its_context(job, _enqueue, job)


def in_its_context(job: Job, do: Callable[..., T], *args: Any) -> T:
    """Call what asks a job, or its class, for something: with the current attributes that it was made under."""
    if job._ambient is None or job._ambient is ambient.get():
        return do(*args)
    token = ambient.set(job._ambient)
    try:
        return do(*args)
    finally:
        ambient.reset(token)


def _enqueue(job: Job) -> None:
    adapter = settings.adapter
    if type(job).enqueue_after_commit and (transactions := _transactions(job)):
        payload = payload_of(job, adapter.now_ns())
        write_keys(job, payload)
        _wait(job, adapter, payload, transactions)
    elif type(job)._enqueue_callbacks:
        _enqueue_inside_callbacks(job, adapter)
    else:
        hand_over(job, adapter, payload_of(job, adapter.now_ns()))


def perform_all_later(jobs: Iterable[J]) -> tuple[J, ...]:
    """Enqueue many jobs.

    When one of them has an argument that cannot be written, none is enqueued. Callbacks run, for
    each job its own; ActiveJob skips them. Those that are enqueued after the commit wait for it.

    Args:
        jobs: jobs made by `new`, of any classes.

    Returns:
        The jobs; `.enqueued` of each says whether an adapter took it.

    Raises:
        StoreError: when the store of locks and limits cannot be reached; those before that job are enqueued.
    """
    adapter = settings.adapter
    every = checked_jobs(jobs, "perform_all_later")
    for job, payload, transactions in prepared(every, adapter):
        enqueue_prepared(job, payload, adapter, transactions)
    return every


def prepared(
    jobs: Iterable[J], adapter: Adapter
) -> list[tuple[J, Payload | None, Sequence[FoundTransaction]]]:
    """Return the jobs, each with its payload and the transactions that it waits for.

    The payload is None where callbacks may still change the job.

    Raises:
        SignatureError: when the arguments of one do not fit `perform`.
        SerializationError: when one, or the key of one, cannot be written.
    """
    return [in_its_context(job, _prepared, job, adapter) for job in jobs]


def _prepared(job: J, adapter: Adapter) -> tuple[J, Payload | None, Sequence[FoundTransaction]]:
    transactions = _transactions(job) if type(job).enqueue_after_commit else ()
    payload = None
    if transactions or not type(job)._enqueue_callbacks:
        payload = payload_of(job, adapter.now_ns())
    else:
        job._encoded_arguments()
    write_keys(job, payload)
    return job, payload, transactions


def write_keys(job: Job, payload: Payload | None) -> None:
    """Give a payload the keys of what keeps its job apart, if anything does; see `Exclusion.write_keys`."""
    exclusion = type(job)._exclusion
    if exclusion is not None:
        exclusion.write_keys(job, payload)


def enqueue_prepared(
    job: Job, payload: Payload | None, adapter: Adapter, transactions: Sequence[FoundTransaction]
) -> None:
    """Hand a job to the adapter that was prepared, or have it wait."""
    in_its_context(job, _enqueue_prepared, job, payload, adapter, transactions)


def _enqueue_prepared(
    job: Job, payload: Payload | None, adapter: Adapter, transactions: Sequence[FoundTransaction]
) -> None:
    if payload is None:
        _enqueue_inside_callbacks(job, adapter)
    elif transactions:
        _wait(job, adapter, payload, transactions)
    else:
        hand_over(job, adapter, payload)


def checked_jobs(jobs: Iterable[J], verb: str) -> tuple[J, ...]:
    """Return the jobs that a verb is given.

    Raises:
        SignatureError: when they are no list, or one is none.
    """
    if not isinstance(jobs, Iterable):
        raise SignatureError(
            f"{verb} is given {jobs!r}, and takes a list: write {verb}([job.new(...), ...])."
        )
    every = tuple(jobs)
    for job in every:
        if not hasattr(job, "_encoded_arguments") or isinstance(job, type):
            raise SignatureError(
                f"{verb} is given {job!r}, which is no job yet: write `.new(...)` of it, with the arguments."
            )
    return every


def enqueue_retry(job: Job, options: Options) -> int:
    """Enqueue the next attempt of a job that is being performed; return its wait in nanoseconds."""
    if job._retry_wait_ns is not None:
        raise SignatureError(
            f"{job!r} has asked for its next attempt already, and there is one only."
        )
    if job.payload is None or not job._running:
        raise SignatureError(
            f"{job!r} is not being performed, so it has no next attempt: enqueue it instead."
        )
    adapter = settings.adapter
    now_ns = adapter.now_ns()
    due_ns = options.due_ns(now_ns)
    send_retry(
        job,
        job.payload,
        adapter,
        now_ns,
        due_ns,
        options.queue,
        options.priority,
        job.payload.failures,
    )
    return 0 if due_ns is None else max(due_ns - now_ns, 0)


def send_retry(
    job: Job,
    last: Payload,
    adapter: Adapter,
    now_ns: int,
    due_ns: int | None,
    queue: str | None,
    priority: int | None,
    failures: Mapping[str, int] | None,
) -> None:
    """Hand the next attempt to the adapter: the same arguments, one attempt more.

    Enqueue callbacks do not run: the job was accepted once, and a `Halt` would lose it here.
    """
    payload = Payload(
        type(job),
        last.name,
        last.job_id,
        queue or last.queue,
        last.priority if priority is None else priority,
        last.arguments,
        last.attempt + 1,
        failures,
        now_ns,
        due_ns,
        last.headers,
    )
    adapter.enqueue(payload)
    if hooks.job_enqueued is not None:
        hooks.job_enqueued(job=job, payload=payload)


def payload_of(job: Job, now_ns: int) -> Payload:
    """Return the payload of a job, enqueued at the given time in nanoseconds.

    Raises:
        SignatureError: when the arguments do not fit `perform`.
        SerializationError: when one cannot be written.
    """
    cls = type(job)
    arguments = job._encoded_arguments()
    options = job._options
    priority = cls.priority if options is None or options.priority is None else options.priority
    payload = Payload(
        cls,
        cls._name,
        os.urandom(16).hex() if job.payload is None else job.payload.job_id,
        job._resolved_queue(),
        job._asked_priority() if callable(priority) else priority,
        arguments,
        1,
        None,
        now_ns,
        None if options is None else options.due_ns(now_ns),
        None if job._ambient is None else headers_of(job._ambient),
    )
    if job._membership is not None:
        job._membership.write(payload)
    return payload


def hand_over(job: Job, adapter: Adapter, payload: Payload) -> None:
    """Let the adapter have a payload, unless another job keeps it out; see `Job.enqueue_error`."""
    job.payload = payload
    exclusion = type(job)._exclusion
    try:
        if exclusion is None:
            adapter.enqueue(payload)
        elif not exclusion.enqueue(job, payload, adapter):
            _keep_out(job, payload, adapter)
            return
    except EnqueueError as error:
        _not_enqueued(job, error)
        return
    except BaseException:
        job.enqueued = False
        job.enqueue_error = None
        raise
    job.enqueued = True
    job.enqueue_error = None
    if hooks.job_enqueued is not None:
        hooks.job_enqueued(job=job, payload=payload)


def _enqueue_inside_callbacks(job: Job, adapter: Adapter, payload: Payload | None = None) -> None:
    try:
        run_chain(
            type(job)._enqueue_callbacks,
            job,
            lambda: hand_over(job, adapter, payload or payload_of(job, adapter.now_ns())),
        )
    except Halt as halt:
        _not_enqueued(job, halt)


def _transactions(job: Job) -> Sequence[FoundTransaction]:
    # Most jobs wait for none.
    from .commits import transactions_to_wait_for

    return transactions_to_wait_for(type(job))


def _wait(
    job: Job, adapter: Adapter, payload: Payload, transactions: Sequence[FoundTransaction]
) -> None:
    """Have a job wait for commits: it is what it was at this call, and goes where it would have gone."""
    from .commits import WaitingJob

    def enqueue() -> None:
        payload.enqueued_ns = adapter.now_ns()
        send = _enqueue_inside_callbacks if type(job)._enqueue_callbacks else hand_over
        in_its_context(job, send, job, adapter, payload)

    job.payload = payload
    job.enqueued = True
    job.enqueue_error = None
    WaitingJob(job, enqueue).wait_for(transactions)


def _keep_out(job: Job, payload: Payload, adapter: Adapter) -> None:
    """Tell that a job goes nowhere, since it was dropped for another."""
    job.enqueued = False
    job.enqueue_error = None
    if job.dropped_for is not None and isinstance(adapter, NotesKeptOut):
        adapter.kept_out(payload, job.dropped_for)
    if hooks.job_not_enqueued is not None:
        hooks.job_not_enqueued(job=job)


def _not_enqueued(job: Job, why: EnqueueError | Halt) -> None:
    job.enqueued = False
    job.enqueue_error = why
    if hooks.job_not_enqueued is not None:
        hooks.job_not_enqueued(job=job)
