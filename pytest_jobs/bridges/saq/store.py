"""What the servers of SAQ would keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saq import Job, Queue, Status
from saq.job import TERMINAL_STATUSES

from ..lives import Started
from ..toolkit import JobRecord
from .workers import HarnessWorker


class Entry:
    """One job, as a server keeps it under its key."""

    __slots__ = ("data", "is_reported", "record", "status")

    def __init__(self, data: Any, status: Status, record: JobRecord | None = None) -> None:
        self.data = data
        self.status = status
        #: The record, while the job waits.
        self.record = record
        #: Whether the enqueue has ended. A worker that is killed before it has leaves nothing under the key.
        self.is_reported = True

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL_STATUSES


class Store:
    """The jobs of all queues, by the name of the queue and the key of the job."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], Entry] = {}
        #: When jobs that are over are forgotten, by the same keys.
        self._expiring: dict[tuple[str, str], int] = {}
        #: The workers that have started.
        self.workers: Started[HarnessWorker] = Started()

    def find(self, queue: Queue, key: str) -> Entry | None:
        return self._entries.get((queue.name, key))

    def of(self, queue: Queue) -> Iterator[Entry]:
        """Yield what is kept for a queue."""
        return (entry for (name, _), entry in list(self._entries.items()) if name == queue.name)

    def put(self, queue: Queue, job: Job) -> Entry:
        """Keep a job as it is now.

        Raises:
            Exception: when the queue cannot write it.
        """
        data = queue.serialize(job)
        entry = self._entries.get((queue.name, job.key))
        if entry is None:
            entry = self._entries[queue.name, job.key] = Entry(data, job.status)
        entry.data, entry.status = data, job.status
        self._expiring.pop((queue.name, job.key), None)
        return entry

    def expire(self, queue: Queue, key: str, at_ns: int) -> None:
        """Forget a job at a time."""
        self._expiring[queue.name, key] = at_ns

    def forget_expired(self, now_ns: int) -> None:
        for key in [key for key, at_ns in self._expiring.items() if at_ns <= now_ns]:
            del self._expiring[key]
            self._entries.pop(key, None)

    def drop(self, queue: Queue, key: str) -> None:
        self._entries.pop((queue.name, key), None)
