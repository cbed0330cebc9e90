"""The end of a job in its batch, and the callbacks that follow upon the last one."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from typing import Any, Final

from ..arguments.encoding import decode
from ..arguments.records import RecordReference
from ..enqueueing.enqueue import enqueue, new_job
from ..foundation.base import JobBase
from ..foundation.payload import BATCH, BATCH_CALLBACK, Payload
from ..foundation.protocols import BatchStore
from ..foundation.settings import settings

_NOT_ENDED: Final = ("retried", "snoozed")

_log = logging.getLogger("pytest_jobs")


def derived_id(*parts: str) -> str:
    """Return an id that is the same whenever it is made of the same texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def has_derived_id(headers: Mapping[str, object] | None) -> bool:
    """Return whether a payload with these headers has the same id whenever it is enqueued."""
    return headers is not None and (BATCH in headers or BATCH_CALLBACK in headers)


def batch_of(headers: Mapping[str, Any] | None) -> str:
    """Return the id of the batch that a payload carries."""
    batch_id: str = (headers or {})[BATCH]
    return batch_id


def end_in_batch(payload: Payload, status: str) -> None:
    """Note in its batch that a job has ended, and enqueue the callbacks that became due.

    Raises:
        StoreError: when the store cannot be reached.
        EnqueueError: when the adapter does not take a callback.
    """
    if status in _NOT_ENDED:
        return
    batch_id = batch_of(payload.headers)
    store = settings.batches
    due = store.end(batch_id, payload.job_id, performed=status == "performed")
    if due is not None:
        enqueue_callbacks(store, batch_id, due)
        return
    _log.warning(
        "%s (job %s) has ended %s, and its batch %s is not kept any more: it counts for nothing.",
        payload.name,
        payload.job_id,
        status,
        batch_id,
    )


def end_in_batch_or_log(payload: Payload, status: str) -> None:
    """Note the end of a job in its batch, and log an error: for a job that is not delivered again."""
    try:
        end_in_batch(payload, status)
    except Exception as error:
        _log.error(
            "%s (job %s) has ended %s, and its batch %s could not be told: %s Until the job is delivered once "
            "more, the batch is not done.",
            payload.name,
            payload.job_id,
            status,
            batch_of(payload.headers),
            error,
        )


def enqueue_callbacks(store: BatchStore, batch_id: str, due: Mapping[str, Payload]) -> None:
    """Enqueue callbacks. The id of each is derived, so that a copy of it is recognised as one."""
    for name, kept in due.items():
        job_class: type[JobBase] = kept.job
        adapter = settings.adapter
        types = job_class.__declaration__.argument_types
        args, kwargs = decode(kept.arguments, types, find=RecordReference)
        payload = Payload(
            job_class,
            kept.name,
            derived_id(batch_id, name),
            kept.queue,
            kept.priority,
            kept.arguments,
            1,
            None,
            adapter.now_ns(),
            None,
            {**(kept.headers or {}), BATCH_CALLBACK: batch_id},
        )
        job = new_job(job_class, args, kwargs)
        enqueue(job, payload, adapter)
        if job.enqueue_error is not None:
            raise job.enqueue_error
        store.sent(batch_id, name)
