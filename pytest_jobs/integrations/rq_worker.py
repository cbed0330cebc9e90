"""What a worker of RQ calls for each job of the core."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import nullcontext
from typing import Any

import rq
from rq.job import Job, Retry

from ..core.execution import perform_to_end
from ..core.foundation.payload import Execution, Payload
from ..core.foundation.settings import configure, settings
from ..errors import DeclarationError
from .rq import REDELIVERIES, Delivery, RqAdapter, at_front, current, seconds_until

_log = logging.getLogger("pytest_jobs")


def perform(data: dict[str, Any]) -> str | Retry:
    """Perform a payload in a worker of RQ.

    Args:
        data: what `Payload.to_dict` returned.

    Returns:
        What the delivery came to; for a job that goes on, what tells RQ when.

    Raises:
        DeclarationError: outside of a worker.
    """
    job = rq.get_current_job()
    if job is None:
        raise DeclarationError(
            "pytest_jobs.integrations.rq_worker.perform is called by a worker of RQ, and by nobody else: "
            "perform a job with `perform_now`."
        )
    try:
        delivery, execution = _deliver(job, Payload.from_dict(data))
        if delivery.next is not None:
            return _goes_on(job, delivery.next, execution)
        if execution.error is not None and not execution.handled:
            raise execution.error
    except Exception:
        # RQ would run again what raised, too: that is for killed workers, and errors have rules.
        job.retries_left = 0
        raise
    return execution.status


def _deliver(job: Job, payload: Payload) -> tuple[Delivery, Execution]:
    delivery = Delivery(payload)
    before = current.set(delivery)
    try:
        # A worker may have loaded no module that configures an adapter.
        with nullcontext() if settings.has_adapter else configure(adapter=RqAdapter.of(job)):
            return delivery, perform_to_end(payload)
    finally:
        current.reset(before)


def _goes_on(job: Job, payload: Payload, execution: Execution) -> Retry:
    """Have RQ end this attempt and keep the next in one step."""
    if not execution.handled:
        _log.error(
            "%s (job %s) failed, and goes on nevertheless",
            payload.name,
            payload.job_id,
            exc_info=execution.error,
        )
    job.args = (payload.to_dict(),)
    job.retries_left = REDELIVERIES
    job.enqueue_at_front = job.enqueue_at_front_on_retry = at_front(payload)
    return Retry(max=sys.maxsize, interval=seconds_until(payload.due_ns, time.time_ns()))
