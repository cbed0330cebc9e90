"""The tasks."""

from __future__ import annotations

from typing import Any

from celery import chord, shared_task
from celery.app.task import Task
from celery.exceptions import Ignore

from . import outside, readers
from .celery import app
from .readers import Reader

#: A busy mail server is tried again, after a minute and then after twice as long each time.
PATIENT: dict[str, Any] = {
    "autoretry_for": (outside.ServerBusy,),
    "retry_backoff": 60,
    "max_retries": 3,
}


@shared_task(acks_late=True, **PATIENT)
def send_welcome(reader_id: int) -> None:
    """Welcome a reader, once: a task that is acknowledged late may be delivered twice."""
    reader = _find(reader_id)
    if not reader.welcomed:
        outside.postman.send(reader.address, "Welcome")
        reader.welcomed = True


@shared_task(**PATIENT)
def send_reminder(reader_id: int) -> None:
    """Remind a reader to confirm their address."""
    subject = "Please confirm your address"
    outside.postman.send(_find(reader_id).address, subject, key=f"reminder-{reader_id}")


@app.task(bind=True, max_retries=5)
def fetch_page(self: Task, url: str) -> str:
    """Return the title of a page, and wait as long as the page asks for."""
    try:
        return outside.web.get(url)
    except outside.NotReady as busy:
        raise self.retry(exc=busy, countdown=busy.retry_after) from busy


@shared_task
def publish(title: str) -> None:
    """Send an issue to everyone, and count when all is done."""
    mails = [send_issue.s(reader.id, title) for reader in readers.readers.confirmed()]
    chord(mails)(send_report.s(title))


@shared_task(retry_jitter=False, **PATIENT)
def send_issue(reader_id: int, title: str) -> int:
    """Send an issue to one reader; return how many mails that took."""
    outside.postman.send(_find(reader_id).address, title, key=f"{title}-{reader_id}")
    return 1


@shared_task
def send_report(counts: list[int], title: str) -> int:
    """Tell the editor how many have got an issue."""
    subject = f"{title}: sent to {sum(counts)}"
    outside.postman.send("editor@example.org", subject, key=f"{title}-report")
    return sum(counts)


def _find(reader_id: int) -> Reader:
    reader = readers.readers.find(reader_id)
    if reader is None:
        raise Ignore(f"reader {reader_id} has left")
    return reader
