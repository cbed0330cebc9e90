"""The jobs that a test left alone."""

from __future__ import annotations

from ..harness.jobs import Jobs
from ..harness.record import PENDING, JobRecord
from ..harness.views import titled_table
from .messages import left_alone
from .telling import told


def check_nothing_left(jobs: Jobs) -> None:
    """Raise when the test left a job that it neither looked at nor performed.

    Raises:
        AssertionError: lists them.
    """
    __tracebackhide__ = True
    left: list[JobRecord] = [
        record for record in jobs.ledger.records if record._state is PENDING and not record._seen
    ]
    if left:
        text = told(lambda: left_alone(len(left), titled_table("left", left)), jobs._reader)
        raise AssertionError(text)
