"""What the web application calls."""

from __future__ import annotations

from datetime import datetime

from .app import app
from .store import store
from .tasks import print_letter


def accept(letter: str, at: datetime | None = None) -> int:
    """Accept a letter, to be printed now or at a time."""
    store.letters[letter] = "accepted"
    return print_letter.configure(schedule_at=at).defer(letter=letter)


def withdraw(job_id: int) -> bool:
    """Take a letter back that is not printed yet."""
    return app.job_manager.cancel_job_by_id(job_id)
