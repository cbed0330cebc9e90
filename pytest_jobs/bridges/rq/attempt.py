"""One delivery of a job through the worker of RQ."""

from __future__ import annotations

import logging
from typing import Any, Final

from rq.job import Job, Retry
from rq.queue import Queue
from rq.timeouts import BaseDeathPenalty
from rq.worker import SimpleWorker

from ...errors import UnknownJobError
from ..toolkit import JOB_ERRORS, Attempt, Delivery, time_limit
from .messages import SentJob

#: RQ's lines about each job that went well would bury the report of a check with hundreds of deliveries.
_log: Final = logging.getLogger("pytest_jobs.rq")
_log.setLevel(logging.WARNING)


class RqAttempt(Attempt[SentJob]):
    """A delivery while it is made, with what is noted of it."""

    #: What the function returned.
    returned: object = None
    #: Whether the function has ended, so that what RQ sends of this job is its retry or its repetition.
    has_run = False
    #: An error that is none of JOB_ERRORS. A worker that it ends records no outcome.
    killed: BaseException | None = None
    #: The time from which RQ counts a wait, once it has asked for the time.
    read_ns: int | None = None

    @property
    def is_repeated(self) -> bool:
        """Whether RQ sends a job again because it failed, and not because it is to recur."""
        return self.has_run and (self.error is not None or isinstance(self.returned, Retry))

    def run(self, original: Any, job: Job) -> object:
        """Run the function of a job, where the worker does.

        Raises:
            UnknownJobError: when the worker cannot import it.
            BaseException: the error of the function.
        """
        try:
            job.func  # noqa: B018 - imports the function
        except (ImportError, AttributeError, ValueError) as error:
            self.has_run = True
            raise UnknownJobError(
                f"A worker of RQ imports the function from {job.func_name!r} and cannot: {error}. Enqueue a "
                "function at the top of a module, or its full path."
            ) from error
        try:
            self.returned = self.around(original)
        except JOB_ERRORS as error:
            self.error = error
            raise
        except BaseException as error:
            self.killed = error
            raise
        finally:
            self.has_run = True
        return self.returned

    def delivery(self) -> Delivery:
        """Return what the delivery came to."""
        message, error = self.message, self.error
        if self.again is not None:
            return self.retried(error, is_exact=True)
        if error is not None:
            is_last = message.attempt > 1 or message.number(b"retries_left") is not None
            return self.failed(error, "exhausted" if is_last else "failed")
        if isinstance(self.returned, Retry):
            return Delivery(self.record, self.now_ns, "exhausted")
        return self.performed(self.returned)


class HarnessWorker(SimpleWorker):
    """RQ's worker that does not fork, for one delivery."""

    def __init__(self, attempt: RqAttempt, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.attempt = attempt
        self.log = _log

    def _set_connection(self, connection: Any) -> Any:
        """Take the connection as it is: RQ's own sets its timeouts, which the project would see."""
        return connection

    def handle_execution_ended(self, job: Job, queue: Queue, heartbeat_ttl: int) -> None:
        """End here when the worker was killed: RQ's own would record a failed job, and try it again."""
        if self.attempt.killed is not None:
            raise self.attempt.killed
        super().handle_execution_ended(job, queue, heartbeat_ttl)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Note also an error that the function did not raise: of a callback, or of a result that is refused."""
        if isinstance(exc_info[1], JOB_ERRORS):
            self.attempt.error = exc_info[1]
        super().handle_exception(job, *exc_info)


class VirtualDeathPenalty(BaseDeathPenalty):
    """Ends a job by its sleeps in virtual time, where RQ's own sets an alarm in real seconds."""

    def setup_death_penalty(self) -> None:
        """Begin to count."""
        text = f"Task exceeded maximum timeout value ({self._timeout} seconds)"
        self._block = time_limit(self._timeout, lambda: self._exception(text))
        self._block.__enter__()

    def cancel_death_penalty(self) -> None:
        """Count no longer."""
        self._block.__exit__(None, None, None)


HarnessWorker.death_penalty_class = VirtualDeathPenalty
