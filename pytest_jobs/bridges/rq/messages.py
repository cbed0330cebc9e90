"""One job of RQ, as a server of redis keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rq.job import Job
from rq.queue import Queue

from ..toolkit import Message, path_of

_SECOND_NS: Final = 1_000_000_000


class SentJob(Message):
    """A job with the hash that a server has of it: the payload, which is put back before each delivery."""

    __slots__ = ("data", "has_own_id", "is_taken", "sender")

    def __init__(
        self,
        sender: Queue,
        job: Job,
        enqueued_ns: int,
        due_ns: int | None,
        *,
        attempt: int = 1,
        data: Mapping[Any, Any] | None = None,
        at_front: bool = False,
    ) -> None:
        """Describe a job that a queue has sent, with the hash of it on the server unless another is given."""
        super().__init__(
            name_of(job),
            job.id,
            enqueued_ns,
            queue=sender.name,
            priority=-1 if at_front else None,
            headers=dict(job.meta or {}),
            attempt=attempt,
            due_ns=due_ns,
            expires_ns=None if not job.ttl or job.ttl < 0 else enqueued_ns + job.ttl * _SECOND_NS,
        )
        self.sender = sender
        self.has_own_id = False
        #: Whether a delivery has begun, or the hash is made up.
        self.is_taken = data is not None
        connection: Any = sender.connection
        self.data: Mapping[Any, Any] = connection.hgetall(job.key) if data is None else data

    def job(self) -> Job:
        """Return the job, made anew from its payload."""
        sender = self.sender
        job = sender.job_class(
            self.job_id, connection=sender.connection, serializer=sender.serializer
        )
        job.restore(dict(self.data))
        return job

    def overwritten(self, other: SentJob) -> SentJob:
        """Return the job that waits here once another has been written under its id."""
        at_front = self.priority is not None
        job, times = other.job(), (self.enqueued_ns, self.due_ns)
        return SentJob(other.sender, job, *times, attempt=self.attempt, at_front=at_front)

    def take(self, kept: Mapping[Any, Any]) -> None:
        """Be delivered with the hash that the server has before the first delivery, if it has one."""
        self.data, self.is_taken = kept or self.data, True

    def number(self, field: bytes) -> int | None:
        """Return a number of the hash; None when it is not there."""
        value = self.data.get(field)
        return None if value is None else int(value)

    def as_attempt(self, attempt: int, **numbers: int) -> SentJob:
        """Return the job as RQ sends it for another attempt, with the fields of the hash that RQ counts."""
        data = dict(self.data)
        data.update({name.encode(): str(number).encode() for name, number in numbers.items()})
        at_front = self.priority is not None
        return SentJob(
            self.sender,
            self.job(),
            self.enqueued_ns,
            None,
            attempt=attempt,
            data=data,
            at_front=at_front,
        )


def name_of(job: Job) -> str:
    """Return the name of a job: the path of its function, or of its method with the class."""
    name = str(job.func_name)
    return name if job.instance is None else path_of(getattr(job.instance, name))
