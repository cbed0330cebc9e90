"""The core's jobs on RQ: its queues keep them, its workers perform them.

`RqAdapter` sends; a worker calls `rq_worker.perform`. The next attempt of a job is not enqueued: it replaces the
payload of the same job of RQ when the delivery ends (`Delivery.next`), so that no attempt is lost or doubled.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ..core.foundation.payload import Payload
from ..core.foundation.waits import Seconds, seconds_of
from ..errors import DeclarationError, EnqueueError, NoAdapterError, StoreError, WaitError
from ..harness.records.probing import Probe
from ..harness.records.texts import error_text
from .redis import check_client

if TYPE_CHECKING:
    import rq
    from redis import Redis
    from redis.client import Pipeline
    from rq.job import Job

_PROBE: Final = Probe(
    "rq",
    "rq:Queue(_, connection=, serializer=)",
    "rq:Queue.enqueue_at(_, _, _)",
    "rq:Queue.enqueue_call(_, _, pipeline=)",
    "rq:Queue.enqueue_job(_, _, pipeline=, at_front=, unique=)",
    # A killed attempt must not send the next one twice.
    "rq:Queue.schedule_job(_, _, _, unique=)",
    "rq:Queue.schedule_job(_, _, _, pipeline=)",
    "rq:Queue.scheduled_job_registry",
    "rq:Queue.remove(_, _)",
    "rq:Retry(max=, interval=)",
    "rq.exceptions:DuplicateJobError",
    "rq.job:Job.fetch(_, connection=, serializer=)",
    tested=((2, 12), (3, 0)),
)

#: How often a job is performed again after its worker was killed; then it is a failed job of RQ.
REDELIVERIES: Final = 10

_ENTRY: Final = "pytest_jobs.integrations.rq_worker.perform"
_SECOND_NS: Final = 1_000_000_000

_log = logging.getLogger("pytest_jobs")


class RqAdapter:
    """Sends jobs to the queues of RQ, where `rq worker` performs them.

    A job is one job of RQ with the same id, its retries included. Scheduled jobs and retries that wait
    need a worker with a scheduler, `rq worker --with-scheduler`. A job whose worker was killed is
    performed again, up to 10 times, if the worker listens to one queue; one that RQ pops from one of
    several can be lost before it begins. A negative priority is the front of the queue.

    Args:
        connection: a `redis.Redis`, of redis-py, without `decode_responses`, as RQ asks for.
        timeout: seconds or a timedelta after which RQ ends a job with its `JobTimeoutException`. Default
            that of RQ, 180 seconds.
        serializer: the serializer of RQ that its workers use, too. Default that of RQ.

    Raises:
        NoAdapterError: when RQ is not installed.
        UnknownVersionError: for an RQ that lacks what the adapter relies on.
        WaitError: when timeout is not a duration.
    """

    def __init__(
        self, connection: Redis, *, timeout: Seconds | None = None, serializer: Any = None
    ) -> None:
        try:
            import rq
        except ModuleNotFoundError:
            raise NoAdapterError(
                'RqAdapter needs RQ, which is not installed: pip install "pytest-jobs[rq]".'
            ) from None
        _PROBE.check(rq.__version__)
        self._rq = rq
        check_client(connection, "RqAdapter", "an adapter enqueues")
        self._connection = connection
        self._timeout: float | None = None
        if timeout is not None:
            self._timeout = math.ceil(seconds_of(timeout, "timeout"))
            if self._timeout == 0:
                raise WaitError(
                    "RqAdapter(timeout=0) would end each job as it begins: write how long one may take."
                )
        self._serializer = serializer
        self._queues: dict[str, rq.Queue] = {}

    @classmethod
    def of(cls, job: Job) -> RqAdapter:
        """Return an adapter for a worker, which sends jobs as the one that it performs was sent."""
        adapter = cls(job.connection, serializer=job.serializer)
        adapter._timeout = job.timeout
        return adapter

    def now_ns(self) -> int:
        """Return the time of the system, in nanoseconds since the epoch."""
        return time.time_ns()

    def enqueue(self, payload: Payload) -> None:
        """Send a payload; the next attempt of the job that is being performed goes with its end.

        Raises:
            EnqueueError: when redis does not take it.
            DeclarationError: when it has a priority that RQ has no place for.
            UnknownJobError: when a worker could not find its class.
            AmbiguousJobError: when another class has the same name.
        """
        options = self._options(payload)
        delivery = current.get()
        if delivery is not None and delivery.goes_on_with(payload):
            return
        from redis.exceptions import RedisError
        from rq.exceptions import DuplicateJobError

        try:
            self._send(payload, options)
        except DuplicateJobError:
            _log.info("%s (job %s) was sent before.", payload.name, options["job_id"])
        except RedisError as error:
            raise _refused(payload, error) from error

    def enqueue_all(self, payloads: Sequence[Payload]) -> Sequence[EnqueueError | None]:
        """Send payloads of first attempts in one round trip: redis takes all of them, or none.

        Raises:
            DeclarationError: as `enqueue`, and UnknownJobError and AmbiguousJobError; none is sent then.
        """
        every = [(payload, self._options(payload)) for payload in payloads]
        from redis.exceptions import RedisError

        try:
            with self._connection.pipeline() as pipeline:
                for payload, options in every:
                    self._send(payload, {**options, "pipeline": pipeline})
                pipeline.execute()
        except RedisError as error:
            return [_refused(payload, error) for payload in payloads]
        return [None] * len(payloads)

    def _options(self, payload: Payload) -> dict[str, Any]:
        job_id = payload.job_id
        return {
            "args": (payload.to_dict(),),
            # A later attempt is sent only when it goes to another queue; there it needs an id of its own.
            "job_id": job_id if payload.attempt == 1 else f"{job_id}-{payload.attempt}",
            "job_timeout": self._timeout,
            "description": payload.name,
            "retry": self._rq.Retry(max=REDELIVERIES),
            "at_front": at_front(payload),
            # An attempt may be killed after it sent the next one: its repetition must not send that again.
            "unique": payload.attempt > 1,
        }

    def _send(self, payload: Payload, options: dict[str, Any]) -> None:
        queue = self._queue(payload.queue)
        if payload.due_ns is None or payload.due_ns <= self.now_ns():
            queue.enqueue(_ENTRY, **options)
        else:
            due = datetime.fromtimestamp(_rounded_up(payload.due_ns), UTC)
            queue.enqueue_at(due, _ENTRY, **options)

    def withdraw(self, job_id: str) -> Payload | None:
        """Take back and return what waits of a job, for `unique(on_conflict="replace")`.

        A retry that went to another queue is not found.

        Raises:
            StoreError: when redis cannot be reached.
        """
        with _asking(f"take job {job_id} back"):
            job = self._fetch(job_id)
            if job is None:
                return None
            queue = self._queue(job.origin)
            # A worker or the scheduler may take the job at the same time: only one of us removes it.
            if not queue.scheduled_job_registry.remove(job_id) and not queue.remove(job_id):
                return None
            job.delete()
            return Payload.from_dict(job.args[0])

    def block(self, payload: Payload, until_ns: int | None) -> None:
        """Send a payload that waits for a place, due when the first place expires."""
        payload.due_ns = until_ns
        self.enqueue(payload)

    def unblock(self, job_id: str) -> None:
        """Move a job that waits for a place into its queue.

        Raises:
            StoreError: when redis cannot be reached.
        """
        with _asking(f"unblock job {job_id}"):
            job = self._fetch(job_id)
            if job is None:
                return
            queue = self._queue(job.origin)
            registry = queue.scheduled_job_registry

            def move(pipeline: Pipeline) -> None:
                waits = pipeline.zscore(registry.key, job_id) is not None
                pipeline.multi()
                if waits:
                    registry.remove(job_id, pipeline=pipeline)
                    queue.enqueue_job(job, pipeline=pipeline, at_front=bool(job.enqueue_at_front))

            self._connection.transaction(move, registry.key)

    def _queue(self, name: str) -> rq.Queue:
        if name not in self._queues:
            self._queues[name] = self._rq.Queue(
                name, connection=self._connection, serializer=self._serializer
            )
        return self._queues[name]

    def _fetch(self, job_id: str) -> Job | None:
        from rq.exceptions import NoSuchJobError
        from rq.job import Job

        try:
            return Job.fetch(job_id, connection=self._connection, serializer=self._serializer)
        except NoSuchJobError:
            return None

    def __repr__(self) -> str:
        return "<RqAdapter>"


def _refused(payload: Payload, error: Exception) -> EnqueueError:
    return EnqueueError(
        f"Could not enqueue {payload.name} (job {payload.job_id}) on RQ: redis answers with "
        f"{error_text(error).rstrip('.')}."
    )


class Delivery:
    """The delivery that a worker makes now."""

    __slots__ = ("_payload", "next")

    def __init__(self, payload: Payload) -> None:
        self._payload = payload
        #: The next attempt of the job.
        self.next: Payload | None = None

    def goes_on_with(self, payload: Payload) -> bool:
        """Keep a payload of the same job, and say whether it is one. RQ moves no job to another queue."""
        if (payload.job_id, payload.queue) != (self._payload.job_id, self._payload.queue):
            return False
        self.next = payload
        return True


#: The delivery that is being made; None outside of workers.
current: ContextVar[Delivery | None] = ContextVar("pytest_jobs_rq_delivery", default=None)


def at_front(payload: Payload) -> bool:
    """Say whether a payload belongs at the front of its queue.

    Raises:
        DeclarationError: for a priority that RQ has no place for.
    """
    priority = payload.priority or 0
    if priority > 0:
        raise DeclarationError(
            f"{payload.name} has the priority {priority}, and RQ knows the front of a queue only, which is what "
            "a negative priority asks for: give jobs that may wait a queue of their own."
        )
    return priority < 0


def seconds_until(due_ns: int | None, now_ns: int) -> int:
    """Return after how many seconds RQ sends a job again, so that it never comes early."""
    if due_ns is None or due_ns <= now_ns:
        return 0
    # RQ adds the seconds to a later moment, and cuts the fraction off the sum.
    return _rounded_up(due_ns) - now_ns // _SECOND_NS


@contextmanager
def _asking(what: str) -> Generator[None]:
    from redis.exceptions import RedisError

    try:
        yield
    except RedisError as error:
        raise StoreError(
            f"Could not {what}: redis answers with {error_text(error).rstrip('.')}."
        ) from error


def _rounded_up(ns: int) -> int:
    """Return whole seconds: RQ cuts the fraction off, and no job is to come early."""
    return -(-ns // _SECOND_NS)
