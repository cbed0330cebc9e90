"""One attempt of a Celery task, through the path that a worker takes."""

from __future__ import annotations

import functools
import inspect
import os
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from celery import Celery, _state, states
from celery.app.task import Task
from celery.app.trace import build_tracer
from celery.exceptions import MaxRetriesExceededError, TaskRevokedError
from celery.worker.request import Request, revoked_tasks

from ...harness.records.bridge import Around
from ...harness.records.delivery import Delivery
from ...harness.records.instants import to_ns
from ...harness.records.patches import Patches
from ...harness.records.record import FIRST, RETRY, JobRecord
from .messages import TaskMessage

_SECOND: Final = 1_000_000_000
_ABSENT: Final = object()


class Attempt:
    """What is known of a task while it runs."""

    __slots__ = (
        "around",
        "bounds",
        "info",
        "job_id",
        "name",
        "replaced",
        "requeued",
        "result",
        "started",
        "task",
    )

    def __init__(self, task: Task, job_id: str, around: Around) -> None:
        self.task = task
        self.name = str(task.name)
        self.job_id = job_id
        self.around = around
        #: Whether the body has begun, so that what calls it again is the task itself.
        self.started = False
        #: What Celery's tracer says of the outcome; None for success.
        self.info: Any = None
        self.result: Any = None
        #: Whether the message went back to the queue.
        self.requeued = False
        #: Whether the task has put another one in its own place.
        self.replaced = False
        #: The shortest and the longest wait, in seconds, that jitter could have drawn.
        self.bounds: tuple[int, int] | None = None


#: The attempt that runs in this context.
current_attempt: ContextVar[Attempt | None] = ContextVar("pytest_jobs_celery_attempt", default=None)


class TaskPatches:
    """Lets an attempt into the tasks of an application: into what calls the body, and what traces it."""

    __slots__ = ("_bodies", "_patches", "_store")

    def __init__(self, patches: Patches, store: Callable[[Celery], Any]) -> None:
        self._patches = patches
        self._store = store
        self._bodies: dict[Task, Callable[..., Any]] = {}

    def body(self, task: Task) -> Callable[..., Any]:
        """Return the function that runs inside the retry wrapper."""
        found: Callable[..., Any] = self._bodies.get(task) or _body(task)
        return found

    def keep_results(self, task: Task, app: Celery) -> None:
        """Have a task with a result backend of its own keep its results here."""
        declared = inspect.getattr_static(task, "backend")
        if not isinstance(declared, property):
            self._patches.set(task, "backend", self._store(app))
        elif task._backend is not None:
            self._patches.set(task, "_backend", self._store(app))

    def prepare(self, task: Task, app: Celery) -> None:
        """Patch a task before its first attempt."""
        if task in self._bodies:
            return
        self._bodies[task] = _body(task)
        self._patches.undo_by(_keeping(task, "override_max_retries"))
        self._patches.set(task, _body_name(task), _entered(task, self._bodies[task]))
        self._patches.set(task, "__trace__", _observed(build_tracer(task.name, task, app=app)))


def make_attempt(
    record: JobRecord, message: TaskMessage, task: Task, app: Celery, now_ns: int, around: Around
) -> tuple[Delivery, bool]:
    """Make one delivery as a worker with a pool of one does.

    Args:
        record: what is performed.
        message: its message.
        task: the task, prepared.
        app: the application that performs it.
        now_ns: the time of the harness's clock.
        around: called with the body.

    Returns:
        What came of it, and whether the message went back to the queue.
    """
    attempt = Attempt(task, message.job_id, around)
    received = message.received(redelivered=record.origin == "redelivery")
    rejected = functools.partial(_rejected, attempt)
    try:
        request = Request(received, app=app, task=task, on_reject=rejected)
    except Exception as error:
        unreadable = message.unreadable(error)
        return Delivery(record, now_ns, "failed", error=unreadable, handled=False), False
    token = current_attempt.set(attempt)
    try:
        with _current_app(app):
            request.execute_using_pool(_POOL)
    except TaskRevokedError as error:
        revoked_tasks.discard(request.id)
        return Delivery(record, now_ns, "discarded", error=error), False
    finally:
        current_attempt.reset(token)
    return _delivery(record, now_ns, attempt, request), attempt.requeued


class Draws:
    """Takes the place of `random` where Celery draws its jitter."""

    def __init__(self, draw: Callable[[], float], otherwise: Any) -> None:
        self._draw = draw
        self._otherwise = otherwise

    def randrange(self, stop: int) -> int:
        """Draw a wait in seconds, and note how long it could have been."""
        attempt = current_attempt.get()
        if attempt is None:
            drawn: int = self._otherwise.randrange(stop)
            return drawn
        attempt.bounds = (0, stop - 1)
        return int(self._draw() * stop)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._otherwise, name)


class _OneProcess:
    """A pool that runs a task where it is: what a worker with `--pool=solo` does."""

    def apply_async(
        self,
        target: Callable[..., Any],
        args: tuple[Any, ...],
        *,
        accept_callback: Callable[[int, float], object],
        callback: Callable[[Any], object],
        **limits: object,
    ) -> None:
        """Run a task, and tell its request what came of it."""
        accept_callback(os.getpid(), time.monotonic())
        callback(target(*args))


_POOL: Final[Any] = _OneProcess()


@contextmanager
def _current_app(app: Celery) -> Generator[None, None, None]:
    """Have an application be the current one, as it is in its worker."""
    local: Any = _state._tls
    before = local.current_app
    local.current_app = app
    try:
        yield
    finally:
        local.current_app = before


def _rejected(attempt: Attempt, logger: object, errors: object, requeue: bool) -> None:
    attempt.requeued = requeue


def _body_name(task: Task) -> str:
    return "_orig_run" if hasattr(task, "_orig_run") else "run"


def _body(task: Task) -> Callable[..., Any]:
    body: Callable[..., Any] = getattr(task, _body_name(task))
    return body


def _entered(task: Task, body: Callable[..., Any]) -> Callable[..., Any]:
    """Return a body that lets the attempt run it, the first time that it is called."""

    @functools.wraps(body)
    def run(*args: Any, **kwargs: Any) -> Any:
        attempt = current_attempt.get()
        if attempt is None or attempt.started or attempt.task is not task:
            return body(*args, **kwargs)
        attempt.started = True
        return attempt.around(functools.partial(body, *args, **kwargs))

    return run


def _observed(tracer: Callable[..., Any]) -> Callable[..., Any]:
    """Return a tracer that tells the attempt what it found."""

    def trace(
        task_id: str, args: Any, kwargs: Any, request: Mapping[str, Any] | None = None
    ) -> Any:
        traced = tracer(task_id, args, kwargs, request)
        attempt = current_attempt.get()
        if attempt is not None:
            attempt.result, attempt.info = traced[0], traced[1]
        return traced

    return trace


def _keeping(task: Task, name: str) -> Callable[[], None]:
    """Return what gives an attribute of a task the value that it has now."""
    before = vars(task).get(name, _ABSENT)

    def restore() -> None:
        if before is not _ABSENT:
            setattr(task, name, before)
        elif name in vars(task):
            delattr(task, name)

    return restore


def _delivery(record: JobRecord, now_ns: int, attempt: Attempt, request: Request) -> Delivery:
    info = attempt.info
    if info is None:
        return Delivery(record, now_ns, "performed", attempt.result)
    outcome = info.retval
    if info.state == states.RETRY:
        bounds = attempt.bounds
        return Delivery(
            record,
            now_ns,
            "retried",
            error=outcome.exc or outcome,
            wait_ns=_wait_ns(outcome.when, now_ns),
            wait_bounds_ns=None if bounds is None else (bounds[0] * _SECOND, bounds[1] * _SECOND),
        )
    if info.state == states.FAILURE:
        expected = isinstance(outcome, attempt.task.throws or ())
        status = _ended(attempt.task, request, outcome)
        return Delivery(record, now_ns, status, error=outcome, handled=expected)
    if attempt.replaced:
        return Delivery(record, now_ns, "performed")
    if attempt.requeued:
        return Delivery(record, now_ns, "snoozed", error=outcome, wait_ns=0)
    return Delivery(record, now_ns, "discarded", error=outcome)


def _ended(task: Task, request: Request, error: object) -> Any:
    """Say whether a task has used up its retries, or failed without."""
    retries = request.request_dict.get("retries") or 0
    most = getattr(task, "override_max_retries", task.max_retries)
    used_up = retries > 0 and most is not None and retries >= most
    return "exhausted" if used_up or isinstance(error, MaxRetriesExceededError) else "failed"


def _wait_ns(when: Any, now_ns: int) -> int:
    """Return the wait that a `Retry` names: seconds, or an instant."""
    if isinstance(when, int | float):
        return round(when * _SECOND)
    return max(0, to_ns(when, "eta") - now_ns)


def origin_of(message: TaskMessage) -> Any:
    """Say whether a message is a retry; a task may also put another in its own place, under its id."""
    attempt = current_attempt.get()
    if attempt is None or attempt.job_id != message.job_id:
        return FIRST
    if message.attempt > 1 and message.name == attempt.name:
        return RETRY
    attempt.replaced = True
    return FIRST
