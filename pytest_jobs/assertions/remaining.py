"""The jobs of a test that failed, in a few lines: pending, waiting for commit, failed, dropped, recurring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..harness.jobs import Jobs
from ..harness.records.delivery import delivery_line
from ..harness.records.instants import to_datetime
from ..harness.records.record import record_line
from ..harness.records.texts import instant
from .messages import listing, shown_to

#: How many lines of each kind are shown, so that there are at most some 15 in all.
_SHOWN: Final = 3


def jobs_in_this_test(jobs: Jobs) -> str:
    """Return what became of the jobs of a test; empty when each was performed, or there was none.

    Recurring jobs are shown where they depend on when the test ran: the test had not set the clock.
    """
    pending = [record_line(record) for record in jobs.ledger.pending()]
    waiting = jobs.still_waiting()
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
        for path, count in jobs.firings_left_out.items()
    ]
    verbose = jobs.reader is not None and jobs.reader.verbose
    blocks = [
        _block(title, step, lines, view, len(lines) if verbose else _SHOWN)
        for title, step, lines, view in kinds
        if lines
    ]
    if jobs.firings_began_ns is not None:
        began = instant(to_datetime(jobs.firings_began_ns))
        fired = [
            f"{instant(to_datetime(at_ns))} {record_line(jobs.ledger.records[sequence])}"
            for _, at_ns, sequences in jobs.firings
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
        blocks.append(_listing(head, left_out, "jobs.firings_left_out", len(left_out)))
    return shown_to(jobs.reader, "\n".join(blocks))


def _block(title: str, step: str, lines: Sequence[str], view: str, most: int) -> str:
    them = "it" if len(lines) == 1 else "them"
    head = f"{title}: {len(lines)}" + (f". Next: {step} {them}." if step else "")
    return _listing(head, lines, view, most)


def _listing(head: str, lines: Sequence[str], view: str, most: int) -> str:
    text = listing(head, lines[:most], 0)
    left = len(lines) - most
    return f"{text}\n  ... and {left} more: print({view.partition(',')[0]})" if left > 0 else text
