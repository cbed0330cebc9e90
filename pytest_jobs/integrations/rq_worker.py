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

    RQ finds this function by its path, which is part of each message: it must stay where it is.

    Args:
        data: what `Payload.to_dict` returned.

    Returns:
        The status of the delivery; for a job that goes on a `Retry`, which says when.

    Raises:
        DeclarationError: outside of a worker.
    """
    job = rq.get_current_job()
    if job is None:
        raise DeclarationError(
            "pytest_jobs.integrations.rq_worker.perform is called by a worker of RQ, and by nobody else: "
            "perform a job with `perform_now`."
        )
    payload = Payload.from_dict(data)
    delivery = Delivery(payload)
    before = current.set(delivery)
    try:
        # No module that the worker has loaded may have configured an adapter.
        with nullcontext() if settings.has_adapter else configure(adapter=RqAdapter.of(job)):
            execution = perform_to_end(payload)
        if delivery.next is not None:
            return _goes_on(job, delivery.next, execution)
        if execution.error is not None and not execution.handled:
            raise execution.error
    except Exception:
        # RQ would run the job again; that is meant for killed workers only, since errors have rules.
        job.retries_left = 0
        raise
    finally:
        current.reset(before)
    return execution.status


def _goes_on(job: Job, payload: Payload, execution: Execution) -> Retry:
    """Let RQ end this attempt and keep the next one in one step."""
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
