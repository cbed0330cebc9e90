"""What the retry middlewares of Taskiq declare, and what a delivery came to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from types import SimpleNamespace
from typing import Any, Final

from taskiq import AsyncBroker, SimpleRetryMiddleware, SmartRetryMiddleware
from taskiq.decor import AsyncTaskiqDecoratedTask
from taskiq.exceptions import NoResultError, TaskRejectedError
from taskiq.message import TaskiqMessage
from taskiq.middlewares import smart_retry_middleware
from taskiq.result import TaskiqResult

from ...harness.records.bridge import RetryPolicy
from ...harness.records.delivery import Delivery, Status
from ...harness.records.instants import to_datetime
from ...harness.records.patches import Patches
from ...harness.records.record import JobRecord
from .receiver import Witness


def pin_waits(
    patches: Patches,
    draw: Callable[[], float],
    now_ns: Callable[[], int],
    find_witness: Callable[[], Witness | None],
) -> None:
    """Let SmartRetryMiddleware draw its jitter and read the time as the harness says, during a delivery.

    Args:
        patches: put everything back.
        draw: where in its range of jitter a wait lies, from 0 up to 1.
        now_ns: returns the time, in nanoseconds since the epoch.
        find_witness: returns that of the delivery that is being made; None outside of one.
    """
    patches.set(smart_retry_middleware, "random", _PinnedRandom(draw, find_witness))
    noted = _NotedTime(now_ns, find_witness)
    module = SimpleNamespace(datetime=noted, timedelta=timedelta, timezone=timezone)
    patches.set(smart_retry_middleware, "datetime", module)


class _PinnedRandom:
    """Stands in for the `random` module."""

    def __init__(
        self, draw: Callable[[], float], find_witness: Callable[[], Witness | None]
    ) -> None:
        self._draw = draw
        self._find_witness = find_witness

    def random(self) -> float:
        witness = self._find_witness()
        if witness is None:
            return random.random()  # noqa: S311
        witness.drawn = self._draw()
        return witness.drawn


class _NotedTime:
    """Stands in for the class `datetime`: a wait of 60 s ends 60 s after the time that was read."""

    def __init__(
        self, now_ns: Callable[[], int], find_witness: Callable[[], Witness | None]
    ) -> None:
        self._now_ns = now_ns
        self._find_witness = find_witness

    def now(self, tz: tzinfo) -> datetime:
        now_ns = self._now_ns()
        witness = self._find_witness()
        if witness is not None:
            witness.computed_from_ns = now_ns - now_ns % 1000
        return to_datetime(now_ns).astimezone(tz)


#: How far jitter lengthens a wait of SmartRetryMiddleware at most.
_JITTER_NS: Final = 1_000_000_000


def delivery_of(
    record: JobRecord,
    now_ns: int,
    witness: Witness,
    result: TaskiqResult[Any] | None,
    middlewares: Iterable[object],
) -> Delivery:
    """Return what a run came to.

    Args:
        record: what was performed.
        now_ns: when.
        witness: what was noted of it.
        result: what was saved of it; None when nothing was.
        middlewares: those of the broker.
    """
    error = witness.error
    if error is None:
        value = None if result is None else result.return_value
        return Delivery(record, now_ns, "performed", value)
    if witness.next is not None:
        return _retried(record, now_ns, witness, witness.next, middlewares)
    if isinstance(error, NoResultError):
        return Delivery(record, now_ns, "performed")
    if type(error) is TaskRejectedError:
        return Delivery(record, now_ns, "discarded", error=error)
    message = witness.message
    is_last = message is not None and _used_up(middlewares, message, error)
    status: Status = "exhausted" if is_last else "failed"
    return Delivery(record, now_ns, status, error=error, handled=False)


def policy_of(task: AsyncTaskiqDecoratedTask[Any, Any], broker: AsyncBroker) -> RetryPolicy | None:
    """Return the schedule that the labels of a task and the middleware of its broker declare."""
    found = [
        each for each in broker.middlewares if hasattr(type(each), "on_error") and _retries(each)
    ]
    if len(found) != 1 or type(found[0]) not in (SimpleRetryMiddleware, SmartRetryMiddleware):
        return None
    middleware = found[0]
    labels = task.labels
    if not _is_enabled(middleware, labels):
        return None

    def wait(attempt: int) -> timedelta:
        return timedelta(seconds=_wait_seconds(middleware, labels, attempt))

    return RetryPolicy(max(1, _most_runs(middleware, labels)), wait)


def _retried(
    record: JobRecord,
    now_ns: int,
    witness: Witness,
    again: JobRecord,
    middlewares: Iterable[object],
) -> Delivery:
    envelope = again.envelope
    due_ns = envelope.enqueued_ns if envelope.due_ns is None else envelope.due_ns
    wait_ns = due_ns - envelope.enqueued_ns
    is_requeued = isinstance(witness.error, NoResultError) and again.attempt == record.attempt
    bounds_ns: tuple[int, int] | None = None
    if witness.drawn is not None:
        shortest_ns = wait_ns - round(witness.drawn * _JITTER_NS)
        bounds_ns = shortest_ns, shortest_ns + _JITTER_NS
    elif is_requeued or all(_tells_its_wait(each) for each in middlewares if _retries(each)):
        bounds_ns = wait_ns, wait_ns
    return Delivery(
        record,
        now_ns,
        "snoozed" if is_requeued else "retried",
        error=witness.error,
        wait_ns=wait_ns,
        wait_bounds_ns=bounds_ns,
    )


def _used_up(middlewares: Iterable[object], message: TaskiqMessage, error: Exception) -> bool:
    """Say whether a middleware would have retried this error, had there been fewer attempts."""
    for middleware in middlewares:
        if not _retries(middleware) or not _is_enabled(middleware, message.labels):
            continue
        kinds = _kinds_of_errors(middleware, message)
        runs = int(message.labels.get("_retries", 0)) + 1
        if (kinds is None or isinstance(error, tuple(kinds))) and runs >= _most_runs(
            middleware, message.labels
        ):
            return True
    return False


def _retries(middleware: object) -> bool:
    return isinstance(middleware, (SimpleRetryMiddleware, SmartRetryMiddleware))


def _tells_its_wait(middleware: Any) -> bool:
    make_delay = getattr(type(middleware), "make_delay", None)
    return make_delay in (None, SmartRetryMiddleware.make_delay)


def _is_enabled(middleware: Any, labels: Mapping[str, Any]) -> bool:
    enabled = labels.get("retry_on_error")
    if isinstance(enabled, str):
        return enabled.lower() == "true"
    return bool(middleware.default_retry_label if enabled is None else enabled)


def _most_runs(middleware: Any, labels: Mapping[str, Any]) -> int:
    """Return `max_retries`, which counts the first run too."""
    return int(labels.get("max_retries", middleware.default_retry_count))


def _kinds_of_errors(middleware: Any, message: TaskiqMessage) -> Any:
    """Ask the middleware which errors it retries; before 0.12.3 a task had no say in it."""
    ask = getattr(middleware, "_get_types_of_exceptions", None)
    return middleware.types_of_exceptions if ask is None else ask(message)


def _wait_seconds(middleware: Any, labels: Mapping[str, Any], attempt: int) -> float:
    """Return the wait after an attempt, jitter left out."""
    if type(middleware) is SimpleRetryMiddleware:
        return float(labels.get("delay", 0))
    seconds = float(labels.get("delay", middleware.default_delay))
    if not middleware.use_delay_exponent:
        return seconds
    most = float(middleware.max_delay_exponent)
    if middleware.schedule_source is not None:
        return min(seconds * attempt, most)
    # Sent again, the wait is the `delay` label from which the next wait is computed.
    for retries in range(1, attempt + 1):
        seconds = min(seconds * retries, most)
    return seconds
