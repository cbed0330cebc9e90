"""One delivery of a Django task, as a worker makes it."""

from __future__ import annotations

import json
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
from .tables import as_column, connection_of


class SharedConnections:
    """Lets `sync_to_async`, and so the ORM, use the database connections of the test's thread.

    A worker runs a coroutine task under `async_to_sync`, and the ORM runs in the thread of the worker. The harness
    runs the event loop in the thread of the test, so the ORM needs another thread. That thread must see what the
    test wrote in its transaction, so it gets the same connections, and the test does not use them meanwhile.
    Django's `LiveServerTestCase` shares connections in the same way.
    """

    def __init__(self) -> None:
        self._connections = {alias: connections[alias] for alias in connections}

    @contextmanager
    def in_force(self) -> Generator[None, None, None]:
        """Share the connections for a block of a coroutine."""
        for connection in self._connections.values():
            connection.inc_thread_sharing()
        executor = ThreadPoolExecutor(
            1, "pytest-jobs-django", initializer=_adopt, initargs=(self._connections,)
        )
        try:
            with _thread_sensitive_in(executor):
                yield
        finally:
            # Without waiting: a call that is left over may wait for the loop, which waiting would block.
            executor.shutdown(wait=False)
            for connection in self._connections.values():
                connection.dec_thread_sharing()


def _adopt(shared: dict[str, Any]) -> None:
    for alias, connection in shared.items():
        connections[alias] = connection


@contextmanager
def _thread_sensitive_in(executor: Executor) -> Generator[None, None, None]:
    """Let asgiref run thread-sensitive code in an executor, as its newest versions can by themselves."""
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


#: The only entry of `TaskResult.worker_ids`.
WORKER_ID: Final = "pytest-jobs"


class TaskAttempt(Attempt[StoredTask]):
    """One delivery of a task: takes its TaskResult from READY to its end, and sends the signals.

    Django has no worker, each backend has its own. These are the steps that `ImmediateBackend` and
    the worker of the database backend have in common.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        message = self.message
        self._family = message.family
        self._store: ResultStore = self.bridge.store
        #: The TaskResult of this delivery, with arguments of its own.
        self.result = self._store.begin(message)

    def start(self) -> None:
        """Set the task to running.

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
                f"A worker imports the task from {path!r}, where its function is, and finds {found!r}, "
                "which is not a Task: give the Task the name of the function, as `@task` does."
            )
        self._family.signals.task_started.send(self.message.sender, task_result=result)

    def body(self) -> Callable[[], Any]:
        """Return the function with its arguments bound."""
        task, result = self.message.task, self.result
        call = task.acall if self.message.is_coroutine else task.call
        context = (self._family.context(result),) if task.takes_context else ()
        return partial(call, *context, *result.args, **result.kwargs)

    def returned(self, value: object) -> object:
        """Keep what the function returned, and return it as JSON keeps it, or the column of the backend's table.

        Raises:
            Exception: when it cannot be JSON, or the table refuses it, which fails the task.
        """
        connection = connection_of(self.message.sender)
        if connection is None or value is None:
            normalised: object = self._family.normalised(value)
        else:
            normalised = json.loads(as_column(connection, json.dumps(value)))
        set_on(self.result, _return_value=normalised)
        return normalised

    def succeed(self) -> None:
        self._finish(self._family.successful)

    def fail(self, error: BaseException) -> None:
        """End the task with an error; to be called in the `except` block.

        Raises:
            BaseException: the error of a receiver of `task_finished`. The worker of a table fails the task for the
                first such error, and ends with the second.
        """
        if (
            self.result.status == self._family.successful
            and connection_of(self.message.sender) is None
        ):
            raise error
        set_on(self.result, _return_value=None)
        self.result.errors.append(self._family.error(error, "".join(format_exception(error))))
        self._finish(self._family.failed)

    def _finish(self, status: Any) -> None:
        set_on(self.result, status=status, finished_at=timezone.now())
        if self._family.has_metadata:
            self._store.save_metadata(self.message.job_id, self.result.metadata)
        self._family.signals.task_finished.send(self.message.sender, task_result=self.result)
