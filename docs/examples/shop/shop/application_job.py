"""What all jobs of the shop have in common."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_jobs import (
    Job,
    after_discard,
    discard_on,
    exponentially_longer,
    limits_concurrency,
    retry_on,
)
from pytest_jobs.errors import DeserializationError

from . import db
from .web import ServerUnavailable

if TYPE_CHECKING:
    from .models import WebhookDelivery


@retry_on(db.RecordNotFound, wait=timedelta(seconds=5), attempts=3)
@discard_on(DeserializationError)
class ApplicationJob(Job):
    """A row that is not there yet is waited for; a record that is gone is not mourned."""

    enqueue_after_commit = True

    @after_discard
    def keep_for_review(self, error: BaseException) -> None:
        db.insert(
            "INSERT INTO failed_jobs (job, error, failed_at) VALUES (?, ?, ?)",
            type(self).__qualname__,
            type(error).__name__,
            datetime.now(UTC).isoformat(),
        )


class MailJob(ApplicationJob):
    """Sends a mail: of no row, so it waits for none, and to an address, which no log is to have."""

    queue = "mailers"
    enqueue_after_commit = False
    log_arguments = False


def host(delivery: WebhookDelivery) -> str | None:
    """Return the name of the server that a webhook goes to."""
    return urlsplit(delivery.url).hostname


@retry_on(ServerUnavailable, wait=exponentially_longer(base=30, cap=600), attempts=8)
@limits_concurrency(to=2, key=host, duration=timedelta(minutes=5))
class WebhookJob(ApplicationJob):
    """Asks other people's servers again, but not for ever, and two at a time."""

    queue = "webhooks"
