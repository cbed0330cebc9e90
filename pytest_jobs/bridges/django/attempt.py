"""One run of a Django task, as a worker makes it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from traceback import format_exception
from typing import Any, Final

from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext
from django.db import connections
from django.utils import timezone
from django.utils.module_loading import import_string

from ...errors import UnknownJobError
from ..toolkit import Attempt
from .results import ResultStore, StoredTask, set_on


class SharedConnections:
    """Lets `sync_to_async`, and so the ORM, use the database connections of another thread.

    A worker runs a coroutine task under `async_to_sync`, and the ORM runs in the worker's own thread.
    Where the harness has the loop run in the thread of the test, a thread beside it must do so, and
    it has to see what the test wrote in its transaction: so it has the same connections, which the
    test does not use meanwhile. Django's `LiveServerTestCase` shares them in the same way.
    """

    def __init__(self) -> None:
        self._connections = {alias: connections[alias] for alias in connections}

    @contextmanager
    def in_force(self) -> Generator[None, None, None]:
        """Use them for a block of a coroutine."""
        for connection in self._connections.values():
            connection.inc_thread_sharing()
        executor = ThreadPoolExecutor(
            1, "pytest-jobs-django", initializer=_adopt, initargs=(self._connections,)
        )
        try:
            with _thread_sensitive_in(executor):
                yield
        finally:
            # Without waiting: what is left over may wait for the loop, which this would block.
            executor.shutdown(wait=False)
            for connection in self._connections.values():
                connection.dec_thread_sharing()


def _adopt(shared: dict[str, Any]) -> None:
    for alias, connection in shared.items():
        connections[alias] = connection


@contextmanager
def _thread_sensitive_in(executor: Executor) -> Generator[None, None, None]:
    """Have asgiref run in an executor what must run in one thread, as its newest versions offer."""
    context = ThreadSensitiveContext()
    token = SyncToAsync.thread_sensitive_context.set(context)
    SyncToAsync.context_to_thread_executor[context] = executor
    outer = getattr(AsyncToSync.executors, "current", None)
    AsyncToSync.executors.current = None
    try:
        yield
    finally:
        AsyncToSync.executors.current = outer
        del SyncToAsync.context_to_thread_executor[context]
        SyncToAsync.thread_sensitive_context.reset(token)


#: What stands in `TaskResult.worker_ids`.
WORKER_ID: Final = "pytest-jobs"


class TaskAttempt(Attempt[StoredTask]):
    """Takes a TaskResult from READY to its end, and sends the signals on the way.

    Django has no worker, each backend has its own. These are the steps that `ImmediateBackend` and
    the worker of the database backend have in common.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        message = self.message
        self._family = message.family
        self._store: ResultStore = self.bridge.store
        self._sender = type(message.task.get_backend())
        #: The TaskResult of this run, with arguments decoded for it.
        self.result = self._store.begin(message)

    def start(self) -> None:
        """Let the task be running.

        Raises:
            UnknownJobError: when a worker would not find the task.
            Exception: what a receiver of `task_started` raises.
        """
        now = timezone.now()
        result = self.result
        set_on(
            result,
            status=self._family.running,
            started_at=result.started_at or now,
            last_attempted_at=now,
        )
        result.worker_ids.append(WORKER_ID)
        path = self.message.name
        try:
            found = import_string(path)
        except ImportError as error:
            raise UnknownJobError(
                f"A worker imports the task from {path!r}, where its function is, and cannot: {error}."
            ) from error
        if not isinstance(found, self._family.task_class):
            raise UnknownJobError(
                f"A worker imports the task from {path!r}, where its function is, and finds {found!r}, which is "
                "no Task: give the Task the name of the function, as `@task` does."
            )
        self._family.signals.task_started.send(sender=self._sender, task_result=result)

    def body(self) -> Callable[[], Any]:
        """Return the function with its arguments bound."""
        task, result = self.message.task, self.result
        call = task.acall if self.message.is_coroutine else task.call
        context = (self._family.context(result),) if task.takes_context else ()
        return partial(call, *context, *result.args, **result.kwargs)

    def returned(self, value: object) -> object:
        """Take in what the function returned, and return it as JSON has it.

        Raises:
            TypeError: when JSON does not have it, which fails the task.
        """
        normalised: object = self._family.normalised(value)
        set_on(self.result, _return_value=normalised)
        return normalised

    def succeed(self) -> None:
        """Let the task have ended well."""
        self._finish(self._family.successful)

    def fail(self, error: Exception) -> None:
        """Let the task have ended with an error; to be called while it is handled."""
        self.result.errors.append(self._family.error(error, "".join(format_exception(error))))
        self._finish(self._family.failed)

    def _finish(self, status: Any) -> None:
        set_on(self.result, status=status, finished_at=timezone.now())
        if self._family.has_metadata:
            self._store.save_metadata(self.message.job_id, self.result.metadata)
        self._family.signals.task_finished.send(sender=self._sender, task_result=self.result)
