"""One delivery of a Celery task, through the path of a worker."""

from __future__ import annotations

import functools
import inspect
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import celery
from celery import Celery, _state, result as celery_result, states
from celery.app.task import Task
from celery.exceptions import (
    MaxRetriesExceededError,
    SoftTimeLimitExceeded,
    TaskRevokedError,
    TimeLimitExceeded,
    WorkerLostError,
)

from ..toolkit import (
    REDELIVERY,
    Attempt,
    Delivery,
    Patches,
    Probe,
    Seam,
    Status,
    current_attempt,
    time_limit,
    to_ns,
)
from .messages import TaskMessage

if TYPE_CHECKING:
    from celery.worker.request import Request

#: What a worker has. It is probed and imported at the first delivery, since it takes longer than all the rest.
_WORKER: Final = Probe(
    "celery",
    "celery.app.trace:ExceptionInfo",
    "celery.app.trace:build_tracer(_, _, app=)",
    "celery.worker.request:Request(_, app=, task=, on_reject=)",
    "celery.worker.request:Request.execute_using_pool(_, _)",
    "celery.worker.request:revoked_tasks.discard(_)",
    tested=((5, 3), (5, 7)),
)

_SECOND: Final = 1_000_000_000
#: Pools whose workers are processes, which get a signal at the soft limit and are killed at the hard one.
_FORKING: Final = ("prefork", "processes")
_WITHOUT_LIMITS: Final = ("solo", "threads")
_ABSENT: Final = object()


class TaskAttempt(Attempt[TaskMessage]):
    """One delivery of a task, with what is noted of it while it runs."""

    task: Task | None = None
    #: Whether the body has begun. A second call comes from the task itself.
    started = False
    #: The outcome by Celery's tracer; None for success.
    info: Any = None
    result: Any = None
    #: Whether the message went back to the queue.
    requeued = False
    #: What a worker reports whose process is gone: at the hard time limit, or after `sys.exit()`.
    lost: BaseException | None = None
    #: Whether waiting for the result of another task raises, as in a worker whose pool that would block.
    join_blocks = True
    #: Whether the task has sent another task in its own place, as `self.replace` does.
    replaced = False

    def make(self, task: Task, app: Celery) -> Delivery:
        """Make one delivery as a worker with a pool of one does, of a task that `TaskPatches` has prepared."""
        from celery.worker.request import Request, revoked_tasks

        self.task = task

        def reject(logger: object, errors: object, requeue: bool) -> None:
            self.requeued = requeue

        received = self.message.received(redelivered=self.record.origin == REDELIVERY)
        try:
            request = Request(received, app=app, task=task, on_reject=reject)
        except Exception as error:
            return self.failed(self.message.unreadable(error))
        # In its worker an application is the current one.
        threads: Any = _state._tls
        before, threads.current_app = threads.current_app, app
        pool: Any = _OneProcess(self, app.conf)
        self.join_blocks = app.conf.worker_pool not in ("gevent", "eventlet")
        if request.id in self.bridge.store.revoked:
            revoked_tasks.add(request.id)
        try:
            request.execute_using_pool(pool)
        except TaskRevokedError as error:
            revoked_tasks.discard(request.id)
            return Delivery(self.record, self.now_ns, "discarded", error=error)
        finally:
            threads.current_app = before
        return self._outcome(task, request)

    def _outcome(self, task: Task, request: Request) -> Delivery:
        record, now_ns, info = self.record, self.now_ns, self.info
        if self.lost is not None:
            if self.requeued:
                return Delivery(record, now_ns, "snoozed", error=self.lost, wait_ns=0)
            return self.failed(self.lost)
        if info is None:
            return self.performed(self.result)
        error = info.retval
        if info.state == states.RETRY:
            # `when` is a number of seconds, or an instant.
            when = error.when
            in_seconds = isinstance(when, int | float)
            wait_ns = round(when * _SECOND) if in_seconds else max(0, to_ns(when, "eta") - now_ns)
            bounds_ns = None
            if self.drawn is not None:
                bounds_ns = int(self.drawn.lowest) * _SECOND, int(self.drawn.highest) * _SECOND
            return Delivery(
                record,
                now_ns,
                "retried",
                error=error.exc or error,
                wait_ns=wait_ns,
                wait_bounds_ns=bounds_ns,
            )
        if info.state == states.FAILURE:
            retries = request.request_dict.get("retries") or 0
            most = getattr(task, "override_max_retries", task.max_retries)
            used_up = retries > 0 and most is not None and retries >= most
            exhausted = used_up or isinstance(error, MaxRetriesExceededError)
            expected = isinstance(error, task.throws or ())
            status: Status = "exhausted" if exhausted else "failed"
            return Delivery(record, now_ns, status, error=error, handled=expected)
        if self.replaced:
            return self.performed()
        if self.requeued:
            return Delivery(record, now_ns, "snoozed", error=error, wait_ns=0)
        return Delivery(record, now_ns, "discarded", error=error)


class TaskPatches:
    """Patches tasks, so that an attempt runs their body and learns what came of it.

    A task itself is patched, before its first delivery: Celery keeps the tracer of a task, and what the tracer
    calls, on the task.
    """

    __slots__ = ("_bodies", "_patches", "_store")

    def __init__(self, patches: Patches, store: Callable[[Celery], Any]) -> None:
        self._patches = patches
        self._store = store
        self._bodies: dict[Task, Callable[..., Any]] = {}

    def body(self, task: Task) -> Callable[..., Any]:
        """Return the function that runs inside the retry wrapper."""
        found: Callable[..., Any] = self._bodies.get(task) or getattr(task, _body_name(task))
        return found

    def keep_results(self, task: Task, app: Celery) -> None:
        """Have a task with a result backend of its own keep its results here."""
        declared = inspect.getattr_static(task, "backend")
        if not isinstance(declared, property):
            self._patches.set(task, "backend", self._store(app))
        elif task._backend is not None:
            self._patches.set(task, "_backend", self._store(app))

    def prepare(self, task: Task, app: Celery) -> None:
        """Patch a task before its first delivery."""
        if task in self._bodies:
            return
        _WORKER.check(celery.__version__)
        from celery.app.trace import build_tracer

        body = self._bodies[task] = self.body(task)
        self._patches.undo_by(_restoring(task, "override_max_retries"))
        self._patches.set(task, _body_name(task), _run_by_attempt(task, body))
        tracer = build_tracer(task.name, task, app=app)

        def trace(
            task_id: str, args: Any, kwargs: Any, request: Mapping[str, Any] | None = None
        ) -> Any:
            traced = tracer(task_id, args, kwargs, request)
            attempt = current_attempt.get()
            if isinstance(attempt, TaskAttempt):
                attempt.result, attempt.info = traced[0], traced[1]
            return traced

        self._patches.set(task, "__trace__", trace)


def pin_joining(seam: Seam) -> None:
    """Let each delivery have the switch of `allow_join_result`, which a worker has for its process."""
    blocks = celery_result.task_join_will_block
    switch = celery_result._set_task_join_will_block

    def task_join_will_block() -> bool:
        attempt = current_attempt.get()
        return attempt.join_blocks if isinstance(attempt, TaskAttempt) else blocks()

    def set_task_join_will_block(wanted: bool) -> None:
        attempt = current_attempt.get()
        if isinstance(attempt, TaskAttempt):
            attempt.join_blocks = wanted
        else:
            switch(wanted)

    seam.set(celery_result, "task_join_will_block", task_join_will_block)
    seam.set(celery_result, "_set_task_join_will_block", set_task_join_will_block)


def _body_name(task: Task) -> str:
    # `autoretry_for` wraps `run`, and keeps what it wraps.
    return "_orig_run" if hasattr(task, "_orig_run") else "run"


def _run_by_attempt(task: Task, body: Callable[..., Any]) -> Callable[..., Any]:
    """Return a body that is run by the attempt at its task, the first time that it is called."""

    @functools.wraps(body)
    def run(*args: Any, **kwargs: Any) -> Any:
        attempt = current_attempt.get()
        if not isinstance(attempt, TaskAttempt) or attempt.started or attempt.task is not task:
            return body(*args, **kwargs)
        attempt.started = True
        return attempt.around(functools.partial(body, *args, **kwargs))

    return run


def _restoring(task: Task, name: str) -> Callable[[], None]:
    """Return a function that gives an attribute of a task the value that it has now."""
    before = vars(task).get(name, _ABSENT)

    def restore() -> None:
        if before is not _ABSENT:
            setattr(task, name, before)
        elif name in vars(task):
            delattr(task, name)

    return restore


class _OneProcess:
    """A pool that runs a task where it is, under the limits of the pool that `worker_pool` names."""

    def __init__(self, attempt: TaskAttempt, settings: Any) -> None:
        self._attempt = attempt
        self._pool = settings.worker_pool
        #: The limits of a pool for tasks that have none.
        self._general = settings.task_soft_time_limit, settings.task_time_limit

    def apply_async(
        self,
        target: Callable[..., Any],
        args: tuple[Any, ...],
        *,
        accept_callback: Callable[[int, float], object],
        timeout_callback: Callable[[bool, float], object],
        callback: Callable[[Any], object],
        error_callback: Callable[[Any], object],
        soft_timeout: float | None,
        timeout: float | None,
        **others: object,
    ) -> None:
        """Run a task, and report its outcome to the request."""
        accept_callback(os.getpid(), time.monotonic())
        soft_timeout, timeout = soft_timeout or self._general[0], timeout or self._general[1]

        def soften() -> BaseException:
            timeout_callback(True, soft_timeout or 0)
            error: BaseException = SoftTimeLimitExceeded()
            return error

        soft = soft_timeout if self._pool in _FORKING else None
        hard = timeout if self._pool not in _WITHOUT_LIMITS else None
        if soft and hard:
            # The alarm of the hard limit is set when the soft one has gone off.
            hard = max(soft, hard)
        try:
            with time_limit(hard, _ProcessKilled), time_limit(soft, soften):
                outcome = target(*args)
        except _ProcessKilled as killed:
            self._report(error_callback, TimeLimitExceeded(timeout), killed)
            timeout_callback(False, timeout or 0)
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
            text = f"Worker exited prematurely: exitcode {code}."
            self._report(error_callback, WorkerLostError(text), left)
        else:
            callback(outcome)

    def _report(
        self, callback: Callable[[Any], object], error: BaseException, cause: BaseException
    ) -> None:
        """Report that the process of a task is gone."""
        from celery.app.trace import ExceptionInfo

        self._attempt.lost = error
        if self._pool in _FORKING:
            try:
                raise error.with_traceback(cause.__traceback__) from None
            except Exception:
                callback(ExceptionInfo())


class _ProcessKilled(BaseException):
    """Ends a task as its process ends at the hard limit, past every `except Exception`."""
