"""Sending once more what a harness has had."""

from __future__ import annotations

from .delivery import Delivery
from .record import JobRecord
from .viewing import Viewing, checked_record


class Redelivering(Viewing):
    """Enqueues payloads again: as a broker does, and as who looks after dead letters does."""

    def redeliver(self, record: JobRecord) -> JobRecord:
        """Enqueue the same payload once more, as a broker does that never heard of its delivery."""
        return checked_record(record, "redeliver")._bridge.redeliver(record)

    def redrive(self, dead: Delivery | JobRecord) -> JobRecord | None:
        """Take a dead letter out of `jobs.dead` and enqueue its job anew, by the payload that came in first.

        It begins at the attempt and with the counters of that payload, as new. Its id stays. A unique job takes
        its lock again, and a limited one its place: when another has it, it is dropped, replaces that or waits,
        as any job that is enqueued.

        Args:
            dead: a delivery of `jobs.dead`, or any record of its job.

        Returns:
            The new record, which is no first enqueue; None when it was dropped for another, which
            `jobs.kept_out` names.

        Raises:
            StoreError: when the store of locks cannot be reached; it stays dead then.
            NotDeadError: when it is not among the dead letters, or not any more.
            CriterionError: when it is neither a delivery nor a record.
        """
        return self._dead_letters.redrive(dead)

    def redrive_all(self) -> tuple[JobRecord, ...]:
        """Redrive every dead letter, the oldest first, and return the new records.

        Raises:
            StoreError: when the store of locks cannot be reached; those that follow stay dead.
        """
        return self._dead_letters.redrive_all()
