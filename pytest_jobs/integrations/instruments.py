"""Lifecycle plugins that log jobs, and that time and count them for a metrics client."""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ..core.arguments.encoding import decode
from ..core.arguments.records import RecordReference
from ..core.foundation.hooks import check_methods, hookimpl
from ..core.foundation.payload import GIVEN_UP
from ..errors import DeserializationError, Halt, RolledBackError

if TYPE_CHECKING:
    from ..core.foundation.payload import Execution, Payload
    from ..core.job import Job


def system_ns() -> int:
    """Return the time of the system, which the virtual clock of a test moves."""
    return time.time_ns()


class Stopwatch:
    """Measures how long each job runs.

    Args:
        now_ns: returns the time in nanoseconds.
    """

    __slots__ = ("_begun_ns", "_now_ns")

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        # Weak, since a job that is killed never ends and must not stay in memory for that.
        self._begun_ns: weakref.WeakKeyDictionary[Job, int] = weakref.WeakKeyDictionary()

    def start(self, job: Job) -> None:
        """Note that a job begins."""
        self._begun_ns[job] = self._now_ns()

    def stop(self, job: Job) -> float | None:
        """Return how many milliseconds a job took; None when it never began."""
        begun_ns = self._begun_ns.pop(job, None)
        return None if begun_ns is None else max(self._now_ns() - begun_ns, 0) / 1_000_000


_ENDS = {
    "performed": "job_completed",
    "retried": "job_retried",
    "discarded": "job_discarded",
    "exhausted": "job_exhausted",
    "failed": "job_failed",
    "halted": "job_halted",
    "snoozed": "job_snoozed",
}


class JobLog:
    """Logs what happens to jobs: register one with `hooks.register(JobLog())`.

    Each line is the message of one log record: of level ERROR when a job was given up or the
    adapter did not take it, else INFO. A job class with `log_arguments = False` shows no arguments.

    Args:
        logger: takes the lines; the one named `pytest_jobs` by default.
        now_ns: returns the time in nanoseconds; the system's by default.

    Raises:
        DeclarationError: when the logger is none.
    """

    def __init__(
        self, logger: logging.Logger | None = None, *, now_ns: Callable[[], int] = system_ns
    ) -> None:
        self._logger = logging.getLogger("pytest_jobs") if logger is None else logger
        check_methods(self._logger, ("isEnabledFor", "log"), "JobLog", "logging.getLogger('jobs')")
        self._stopwatch = Stopwatch(now_ns)

    @hookimpl
    def job_enqueued(self, job: Job, payload: Payload) -> None:
        """Log that an adapter took the job."""
        line = _line("job_enqueued", job, payload)
        if payload.due_ns is not None:
            line["wait_seconds"] = _seconds(payload.due_ns - payload.enqueued_ns)
        self._log(logging.INFO, line | _arguments(job, payload))

    @hookimpl
    def job_not_enqueued(self, job: Job) -> None:
        """Log why the job is not enqueued: another job, a callback, a rollback, or the adapter."""
        error = job.enqueue_error
        if error is None:
            line = _line("job_kept_out", job, job.payload)
            self._log(logging.INFO, line | {"dropped_for": job.dropped_for})
        elif isinstance(error, Halt):
            self._log(logging.INFO, _line("job_enqueue_halted", job, job.payload))
        elif isinstance(error, RolledBackError):
            self._log(logging.INFO, _line("job_dropped_by_rollback", job, job.payload))
        else:
            self._log(logging.ERROR, _line("job_not_enqueued", job, job.payload) | _error(error))

    @hookimpl
    def job_started(self, job: Job) -> None:
        """Log that a delivery begins."""
        self._stopwatch.start(job)
        line = _line("job_started", job, job.payload)
        self._log(logging.INFO, line | _arguments(job, job.payload))

    @hookimpl
    def job_finished(self, job: Job, execution: Execution) -> None:
        """Log the end of the delivery."""
        line = _line(_ENDS[execution.status], job, job.payload)
        duration_ms = self._stopwatch.stop(job)
        if duration_ms is not None:
            line["duration_ms"] = round(duration_ms)
        if execution.wait_ns is not None:
            line["wait_seconds"] = _seconds(execution.wait_ns)
        if execution.status not in ("performed", "halted"):
            line |= _error(execution.error)
        if execution.status in ("exhausted", "failed"):
            trace = None if execution.error is None else execution.error.__traceback__
            line["backtrace"] = [
                f"{frame.filename}:{frame.lineno} in {frame.name}"
                for frame in traceback.extract_tb(trace)
            ]
        self._log(logging.ERROR if execution.status in GIVEN_UP else logging.INFO, line)

    def _log(self, level: int, line: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", json.dumps(line, default=str))


def _line(event: str, job: Job, payload: Payload | None) -> dict[str, Any]:
    line: dict[str, Any] = {"event": event, "job_class": job.__declaration__.name}
    if payload is not None:
        line |= {"job_id": payload.job_id, "queue": payload.queue, "attempt": payload.attempt}
    return line


def _arguments(job: Job, payload: Payload | None) -> dict[str, Any]:
    """Return the arguments by parameter name, records as references, under `arguments`; {} for none."""
    if payload is None or not job.log_arguments:
        return {}
    declaration = job.__declaration__
    try:
        args, kwargs = decode(payload.arguments, declaration.argument_types, find=RecordReference)
        named = declaration.signature.named(args, kwargs)
    except (DeserializationError, TypeError):
        return {"arguments": payload.arguments}
    return {"arguments": named} if named else {}


def _error(error: BaseException | None) -> dict[str, Any]:
    if error is None:
        return {}
    return {"error_class": type(error).__qualname__, "error_message": str(error)}


def _seconds(ns: int) -> float:
    return ns / 1_000_000_000


_COUNTERS = {
    "performed": "success",
    "exhausted": "failure",
    "failed": "failure",
}


class MetricsClient(Protocol):
    """The methods that `JobMetrics` calls of a client, such as DogStatsD."""

    def timing(self, metric: str, value: float, /) -> object:
        """Take a duration in milliseconds."""
        ...

    def increment(self, metric: str, /) -> object:
        """Count one more."""
        ...


def metric_name(job: Job) -> str:
    """Return the name of a job's class without its module, as in `process_payment`."""
    short = job.__declaration__.name.rpartition("<locals>.")[2].removeprefix(
        f"{type(job).__module__}."
    )
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", short).lower()


class JobMetrics:
    """Times and counts deliveries: register one with `hooks.register(JobMetrics(client))`.

    Of a `ProcessPayment` it sends the timing `jobs.process_payment.duration` and one of the counters
    `.success`, `.failure`, `.retried`, `.discarded`, `.halted` and `.snoozed` for each delivery, and
    `.enqueued` for each payload that an adapter took.

    Args:
        client: anything with `timing(name, milliseconds)` and `increment(name)`.
        prefix: what every name begins with.
        name: returns the part of the names that says which job; two classes that share it share
            their metrics.
        now_ns: returns the time in nanoseconds; the system's by default.

    Raises:
        DeclarationError: when the client is none.
    """

    def __init__(
        self,
        client: MetricsClient,
        *,
        prefix: str = "jobs",
        name: Callable[[Job], str] = metric_name,
        now_ns: Callable[[], int] = system_ns,
    ) -> None:
        check_methods(client, ("timing", "increment"), "JobMetrics", "client")
        self._client = client
        self._prefix = prefix
        self._name = name
        self._stopwatch = Stopwatch(now_ns)

    @hookimpl
    def job_enqueued(self, job: Job) -> None:
        """Count a job that an adapter took."""
        self._client.increment(self._metric(job, "enqueued"))

    @hookimpl
    def job_started(self, job: Job) -> None:
        """Begin to time."""
        self._stopwatch.start(job)

    @hookimpl
    def job_finished(self, job: Job, execution: Execution) -> None:
        """Send how long the delivery took, and count its end."""
        duration_ms = self._stopwatch.stop(job)
        if duration_ms is not None:
            self._client.timing(self._metric(job, "duration"), duration_ms)
        counter = _COUNTERS.get(execution.status, execution.status)
        self._client.increment(self._metric(job, counter))

    def _metric(self, job: Job, what: str) -> str:
        return f"{self._prefix}.{self._name(job)}.{what}"
