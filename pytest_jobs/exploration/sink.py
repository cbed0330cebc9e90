"""Where the jobs go that are enqueued in an exploration."""

from __future__ import annotations

from ..core.batch_ends import has_derived_id
from ..harness.describe import call_text
from ..harness.ledger import Ledger
from ..harness.record import FIRST, JobRecord
from .acts import Act, watcher


class ActSink:
    """Lets what a job enqueues be one of its acts."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.now_ns = ledger.now_ns
        self.removed = ledger.removed
        self.unblocked = ledger.unblocked
        self.pending_with = ledger.pending_with
        self.result_of = ledger.result_of

    def added(self, record: JobRecord) -> None:
        """Take in a job."""
        current = watcher.get()
        if current is None or record._origin is not FIRST:
            self._ledger.added(record)
            return
        value = (record.name, record.args, record.kwargs, record.queue)
        # A copy with the same id is no second job, but a second delivery of the first.
        key = record.job_id if has_derived_id(record._envelope.headers) else None
        with current.acting(Act("enqueue", call_text(record), value=value, key=key)):
            self._ledger.added(record)
