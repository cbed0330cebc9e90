"""From a job to the adapter: its payload, its callbacks, the commit that it waits for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import EnqueueError, Halt, SignatureError
from ..arguments.encoding import encode
from ..foundation.base import JobBase
from ..foundation.callbacks import run_chain
from ..foundation.hooks import hooks
from ..foundation.options import Options, checked_priority, checked_queue
from ..foundation.payload import BATCH, Payload
from ..foundation.protocols import Adapter, FoundTransaction, NotesKeptOut
from ..foundation.settings import settings
from .context import current_classes, current_values, headers_of

if TYPE_CHECKING:
    from .commits import WaitingJob

J = TypeVar("J", bound=JobBase)
T = TypeVar("T")


# Making a job and its payload


def new_job(
    job_class: type[J],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    options: Options | None = None,
) -> J:
    """Return a job that is not enqueued yet."""
    job = job_class.__new__(job_class)
    job.args = args
    job.kwargs = kwargs
    if options is not None:
        job.__options__ = options
    if current_classes.any:
        job.__context__ = current_values.get()
    return job


def payload_of(job: JobBase, now_ns: int) -> Payload:
    """Return the payload of a job, enqueued at the given time in nanoseconds.

    Raises:
        SignatureError: when the arguments do not fit `perform`.
        SerializationError: when one cannot be written.
    """
    cls = type(job)
    arguments = encoded_arguments(job)
    options, membership = job.__options__, job.__membership__
    queue = queue_of(job)
    priority: Any = job.priority
    if options is not None and options.priority is not None:
        priority = options.priority
    elif callable(priority):
        priority = checked_priority(
            priority(*job.args, **job.kwargs), f"the result of {cls.__qualname__}.priority"
        )
    payload = Payload(
        cls,
        cls.__declaration__.name,
        os.urandom(16).hex() if job.payload is None else job.payload.job_id,
        queue,
        priority,
        arguments,
        1,
        None,
        now_ns,
        None if options is None else options.due_ns(now_ns),
        None if job.__context__ is None else headers_of(job.__context__),
    )
    if membership is not None:
        payload.job_id = membership.job_id
        payload.headers = {**(payload.headers or {}), BATCH: membership.batch_id}
    return payload


def encoded_arguments(job: JobBase) -> str:
    """Return the arguments of a job as JSON text; see `payload_of`."""
    declaration = type(job).__declaration__
    signature = (
        declaration.binder or declaration.signature
    )  # Which raises; the binder costs no call.
    try:
        signature.bind(*job.args, **job.kwargs)
    except TypeError as error:
        misfit = signature.misfit(error, declaration.name.rpartition(".")[2])
        raise SignatureError(misfit) from None
    return encode(job.args, job.kwargs, declaration.argument_types)


def queue_of(job: JobBase) -> str:
    """Return the name of the queue that a job goes to."""
    options = job.__options__
    queue = job.queue if options is None or options.queue is None else options.queue
    if isinstance(queue, str):
        return queue
    where = f"the result of {type(job).__qualname__}.queue"
    return checked_queue(queue(*job.args, **job.kwargs), where)


# Handing it over


def enqueue(job: JobBase, payload: Payload | None = None, adapter: Adapter | None = None) -> None:
    """Hand a job to the adapter, and note on it what happened.

    Args:
        job: the job.
        payload: a payload that is handed over as it is. None for a job that begins its way here: it is put
            into its context, perhaps waits for a commit, its callbacks run, and its payload is made.
        adapter: takes the payload; None for the one in force.
    """
    if adapter is None:
        adapter = settings.adapter
    cls = type(job)
    declaration = cls.__declaration__
    if payload is None:
        if job.__context__ is not None and job.__context__ is not current_values.get():
            in_context_of(job, enqueue, job)
            return
        if cls.enqueue_after_commit and (transactions := transactions_of(job)):
            payload = payload_of(job, adapter.now_ns())
            if declaration.exclusion is not None:
                declaration.exclusion.write_keys(job, payload)
            wait_for_commit(job, payload, adapter, transactions)
            return
        if declaration.enqueue_callbacks:
            enqueue_inside_callbacks(job, None, adapter)
            return
        payload = payload_of(job, adapter.now_ns())
    job.payload = payload
    job.enqueued = False
    job.enqueue_error = None
    try:
        if declaration.exclusion is None:
            adapter.enqueue(payload)
        elif not declaration.exclusion.enqueue(job, payload, adapter):
            if job.dropped_for is not None and isinstance(adapter, NotesKeptOut):
                adapter.kept_out(payload, job.dropped_for)
            if hooks.job_not_enqueued is not None:
                hooks.job_not_enqueued(job=job)
            return
    except EnqueueError as error:
        not_enqueued(job, error)
        return
    job.enqueued = True
    if hooks.job_enqueued is not None:
        hooks.job_enqueued(job=job, payload=payload)


def in_context_of(job: JobBase, do: Callable[..., T], *args: Any) -> T:
    """Call a function with the current attributes under which a job was made."""
    if job.__context__ is None or job.__context__ is current_values.get():
        return do(*args)
    token = current_values.set(job.__context__)
    try:
        return do(*args)
    finally:
        current_values.reset(token)


def enqueue_inside_callbacks(job: JobBase, payload: Payload | None, adapter: Adapter) -> None:
    """Enqueue a job whose class has enqueue callbacks; without a payload, one is made inside of them."""

    def hand_over() -> None:
        # A callback may change the arguments, so a payload is made when the last of them has run.
        enqueue(job, payload or payload_of(job, adapter.now_ns()), adapter)

    try:
        run_chain(type(job).__declaration__.enqueue_callbacks, job, hand_over)
    except Halt as halt:
        not_enqueued(job, halt)


def transactions_of(job: JobBase) -> Sequence[FoundTransaction]:
    """Return the transactions that are open and that a job waits for."""
    # Not at the top: a program whose jobs wait for no commit does not load it.
    from .commits import transactions_to_wait_for

    return transactions_to_wait_for(type(job), is_member=job.__membership__ is not None)


def wait_for_commit(
    job: JobBase,
    payload: Payload,
    adapter: Adapter,
    transactions: Sequence[FoundTransaction],
    enqueue_now: Callable[[], None] | None = None,
) -> WaitingJob:
    """Postpone the enqueue until commit. The payload and the adapter are those of now.

    Args:
        job: the job.
        payload: its payload.
        adapter: what takes it.
        transactions: whose commit it waits for.
        enqueue_now: what enqueues it then; None for what enqueues it alone.
    """
    from .commits import WaitingJob

    def enqueue_alone() -> None:
        payload.enqueued_ns = adapter.now_ns()
        has_callbacks = type(job).__declaration__.enqueue_callbacks
        hand_over = enqueue_inside_callbacks if has_callbacks else enqueue
        in_context_of(job, hand_over, job, payload, adapter)

    job.payload = payload
    job.enqueued = True
    job.enqueue_error = None
    waiting = WaitingJob(job, enqueue_now or enqueue_alone)
    waiting.wait_for(transactions)
    return waiting


def not_enqueued(job: JobBase, why: EnqueueError | Halt) -> None:
    """Note on a job, and for lifecycle plugins, why it was not enqueued."""
    job.enqueued = False
    job.enqueue_error = why
    if hooks.job_not_enqueued is not None:
        hooks.job_not_enqueued(job=job)


def enqueue_retry(
    job: JobBase,
    last: Payload,
    now_ns: int,
    due_ns: int | None,
    queue: str | None,
    priority: int | None,
    failures: Mapping[str, int] | None,
) -> None:
    """Hand the next attempt to the adapter: the same arguments, one attempt more.

    Enqueue callbacks do not run: the job was accepted once, and a `Halt` would lose it here.
    """
    payload = copy(last)
    payload.queue = queue or last.queue
    payload.priority = last.priority if priority is None else priority
    payload.attempt += 1
    payload.failures = failures
    payload.enqueued_ns, payload.due_ns = now_ns, due_ns
    settings.adapter.enqueue(payload)
    if hooks.job_enqueued is not None:
        hooks.job_enqueued(job=job, payload=payload)
