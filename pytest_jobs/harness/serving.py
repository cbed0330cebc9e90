"""Taking jobs as workers do that serve certain queues, and what is said of the others."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..core.locks.keys import nearest
from ..errors import CriterionError, UnservedQueueError
from .describe import short_name
from .queues import Queues
from .record import JobRecord

if TYPE_CHECKING:
    from .ledger import Ledger
    from .selection import Selection

#: The shelf of workers that take from every queue, without an order among them.
_EVERY = "*"


class Serving:
    """Says from which shelf workers take next. The jobs of a queue stand on a shelf of its name."""

    __slots__ = ("_places", "_random", "queues")

    def __init__(self, queues: Queues) -> None:
        self.queues = queues
        self._places: dict[str | None, int | None] = {}
        self._random = random.Random(queues.seed)  # noqa: S311 - the same draws in every run

    def shelf(self, queue: str | None) -> str | None:
        """Return on which shelf the jobs of a queue stand; None when no worker serves it."""
        if self._place(queue) is None:
            return None
        return _EVERY if queue is None or self.queues.names == (_EVERY,) else queue

    def choose(self, shelves: Sequence[str]) -> str:
        """Return from which of the shelves a job is taken next; on each there is one."""
        in_order = sorted(shelves, key=lambda shelf: (self._place(shelf) or 0, shelf))
        if self.queues.strict:
            return in_order[0]
        weights = [self.queues.weights[shelf] for shelf in in_order]
        return self._random.choices(in_order, weights)[0]

    def _place(self, queue: str | None) -> int | None:
        try:
            return self._places[queue]
        except KeyError:
            place = self._places[queue] = self.queues.place_of(queue)
            return place


def checked_queues(queues: object) -> Queues | None:
    """Return what is to be served.

    Raises:
        CriterionError: when it is neither queues nor None.
    """
    if queues is None or isinstance(queues, Queues):
        return queues
    raise CriterionError(
        f"jobs.serve({queues!r}) is given no queues: write jobs.serve(load_queues('config/sidekiq.yml')), or "
        "jobs.serve(Queues(['critical', 'default']))."
    )


def check_served(ledger: Ledger, selection: Selection, verb: str, until_ns: int | None) -> None:
    """Raise when a job that a verb was to perform is in a queue that no worker serves.

    Args:
        ledger: has the records.
        selection: the filters of the verb.
        verb: how the message calls it.
        until_ns: what is due after this was not to be performed; None for no end.

    Raises:
        UnservedQueueError: with those jobs, and the queues that are served.
    """
    error = unserved(ledger, selection, verb, until_ns)
    if error is not None:
        raise error


def unserved(
    ledger: Ledger, selection: Selection, verb: str, until_ns: int | None
) -> UnservedQueueError | None:
    """Return the error that `check_served` raises; None when there is no reason."""
    if ledger.serving is None:
        return None
    left = [
        record
        for record in ledger.unserved()
        if _comes(record, until_ns) and selection.admits(record)
    ]
    return UnservedQueueError(_text(left, ledger.serving.queues, verb)) if left else None


def _comes(record: JobRecord, until_ns: int | None) -> bool:
    due_ns = record._envelope.due_ns
    return until_ns is None or due_ns is None or due_ns <= until_ns


def _text(left: Iterable[JobRecord], queues: Queues, verb: str) -> str:
    counts = Counter((short_name(record.name), record.queue) for record in left)
    jobs = ", ".join(f"{count} {name} in {queue!r}" for (name, queue), count in counts.items())
    names = {queue for _, queue in counts if queue is not None}
    meant = [nearest(name, queues.names) for name in names]
    hint = f" ({meant[0][2:]})" if len(names) == 1 and meant[0] != "." else ""
    return (
        f"{verb} leaves jobs that no worker serves, and which would wait for ever: {jobs}{hint}. Served are "
        f"{', '.join(queues.names)}, by {queues.source}. Name the queue there, enqueue the job into one of these, "
        "or leave it to other workers by exclude= or queue=."
    )
