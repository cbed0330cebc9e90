"""Jobs that wait for the transaction in which they were enqueued to end."""

from __future__ import annotations

import threading

from .record import PENDING, JobRecord


class HeldRecords:
    """What each thread enqueued inside its open transaction, and inline mode does not perform yet."""

    __slots__ = ("_by_sequence",)

    def __init__(self) -> None:
        self._by_sequence: dict[int, tuple[int, JobRecord]] = {}

    def hold(self, record: JobRecord) -> None:
        """Keep a record until the transaction of this thread has ended."""
        self._by_sequence[record._sequence] = threading.get_ident(), record

    def release_here(self) -> bool:
        """Give up what this thread enqueued; return whether there was any."""
        if not self._by_sequence:
            return False
        thread = threading.get_ident()
        held = [sequence for sequence, (by, _) in self._by_sequence.items() if by == thread]
        for sequence in held:
            del self._by_sequence[sequence]
        return bool(held)

    def give_up(self) -> list[JobRecord]:
        """Return what is held and still pending, and hold it no longer."""
        held, self._by_sequence = self._by_sequence, {}
        return [record for _, record in held.values() if record._state is PENDING]

    def __contains__(self, sequence: object) -> bool:
        """Say whether the record of this number is held."""
        return sequence in self._by_sequence
