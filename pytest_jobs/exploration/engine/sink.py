"""Where the jobs go that are enqueued in an exploration."""

from __future__ import annotations

from collections.abc import Callable

from ...core.batches.ends import has_derived_id
from ...harness.ledger.ledger import Ledger
from ...harness.records.record import FIRST, JobRecord, call_text
from .acts import Act, watcher


class ActSink:
    """Lets what a job enqueues be one of its acts."""

    def __init__(self, ledger: Ledger, undone: Callable[[Act], object] = lambda act: None) -> None:
        """Stand before a ledger.

        Args:
            ledger: takes the jobs in.
            undone: called with the act of a job that was taken back before it was performed.
        """
        self._ledger = ledger
        self._undone = undone
        self._acts: dict[JobRecord, Act] = {}
        self.now_ns = ledger.now_ns
        self.unblocked = ledger.unblocked
        self.pending_with = ledger.pending_with
        self.result_of = ledger.result_of

    def added(self, record: JobRecord) -> None:
        """Take in a job."""
        current = watcher.get()
        if current is None or record.origin is not FIRST:
            self._ledger.added(record)
            return
        value = (record.name, record.args, record.kwargs, record.queue)
        # A copy with the same id is no second job, but a second delivery of the first.
        key = record.job_id if has_derived_id(record.envelope.headers) else None
        act = Act("enqueue", call_text(record), value=value, key=key)
        with current.acting(act):
            self._acts[record] = act
            self._ledger.added(record)

    def removed(self, record: JobRecord) -> None:
        """Take note that a job was taken back: what came in its place counts instead."""
        self._ledger.removed(record)
        act = self._acts.pop(record, None)
        if act is not None:
            self._undone(act)
