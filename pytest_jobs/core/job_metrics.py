"""A lifecycle plugin that tells a metrics client what becomes of jobs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from .hooks import check_methods, hookimpl
from .stopwatch import Stopwatch, system_ns

if TYPE_CHECKING:
    from .execution import Execution
    from .job import Job

_COUNTERS = {
    "performed": "success",
    "exhausted": "failure",
    "failed": "failure",
}


class MetricsClient(Protocol):
    """What `JobMetrics` asks of a client, such as DogStatsD."""

    def timing(self, metric: str, value: float, /) -> object:
        """Take a duration in milliseconds."""
        ...

    def increment(self, metric: str, /) -> object:
        """Count one more."""
        ...


def metric_name(job: Job) -> str:
    """Return the name of a job's class without its module, as in `process_payment`."""
    short = job._name.rpartition("<locals>.")[2].removeprefix(f"{type(job).__module__}.")
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
        """Send how long it took, and count what it came to."""
        duration_ms = self._stopwatch.stop(job)
        if duration_ms is not None:
            self._client.timing(self._metric(job, "duration"), duration_ms)
        counter = _COUNTERS.get(execution.status, execution.status)
        self._client.increment(self._metric(job, counter))

    def _metric(self, job: Job, what: str) -> str:
        return f"{self._prefix}.{self._name(job)}.{what}"
