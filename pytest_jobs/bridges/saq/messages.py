"""Jobs as SAQ stores them."""

from __future__ import annotations

import re
from typing import Any, Final

from saq import Job, Queue

from ...errors import DeserializationError
from ..toolkit import Message

_SECOND_NS: Final = 1_000_000_000
#: The key of a job whose application chose none: a UUID of the time.
_MADE_KEY: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


class SaqMessage(Message):
    """One job as a queue stores it."""

    __slots__ = ("data", "has_own_id", "sender")

    def __init__(
        self, queue: Queue, job: Job, data: Any, now_ns: int, due_ns: int | None = None
    ) -> None:
        super().__init__(
            job.function,
            job.key,
            now_ns,
            queue=queue.name,
            priority=job.priority,
            headers=dict(job.meta),
            attempt=job.attempts + 1,
            due_ns=due_ns,
        )
        self.sender = queue
        self.has_own_id = _MADE_KEY.fullmatch(job.key) is None
        self.data = data

    def read(self) -> Job:
        """Read the job anew."""
        job = self.sender.deserialize(self.data)
        if job is None:
            raise DeserializationError(f"{self!r} has no content.")
        return job

    def as_attempt(self, attempt: int) -> SaqMessage:
        """Return the job as the queue stores it for another attempt."""
        job = self.read()
        job.attempts = attempt - 1
        return SaqMessage(self.sender, job, self.sender.serialize(job), self.enqueued_ns)


def due_ns_of(job: Job, now_ns: int) -> int | None:
    """Return when a scheduled job is due; None for at once."""
    due_ns = int(job.scheduled * _SECOND_NS)
    return due_ns if due_ns > now_ns else None
