"""The jobs that a test left alone."""

from __future__ import annotations

from ..harness.jobs import Jobs
from ..harness.records.record import PENDING, JobRecord
from ..harness.views import titled_table
from .messages import MARKED_LENIENT, left_alone, left_waiting, told

#: In a test of unittest, no line is to blame.
__unittest = True


def check_nothing_left(jobs: Jobs, leave_out: str = MARKED_LENIENT) -> None:
    """Raise when the test left a job that it neither looked at nor performed, or that waits for a commit.

    Args:
        jobs: the harness.
        leave_out: how a test is left out, as the message says it.

    Raises:
        AssertionError: lists them.
    """
    left: list[JobRecord] = [
        record for record in jobs.ledger.records if record.state is PENDING and not record.seen
    ]
    if left:
        text = told(
            lambda: left_alone(len(left), titled_table("left", left), leave_out), jobs.reader
        )
        raise AssertionError(text)
    waiting = jobs.left_waiting()
    if waiting:
        table = titled_table("waiting for commit", waiting)
        text = told(lambda: left_waiting(len(waiting), table, leave_out), jobs.reader)
        raise AssertionError(text)
