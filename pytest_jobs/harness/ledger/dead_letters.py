"""The jobs that were given up, until they are redriven or dropped by a limit."""

from __future__ import annotations

from typing import cast

from ...core.foundation.payload import GIVEN_UP
from ...core.foundation.waits import Seconds
from ...errors import CriterionError, NotDeadError
from ..records.bridge import HoldsLocks
from ..records.delivery import Delivery
from ..records.instants import delta_ns
from ..records.record import FIRST, REDELIVERY, JobRecord
from .ledger import Ledger


class DeadLetters:
    """The deliveries of a ledger after which a job was given up, the oldest first.

    They are read from the ledger only when a test asks, so that a delivery costs nothing more.
    """

    __slots__ = ("_age_ns", "_kept", "_ledger", "_read", "_size")

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._kept: list[Delivery] = []
        #: How many deliveries with which a job was given up have been read.
        self._read = 0
        self._size: int | None = None
        self._age_ns: int | None = None

    def kept(self) -> tuple[Delivery, ...]:
        """Return the dead letters that are neither redriven nor dropped by a limit."""
        given_up = self._ledger.ended(GIVEN_UP)
        self._kept += given_up[self._read :]
        self._read = len(given_up)
        if self._age_ns is not None:
            oldest_ns = self._ledger.now_ns() - self._age_ns
            self._kept = [each for each in self._kept if each.at_ns > oldest_ns]
        if self._size is not None:
            del self._kept[: -self._size]
        return tuple(self._kept)

    def limit(self, size: int | None, age: Seconds | None) -> None:
        """Set the limits. Dropped letters do not come back with higher limits; see `Jobs.limit_dead`."""
        if size is not None and (type(size) is not int or size < 1):
            raise CriterionError(
                f"jobs.limit_dead(size={size!r}) is not a number of dead letters: write an int of at least 1, or "
                "None for no limit."
            )
        age_ns = None if age is None else delta_ns(age, "age")
        self.kept()
        self._size, self._age_ns = size, age_ns
        self.kept()

    def redrive(self, dead: object) -> JobRecord | None:
        """Remove a dead letter and enqueue its job anew; see `Jobs.redrive`."""
        if not isinstance(dead, Delivery | JobRecord):
            raise CriterionError(
                f"jobs.redrive({dead!r}) is given no dead letter: pass a delivery, such as jobs.dead[0], or its "
                "record."
            )
        letter = self._find(dead)
        if letter is None:
            raise NotDeadError(
                f"{dead!r} is not in jobs.dead, so it cannot be redriven: it was redriven already, it outlived "
                "the limits of jobs.limit_dead(), or the job was not given up. To deliver a payload again "
                "whatever became of it, write jobs.redeliver(record)."
            )
        again = self._enqueue_anew(letter)
        self._kept = [each for each in self._kept if each is not letter]
        return again

    def redrive_all(self) -> tuple[JobRecord, ...]:
        """Remove every dead letter and enqueue their jobs anew, the oldest first."""
        redriven: dict[int, JobRecord | None] = {}
        try:
            for letter in self.kept():
                redriven[id(letter)] = self._enqueue_anew(letter)
        finally:
            # Also after an error, for those that were enqueued before it.
            self._kept = [each for each in self._kept if id(each) not in redriven]
        return tuple(record for record in redriven.values() if record is not None)

    def _enqueue_anew(self, letter: Delivery) -> JobRecord | None:
        first = self._first(letter.record)
        bridge = first.source
        if "unique" in bridge.capabilities:
            return cast("HoldsLocks", bridge).redrive(first)
        return bridge.redeliver(first)

    def _find(self, dead: Delivery | JobRecord) -> Delivery | None:
        kept = reversed(self.kept())
        if isinstance(dead, Delivery):
            return next((letter for letter in kept if letter is dead), None)
        first = self._first(dead)
        namesakes = (letter for letter in kept if _same_job(letter.record, dead))
        return next((each for each in namesakes if self._first(each.record) is first), None)

    def _first(self, record: JobRecord) -> JobRecord:
        """Return the record that the application enqueued."""
        while (source := self._source(record)) is not None:
            record = source
        return record

    def _source(self, record: JobRecord) -> JobRecord | None:
        """Return the record that this one retries or repeats; None when the application enqueued it."""
        if record.retry_of is not None:
            return self._ledger.records[record.retry_of]
        if record.origin is FIRST:
            return None
        repeats = record.origin is REDELIVERY
        earlier = (r for r in self._ledger.named(record.name) if r.sequence < record.sequence)
        return next(
            (
                each
                for each in reversed(list(earlier))
                if _same_job(each, record) and not (repeats and each.payload is not record.payload)
            ),
            None,
        )


def _same_job(one: JobRecord, other: JobRecord) -> bool:
    return one.job_id == other.job_id and one.source is other.source
