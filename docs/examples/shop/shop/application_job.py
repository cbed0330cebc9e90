"""What all jobs of the shop have in common."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pytest_jobs import (
    Job,
    after_discard,
    around_perform,
    discard_on,
    exponentially_longer,
    retry_on,
)
from pytest_jobs.errors import DeserializationError

from . import db
from .web import ServerUnavailable

log = logging.getLogger("shop.jobs")


@retry_on(db.RecordNotFound, wait=timedelta(seconds=5), attempts=3)
@discard_on(DeserializationError)
class ApplicationJob(Job):
    """A row that is not there yet is waited for; a record that is gone is not mourned."""

    @around_perform
    def log_duration(self) -> Iterator[None]:
        started = time.time()
        yield
        log.info("%s took %.1f s", type(self).__qualname__, time.time() - started)

    @after_discard
    def keep_for_review(self, error: BaseException) -> None:
        db.insert(
            "INSERT INTO failed_jobs (job, error, failed_at) VALUES (?, ?, ?)",
            type(self).__qualname__,
            type(error).__name__,
            datetime.now(UTC).isoformat(),
        )


@retry_on(ServerUnavailable, wait=exponentially_longer(base=30, cap=600), attempts=8)
class WebhookJob(ApplicationJob):
    """Asks other people's servers again, but not for ever."""

    queue = "webhooks"
