"""What the retry middlewares of Taskiq declare, and what a delivery came to."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from types import SimpleNamespace
from typing import Any, Final

from taskiq import AsyncBroker, SimpleRetryMiddleware, SmartRetryMiddleware
from taskiq.decor import AsyncTaskiqDecoratedTask
from taskiq.exceptions import NoResultError, TaskRejectedError
from taskiq.message import TaskiqMessage
from taskiq.middlewares import smart_retry_middleware
from taskiq.result import TaskiqResult

from ..toolkit import (
    Delivery,
    JobRecord,
    PinnedRandom,
    RetryPolicy,
    Seam,
    Status,
    current_attempt,
    to_datetime,
)
from .brokers import obeys_delay
from .receiver import TaskAttempt

#: How far jitter lengthens a wait of SmartRetryMiddleware at most.
_JITTER_NS: Final = 1_000_000_000


def pin_waits(seam: Seam) -> None:
    """Let SmartRetryMiddleware take its jitter and the time from the harness during a delivery."""
    seam.set(smart_retry_middleware, "random", PinnedRandom(random))
    module = SimpleNamespace(datetime=_NotedTime(), timedelta=timedelta, timezone=timezone)
    seam.set(smart_retry_middleware, "datetime", module)


class _NotedTime:
    """Stands in for the class `datetime`: a wait of 60 s ends 60 s after the time that was read."""

    def now(self, tz: tzinfo) -> datetime:
        attempt = current_attempt.get()
        if not isinstance(attempt, TaskAttempt):
            return datetime.now(tz)
        now_ns = attempt.bridge.sink.now_ns()
        attempt.computed_from_ns = now_ns - now_ns % 1000
        return to_datetime(now_ns).astimezone(tz)


def delivery_of(attempt: TaskAttempt, result: TaskiqResult[Any] | None) -> Delivery:
    """Return what a run came to."""
    error = attempt.error
    if error is None:
        return attempt.performed(None if result is None else result.return_value)
    if attempt.again is not None:
        return _retried(attempt, error, attempt.again)
    if isinstance(error, NoResultError):
        return attempt.performed()
    if type(error) is TaskRejectedError:
        return Delivery(attempt.record, attempt.now_ns, "discarded", error=error)
    message = attempt.run_message
    is_last = message is not None and _used_up(attempt.message.broker.middlewares, message, error)
    return attempt.failed(error, "exhausted" if is_last else "failed")


def _retried(attempt: TaskAttempt, error: BaseException, again: JobRecord) -> Delivery:
    wait_ns = (again.envelope.due_ns or again.envelope.enqueued_ns) - again.envelope.enqueued_ns
    is_requeued = isinstance(error, NoResultError) and again.attempt == attempt.record.attempt
    bounds_ns: tuple[int, int] | None = None
    sent = attempt.bridge.message_of(again)
    # Where the broker ignores the label `delay`, jitter lengthens no wait.
    is_at_once = sent.source is None and not obeys_delay(type(sent.broker))
    if attempt.drawn is not None and not is_at_once:
        shortest_ns = wait_ns - round(attempt.drawn.value * _JITTER_NS)
        bounds_ns = shortest_ns, shortest_ns + _JITTER_NS
    elif (
        is_at_once
        or is_requeued
        or all(
            # A derived middleware with a `make_delay` of its own may have drawn the wait from any range.
            getattr(type(each), "make_delay", None) in (None, SmartRetryMiddleware.make_delay)
            for each in attempt.message.broker.middlewares
            if _retries(each)
        )
    ):
        bounds_ns = wait_ns, wait_ns
    status: Status = "snoozed" if is_requeued else "retried"
    return attempt.retried(error, bounds_ns=bounds_ns, status=status)


def _used_up(middlewares: Iterable[object], message: TaskiqMessage, error: BaseException) -> bool:
    """Say whether a middleware would have retried this error, had there been fewer attempts."""
    runs = int(message.labels.get("_retries", 0)) + 1
    for middleware in middlewares:
        if _retries(middleware) and _is_enabled(middleware, message.labels):
            kinds = _kinds_of_errors(middleware, message)
            is_retried = kinds is None or isinstance(error, tuple(kinds))
            if is_retried and runs >= _most_runs(middleware, message.labels):
                return True
    return False


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

    waits = getattr(middleware, "schedule_source", None) or obeys_delay(type(broker))

    def wait(attempt: int) -> timedelta:
        if not waits:
            return timedelta()
        return timedelta(seconds=_wait_seconds(middleware, labels, attempt))

    return RetryPolicy(max(1, _most_runs(middleware, labels)), wait)


def _retries(middleware: object) -> bool:
    return isinstance(middleware, (SimpleRetryMiddleware, SmartRetryMiddleware))


def _is_enabled(middleware: Any, labels: Mapping[str, Any]) -> bool:
    enabled = labels.get("retry_on_error")
    if isinstance(enabled, str):
        return enabled.lower() == "true"
    return bool(middleware.default_retry_label if enabled is None else enabled)


def _most_runs(middleware: Any, labels: Mapping[str, Any]) -> int:
    """Return `max_retries`, which counts the first run too."""
    return int(labels.get("max_retries", middleware.default_retry_count))


def _kinds_of_errors(middleware: Any, message: TaskiqMessage) -> Any:
    """Return the errors that a middleware retries; since taskiq 0.12.3 a task may say more."""
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
