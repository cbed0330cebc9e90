"""The core's jobs on Celery: its broker keeps them, its workers perform them.

One task, `pytest_jobs.perform`, performs every job of the core; a message holds the payload.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from ..core.execution import perform_to_end
from ..core.foundation.payload import Payload
from ..core.foundation.settings import configure, settings
from ..core.foundation.waits import Seconds, seconds_of
from ..errors import DeclarationError, EnqueueError, NoAdapterError, StoreError
from ..harness.records.probing import Probe
from ..harness.records.texts import error_text

if TYPE_CHECKING:
    from celery import Celery

_PROBE: Final = Probe(
    "celery",
    "celery.app.base:Celery.task",
    "celery.app.base:Celery.producer_or_acquire",
    "celery.app.control:Control.revoke(_, _)",
    "celery.app.task:Task.apply_async(_, args=, task_id=, shadow=)",
    "celery.exceptions:Ignore",
    "celery.exceptions:Retry(exc=, when=)",
    "kombu.exceptions:OperationalError",
    tested=((5, 3), (5, 7)),
)

#: The task that performs every job of the core.
TASK: Final = "pytest_jobs.perform"
#: How often a job is performed again after its process was killed; Celery before 5.7 does not count.
REDELIVERIES: Final = 10

_OPTIONS: Final[dict[str, Any]] = {
    # The message is acknowledged when the job has ended, and is sent again when its process was killed.
    "acks_late": True,
    "acks_on_failure_or_timeout": True,
    "reject_on_worker_lost": True,
    "retry_on_worker_lost": True,
    "max_retries": REDELIVERIES,
    "default_retry_delay": 0,
    "serializer": "json",
    "shared": False,
}

#: The queue of jobs of the core that name none.
_DEFAULT_QUEUE: Final = "default"
#: Transports that send priority 0 first, as the core does, and transports that send 9 first.
_LOWEST_FIRST: Final = ("redis", "rediss", "sentinel")
_HIGHEST_FIRST: Final = ("amqp", "amqps", "librabbitmq", "pyamqp")
_LAST: Final = 9

#: A worker holds a message with an eta for so many seconds at most: RabbitMQ takes it back after 30 minutes.
_LONGEST_HELD: Final = 900
#: Redis takes a message back after so many seconds, unless the application sets another number.
_VISIBILITY_TIMEOUT: Final = 3_600


class CeleryAdapter:
    """Sends jobs to the broker of a Celery application, whose workers perform them.

    A job is a Celery task `pytest_jobs.perform` with the id of the job, its retries included. Make the
    adapter in the module that workers load, since it registers that task. Messages are acknowledged when
    the job has ended; one whose worker was killed is performed again: at once when it was a process of
    the pool, and when the broker notices when it was the whole worker, which redis does after its
    `visibility_timeout`. The core's queue `default` is the default queue of the application.

    Args:
        app: the application.
        timeout: seconds or a timedelta after which Celery ends a job with its `SoftTimeLimitExceeded`.
            Default that of the application, which has none.

    Raises:
        DeclarationError: when the application is none.
        NoAdapterError: when Celery is not installed.
        UnknownVersionError: for a Celery that lacks what the adapter relies on.
        WaitError: when timeout is not a duration.
    """

    def __init__(self, app: Celery, *, timeout: Seconds | None = None) -> None:
        try:
            import celery
        except ModuleNotFoundError:
            raise NoAdapterError(
                'CeleryAdapter needs Celery, which is not installed: pip install "pytest-jobs[celery]".'
            ) from None
        _PROBE.check(celery.__version__)
        given: object = app
        if isinstance(given, type) or not callable(getattr(given, "send_task", None)):
            raise DeclarationError(
                f"CeleryAdapter({app!r}) is given no application of Celery: write CeleryAdapter(app), with "
                "app = Celery('shop', broker=...)."
            )
        self._app: Any = app
        self._timeout = None if timeout is None else seconds_of(timeout, "timeout")
        self._task: Any = app.task(_perform, name=TASK, bind=True, **_OPTIONS)

    def now_ns(self) -> int:
        """Return the time of the system, in nanoseconds since the epoch."""
        return time.time_ns()

    def enqueue(self, payload: Payload) -> None:
        """Send a payload, for a retry too.

        Raises:
            EnqueueError: when the broker cannot be reached.
            DeclarationError: when it has a priority that the broker has no place for, or when the
                application is eager.
            UnknownJobError: when a worker could not find its class.
            AmbiguousJobError: when another class has the same name.
        """
        options = self._options(payload)
        try:
            self._task.apply_async(**options)
        except _outages() as error:
            raise _refused(payload, error) from error

    def enqueue_all(self, payloads: Sequence[Payload]) -> Sequence[EnqueueError | None]:
        """Send payloads of first attempts over one connection of the pool, on redis in one round trip.

        Raises:
            DeclarationError: as `enqueue`, and UnknownJobError and AmbiguousJobError; none is sent then.
        """
        every = [self._options(payload) for payload in payloads]
        refusals: list[EnqueueError | None] = [None] * len(payloads)
        outages = _outages()
        try:
            with self._app.producer_or_acquire() as producer:
                outages += tuple(producer.connection.connection_errors)
                with self._in_one_pipeline(producer.channel):
                    for place, options in enumerate(every):
                        try:
                            self._task.apply_async(producer=producer, **options)
                        except outages as error:
                            refusals[place] = _refused(payloads[place], error)
        except outages as error:
            return [_refused(payload, error) for payload in payloads]
        return refusals

    def _in_one_pipeline(self, channel: Any) -> AbstractContextManager[None]:
        # Other brokers are not waited for after each message.
        return _pipelined(channel) if self._transport in _LOWEST_FIRST else nullcontext()

    def _options(self, payload: Payload) -> dict[str, Any]:
        if self._app.conf.task_always_eager:
            raise DeclarationError(
                f"{self!r} sends messages, and task_always_eager has its application send none: in a test ask for "
                "the `jobs` fixture instead, and elsewhere configure an `InlineAdapter`."
            )
        options: dict[str, Any] = {
            "args": (payload.to_dict(),),
            "task_id": payload.job_id,
            "eta": self._eta(payload),
            "shadow": payload.name,
            # Without this Celery subscribes to the result of every job, and waits for a backend that is down.
            # The header makes the worker store results as the application wants.
            "ignore_result": True,
            "headers": {"ignore_result": bool(self._task.ignore_result)},
        }
        if self._timeout is not None:
            options["soft_time_limit"] = self._timeout
        if payload.queue != _DEFAULT_QUEUE:
            options["queue"] = payload.queue
        if payload.priority is not None:
            options["priority"] = self._priority(payload)
        return options

    def withdraw(self, job_id: str) -> Payload | None:
        """Have the workers that run now drop a job, for `unique(on_conflict="replace")`.

        Celery revokes a task and does not say whether it waited: so nothing is returned. A worker that
        starts later knows of it only if another worker that does still runs.

        Raises:
            StoreError: when the broker cannot be reached.
        """
        try:
            self._app.control.revoke(job_id)
        except _outages() as error:
            raise StoreError(
                f"Could not take job {job_id} back: the broker answers with {error_text(error).rstrip('.')}."
            ) from error
        return None

    def _eta(self, payload: Payload) -> datetime | None:
        """Return when a worker looks at a payload again, before the broker would take the message back."""
        now_ns = self.now_ns()
        if payload.due_ns is None or payload.due_ns <= now_ns:
            return None
        options = self._app.conf.broker_transport_options or {}
        held = min(_LONGEST_HELD, options.get("visibility_timeout", _VISIBILITY_TIMEOUT) / 2)
        ns = min(payload.due_ns, now_ns + round(held * 1_000_000_000))
        seconds, rest = divmod(-(-ns // 1_000), 1_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)

    def _priority(self, payload: Payload) -> int:
        priority, transport = payload.priority or 0, self._transport
        if transport not in _LOWEST_FIRST + _HIGHEST_FIRST:
            raise DeclarationError(
                f"{payload.name} has the priority {priority}, and the transport {transport!r} of Celery has "
                "none: give jobs that may wait a queue of their own."
            )
        if not 0 <= priority <= _LAST:
            raise DeclarationError(
                f"{payload.name} has the priority {priority}, and Celery has those from 0, which goes first, "
                f"to {_LAST}."
            )
        return priority if transport in _LOWEST_FIRST else _LAST - priority

    @cached_property
    def _transport(self) -> str:
        with self._app.connection_for_write() as connection:
            return str(connection.transport_cls)

    def __repr__(self) -> str:
        return f"<CeleryAdapter {self._app.main}>"


def _refused(payload: Payload, error: Exception) -> EnqueueError:
    return EnqueueError(
        f"Could not enqueue {payload.name} (job {payload.job_id}) on Celery: the broker answers with "
        f"{error_text(error).rstrip('.')}."
    )


class _PipelinedClient:
    """Stands in for the client of a channel: messages wait for one pipeline, and each exchange is read once."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._pipeline = client.pipeline(transaction=False)
        self._members: dict[str, Any] = {}

    def lpush(self, *arguments: Any) -> None:
        self._pipeline.lpush(*arguments)

    def smembers(self, key: str) -> Any:
        if key not in self._members:
            self._members[key] = self._client.smembers(key)
        return self._members[key]

    def execute(self) -> None:
        self._pipeline.execute()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@contextmanager
def _pipelined(channel: Any) -> Generator[None]:
    """Send what a channel of kombu's redis transport publishes in a block at its end, in one round trip."""
    with channel.conn_or_acquire() as client:
        pipelined = _PipelinedClient(client)
        # An attribute of this one channel, which stands in front of the method.
        channel.conn_or_acquire = lambda client=None: nullcontext(client or pipelined)
        try:
            yield
        finally:
            del channel.conn_or_acquire
        pipelined.execute()


def _perform(task: Any, data: dict[str, Any]) -> str:
    """Perform a payload in a worker: the body of the task."""
    from celery.exceptions import Ignore, Retry

    payload = Payload.from_dict(data)
    with nullcontext() if settings.has_adapter else configure(adapter=CeleryAdapter(task.app)):
        if payload.due_ns is not None and payload.due_ns > time.time_ns():
            settings.adapter.enqueue(payload)
            raise Ignore("It is not due yet.")
        execution = perform_to_end(payload)
    if execution.status in ("retried", "snoozed"):
        # As Task.retry does: with SUCCESS stored, a worker takes the job for done, even if it is killed later.
        raise Retry(exc=execution.error, when=(execution.wait_ns or 0) / 1_000_000_000)
    if execution.error is not None and not execution.handled:
        raise execution.error
    return execution.status


def _outages() -> tuple[type[Exception], ...]:
    from kombu.exceptions import OperationalError

    return OperationalError, OSError
