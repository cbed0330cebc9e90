"""Slips that are easily made: each enqueues a task that goes wrong in production.

`before/test_slips.py` has tests as they are often written, which all pass. `tests/test_slips.py` has
the tests of pytest-jobs, which find each of them.
"""

from __future__ import annotations

from mailing import tasks
from mailing.celery import app
from mailing.readers import Reader


def passes_an_object(reader: Reader) -> None:
    """Pass what JSON cannot write: `EncodeError`."""
    tasks.send_welcome.delay(reader)


def passes_a_wrong_name(reader: Reader) -> None:
    """Pass a parameter that the task does not have: `TypeError`."""
    tasks.send_welcome.delay(reader=reader.id)


def names_a_task_that_was_renamed(reader: Reader) -> None:
    """Send a task that no worker knows: `NotRegistered`, in the worker's log."""
    app.send_task("mailing.tasks.welcome", (reader.id,))


def waits_three_seconds_instead_of_days(reader: Reader) -> None:
    """Forget that a countdown is in seconds."""
    tasks.send_reminder.apply_async((reader.id,), countdown=3)
