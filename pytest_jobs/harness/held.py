"""Jobs that wait for the transaction in which they were enqueued to end."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable

from .record import PENDING, JobRecord


class HeldRecords:
    """What was enqueued inside open transactions, and inline mode does not perform yet.

    Each thread has transactions of its own, and so may each task of an event loop.
    """

    __slots__ = ("_by_sequence", "_in_transaction")

    def __init__(self, in_transaction: Callable[[], bool]) -> None:
        """Hold nothing so far.

        Args:
            in_transaction: says whether there is one where it is called.
        """
        self._by_sequence: dict[int, tuple[int, contextvars.Context, JobRecord]] = {}
        self._in_transaction = in_transaction

    def hold(self, record: JobRecord) -> None:
        """Keep a record until the transaction has ended in which this is called."""
        held = threading.get_ident(), contextvars.copy_context(), record
        self._by_sequence[record._sequence] = held

    def release_here(self) -> bool:
        """Give up what this thread enqueued in transactions that have ended; return whether there was any."""
        if not self._by_sequence:
            return False
        thread = threading.get_ident()
        ended = [
            sequence
            for sequence, (by, context, _) in list(self._by_sequence.items())
            if by == thread and not context.copy().run(self._in_transaction)
        ]
        for sequence in ended:
            self._by_sequence.pop(sequence, None)
        return bool(ended)

    def give_up(self) -> list[JobRecord]:
        """Return what is held and still pending, and hold it no longer."""
        held, self._by_sequence = self._by_sequence, {}
        return [record for _, _, record in held.values() if record._state is PENDING]

    def __contains__(self, sequence: object) -> bool:
        """Say whether the record of this number is held."""
        return sequence in self._by_sequence
