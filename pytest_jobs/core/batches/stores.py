"""The batches of one process: which jobs each has, how they ended, and which callbacks were sent."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from ...errors import BatchError
from ..foundation.payload import Payload
from ..foundation.protocols import BatchFacts

#: The names of the callbacks, in the order in which they are enqueued.
COMPLETE: Final = "complete"
SUCCESS: Final = "success"

State: TypeAlias = Literal["announced", "enqueued", "performed", "failed"]


def names_of(callbacks: Mapping[str, Payload]) -> str:
    """Return the names of the callbacks of a batch as one text."""
    return ", ".join(f"on_{name} {callbacks[name].name}" for name in sorted(callbacks))


def another_batch(batch_id: str, kept: str, given: str) -> BatchError:
    """Return the error for a batch that has the id of another one."""
    return BatchError(
        f"The batch {batch_id} is kept with {kept}, and is enqueued here with {given}, which would never be "
        'called: give each batch an id of its own, which says what it is for, such as Batch(f"import-{file_id}").'
    )


@dataclass(slots=True)
class _Kept:
    """One batch."""

    callbacks: Mapping[str, Payload]
    jobs: dict[str, State] = field(default_factory=dict)
    pending: int = 0
    failed: int = 0
    withdrawn: set[str] = field(default_factory=set)
    #: Who asked first for each callback: it alone gets the callback, again and again until it was sent.
    askers: dict[str, str] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)

    def due(self, asker: str) -> dict[str, Payload]:
        if self.pending:
            return {}
        reached = (COMPLETE,) if self.failed else (COMPLETE, SUCCESS)
        return {
            name: self.callbacks[name]
            for name in reached
            if self.askers.setdefault(name, asker) == asker
            and name not in self.sent
            and name in self.callbacks
        }


class MemoryBatches:
    """A `BatchStore` in memory, whose methods say there what they do."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def add(
        self,
        batch_id: str,
        job_ids: Sequence[str],
        callbacks: Mapping[str, Payload] | None,
        adder: str = "",
    ) -> Sequence[str] | None:
        with self._mutex:
            batch = self._kept.get(batch_id)
            if batch is None:
                if callbacks is None:
                    return None
                batch = self._kept[batch_id] = _Kept(dict(callbacks))
            if callbacks is not None and names_of(callbacks) != names_of(batch.callbacks):
                raise another_batch(batch_id, names_of(batch.callbacks), names_of(callbacks))
            unknown = [each for each in job_ids if each not in batch.jobs]
            if COMPLETE in batch.askers and batch.jobs.get(adder) != "failed":
                if not batch.withdrawn.issuperset(unknown):
                    return None
                unknown = []
            batch.jobs.update(dict.fromkeys(unknown, "announced"))
            batch.pending += len(unknown)
            return [each for each in job_ids if batch.jobs.get(each) == "announced"]

    def handed_over(self, batch_id: str, job_id: str) -> None:
        with self._mutex:
            batch = self._kept.get(batch_id)
            if batch is not None and batch.jobs.get(job_id) == "announced":
                batch.jobs[job_id] = "enqueued"

    def withdraw(self, batch_id: str, job_id: str) -> None:
        with self._mutex:
            batch = self._kept.get(batch_id)
            if batch is not None and batch.jobs.get(job_id) == "announced":
                del batch.jobs[job_id]
                batch.withdrawn.add(job_id)
                batch.pending -= 1

    def end(self, batch_id: str, job_id: str, *, performed: bool) -> Mapping[str, Payload] | None:
        with self._mutex:
            batch = self._kept.get(batch_id)
            if batch is None or job_id not in batch.jobs:
                return None
            before = batch.jobs[job_id]
            if before not in ("performed", "failed"):
                batch.pending -= 1
            if before != "performed":
                batch.failed += (not performed) - (before == "failed")
                batch.jobs[job_id] = "performed" if performed else "failed"
            return batch.due(job_id)

    def settle(self, batch_id: str, asker: str) -> Mapping[str, Payload]:
        with self._mutex:
            batch = self._kept.get(batch_id)
            return {} if batch is None else batch.due(asker)

    def sent(self, batch_id: str, name: str) -> None:
        with self._mutex:
            batch = self._kept.get(batch_id)
            if batch is not None:
                batch.sent.add(name)

    def facts(self, batch_id: str) -> BatchFacts | None:
        with self._mutex:
            batch = self._kept.get(batch_id)
            return (
                None if batch is None else BatchFacts(len(batch.jobs), batch.pending, batch.failed)
            )
