"""The jobs that a test left alone."""

from __future__ import annotations

from ..harness.jobs import Jobs
from ..harness.records.record import PENDING, JobRecord
from ..harness.views import titled_table
from .messages import MARKED_LENIENT, draining_nothing, leaving_alone, leaving_waiting, render

#: In a test of unittest, no line is to blame.
__unittest = True


def check_nothing_left(jobs: Jobs, leave_out: str = MARKED_LENIENT) -> None:
    """Raise when the test left a job alone or waiting for a commit, or drained where nothing was pending.

    Args:
        jobs: the harness.
        leave_out: how a test is left out, as the message says it.

    Raises:
        AssertionError: lists them.
    """
    jobs.ledger.check_nothing_refused("This test left no job alone")
    left: list[JobRecord] = [
        record for record in jobs.ledger.records if record.state is PENDING and not record.seen
    ]
    if left:
        records = "1 job" if len(left) == 1 else f"{len(left)} jobs"
        head = f"This test left {records} that it neither looked at nor performed:"
        advice = leaving_alone(leave_out).text
        raise AssertionError(
            render(lambda: f"{head}\n{titled_table('left', left)}\n\n{advice}", jobs.reader)
        )
    waiting = jobs.left_waiting()
    if waiting:
        count = len(waiting)
        those, them = (
            ("1 job that waits", "it") if count == 1 else (f"{count} jobs that wait", "them")
        )
        head = f"This test left {those} for a commit, and never looked at {them}:"
        table = titled_table("waiting for commit", waiting)
        text = f"{head}\n{table}\n\n{leaving_waiting(leave_out).text}"
        raise AssertionError(render(lambda: text, jobs.reader))
    if jobs.idle_drains:
        first, *others = jobs.idle_drains
        more = f", and so did {len(others)} more like it" if others else ""
        head = f"Expected {first} to perform a job\nbut it found nothing pending{more}."
        text = f"{head}\n\n{draining_nothing(leave_out).text}"
        raise AssertionError(render(lambda: text, jobs.reader))
