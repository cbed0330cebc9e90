"""What the web pages of the newsletter call."""

from __future__ import annotations

from datetime import timedelta

from celery import chain
from celery.result import AsyncResult

from . import readers, tasks
from .celery import app
from .readers import Reader

PATIENCE = timedelta(days=3)


def subscribe(address: str) -> Reader:
    """Add a reader, welcome them, and remind them in three days."""
    reader = readers.readers.add(address)
    tasks.send_welcome.delay(reader.id)
    reminder = tasks.send_reminder.apply_async((reader.id,), countdown=PATIENCE.total_seconds())
    reader.reminder = reminder.id
    return reader


def confirm(reader: Reader) -> None:
    """Take note that an address is right: then nobody need be reminded."""
    reader.confirmed = True
    app.control.revoke(reader.reminder)


def publish_page(url: str) -> AsyncResult:
    """Make an issue of a page."""
    return chain(tasks.fetch_page.s(url), tasks.publish.s()).apply_async()


def archive(title: str) -> None:
    """Have the archive, which is a service of its own, keep an issue."""
    app.send_task("archive.keep", kwargs={"title": title}, queue="archive")
