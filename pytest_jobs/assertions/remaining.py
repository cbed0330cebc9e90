"""What a test leaves: the jobs that it left alone, and those with which the report of a failed test ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..harness.jobs import Jobs
from ..harness.records.delivery import delivery_line
from ..harness.records.instants import to_datetime
from ..harness.records.record import PENDING, JobRecord, call_text, record_line
from ..harness.records.texts import counted, instant
from ..harness.views import titled_table
from .messages import (
    MARKED_LENIENT,
    draining_nothing,
    leaving_alone,
    leaving_waiting,
    listing,
    render,
    shown_to,
)

#: In a test of unittest, no line is to blame.
__unittest = True

#: How many lines of each kind are shown, so that there are at most some 15 in all.
_SHOWN: Final = 3


def jobs_in_this_test(jobs: Jobs) -> str:
    """Return what became of the jobs of a test; empty when each was performed, or there was none.

    Recurring jobs are shown where they depend on when the test ran: the test had not set the clock.
    """
    harness = jobs.harness
    pending = [record_line(record) for record in harness.ledger.pending()]
    waiting = harness.transactions.callbacks("waiting")
    by_verb = any(not callback.commits_itself for callback in waiting)
    failed = [delivery_line(delivery) for delivery in jobs.failed.peek()]
    dropped = [
        *map(delivery_line, jobs.discarded.peek()),
        *(f"{job} was kept out by {job.holder}" for job in jobs.kept_out.peek()),
        *(f"{call.text} was dropped {call.dropped}" for call in jobs.dropped_by_rollback.peek()),
    ]
    kinds = [
        ("pending", "jobs.drain() performs", pending, "jobs.pending"),
        (
            "waiting for commit",
            "jobs.commit() runs" if by_verb else "the commit of the application enqueues",
            [
                f"{call.text}, registered "
                f"{f'at {call.registered_at}' if call.registered_at else 'before the harness was opened'}"
                for call in waiting
            ],
            "jobs.waiting_for_commit",
        ),
        ("failed", "", failed, "jobs.failed"),
        ("dropped", "", dropped, "jobs.discarded, jobs.kept_out and jobs.dropped_by_rollback"),
    ]
    left_out = [
        f"{path}, due {f'{count} times' if count > 1 else 'once'}"
        for path, count in harness.recurring.left_out.items()
    ]
    verbose = harness.reader is not None and harness.reader.verbose
    blocks = [
        _block(title, step, lines, view, len(lines) if verbose else _SHOWN)
        for title, step, lines, view in kinds
        if lines
    ]
    if harness.recurring.origin_ns is not None:
        began = instant(to_datetime(harness.recurring.origin_ns))
        fired = [
            f"{instant(to_datetime(at_ns))} {record_line(harness.ledger.records[sequence])}"
            for _, at_ns, sequences in harness.recurring.firings
            for sequence in sequences
        ]
        head = (
            f"recurring: {len(fired)} enqueued after {began}, the time of this run. "
            "Next: jobs.clock.move_to(...) as the first line of the test makes every run alike."
        )
        blocks.append(_listing(head, fired, "jobs.deliveries", len(fired) if verbose else _SHOWN))
    if left_out:
        head = (
            "recurring, not fired: nothing in the modules of this test leads to their applications. "
            "Next: import them in the test, or name them in jobs_apps."
        )
        blocks.append(_listing(head, left_out, "", len(left_out)))
    return shown_to(harness.reader, "\n".join(blocks))


def _block(title: str, step: str, lines: Sequence[str], view: str, most: int) -> str:
    them = "it" if len(lines) == 1 else "them"
    head = f"{title}: {len(lines)}" + (f". Next: {step} {them}." if step else "")
    return _listing(head, lines, view, most)


def _listing(head: str, lines: Sequence[str], view: str, most: int) -> str:
    text = listing(head, lines[:most], 0)
    left = len(lines) - most
    return f"{text}\n  ... and {left} more: print({view.partition(',')[0]})" if left > 0 else text


def check_nothing_left(jobs: Jobs, leave_out: str = MARKED_LENIENT) -> None:
    """Raise when the test left a job alone or waiting for a commit, or drained where nothing was pending.

    Args:
        jobs: the harness.
        leave_out: how a test is left out, as the message says it.

    Raises:
        AssertionError: lists them.
    """
    harness = jobs.harness
    harness.ledger.check_nothing_refused("This test left no job alone")
    left: list[JobRecord] = [
        record for record in harness.ledger.records if record.state is PENDING and not record.seen
    ]
    if left:
        more = f" and {counted(len(left) - 1, 'more job')}" if left[1:] else ""
        head = f"This test left {call_text(left[0])}{more} that it neither looked at nor performed:"
        advice = leaving_alone(leave_out).text
        raise AssertionError(
            render(lambda: f"{head}\n{titled_table('left', left)}\n\n{advice}", harness.reader)
        )
    waiting = harness.left_waiting()
    if waiting:
        count = len(waiting)
        those, them = (
            ("1 job that waits", "it") if count == 1 else (f"{count} jobs that wait", "them")
        )
        head = f"This test left {those} for a commit, and never looked at {them}:"
        table = titled_table("waiting for commit", waiting)
        text = f"{head}\n{table}\n\n{leaving_waiting(leave_out).text}"
        raise AssertionError(render(lambda: text, harness.reader))
    if harness.idle_drains:
        first, *others = harness.idle_drains
        more = f", and so did {len(others)} more like it" if others else ""
        head = f"{first} found nothing pending{more}.\nIt was expected to perform a job."
        text = f"{head}\n\n{draining_nothing(leave_out).text}"
        raise AssertionError(render(lambda: text, harness.reader))
