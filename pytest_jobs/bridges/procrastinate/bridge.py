"""The bridge of Procrastinate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any, Final
from weakref import WeakKeyDictionary

import croniter
import procrastinate
from procrastinate import App
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.manager import JobManager
from procrastinate.periodic import PeriodicDeferrer, PeriodicTask
from procrastinate.retry import RetryStrategy
from procrastinate.tasks import Task
from procrastinate.types import JobToDefer

from ...errors import CriterionError, UnknownJobError
from ..applications import ApplicationBridge, Applications
from ..toolkit import (
    AT_MOST_ONCE,
    FIRST,
    REDELIVERY,
    RETRY,
    Binder,
    Delivery,
    DeliverySemantics,
    Due,
    JobRecord,
    OpenTransaction,
    Origin,
    Probe,
    RetryPolicy,
    Seam,
    current_attempt,
    times_between,
    to_datetime,
    transaction_on,
)
from .locks import Locked
from .rows import Rows, SentJob, run_to_end
from .worker import HarnessWorker, TaskAttempt, delivery_of, pin_time

_SECOND_NS: Final = 1_000_000_000

_PROBE: Final = Probe(
    "procrastinate",
    "procrastinate:App.replace_connector(_, _)",
    "procrastinate.job_context:JobContext(app=, worker_name=, worker_queues=, additional_context=, job=, "
    "abort_reason=, start_timestamp=)",
    "procrastinate.manager:JobManager.defer_job(_, _)",
    "procrastinate.manager:JobManager.cancel_job_by_id(_, _)",
    "procrastinate.sync_psycopg_connector:wrap_exceptions()",
    "procrastinate.periodic:PeriodicDeferrer.defer_jobs(_, _)",
    "procrastinate.testing:InMemoryConnector.defer_jobs_all(_, _)",
    "procrastinate.testing:InMemoryConnector.finish_job_run(_, _, _, _)",
    "procrastinate.testing:InMemoryConnector.retry_job_run(_, _, _)",
    "procrastinate.testing:InMemoryConnector.cancel_job_one(_, _, _, _)",
    "procrastinate.utils:utcnow()",
    "procrastinate.utils:sync_to_async(_)",
    "procrastinate.worker:Worker._process_job(_, _)",
    "procrastinate.worker:Worker._log_job_outcome(_, job_result=, exc_info=, status=, context=, job_retry=)",
    tested=((3, 2), (3, 10)),
)


class Store:
    """What the databases of apps would keep."""

    def __init__(self) -> None:
        #: By the job manager of the app.
        self.rows: WeakKeyDictionary[JobManager, Rows] = WeakKeyDictionary()
        #: Counts the jobs of all apps.
        self.counter = count(1)
        #: The jobs that were not deferred, since one with their queueing lock is waiting.
        self.kept_out: list[tuple[JobRecord, str]] = []


class ProcrastinateBridge(
    ApplicationBridge[Applications[App], Task[Any, Any, Any], SentJob, Store]
):
    """Brings the tasks of all Procrastinate apps into the harness, instead of their databases."""

    name = "procrastinate"
    capabilities = frozenset(("eta", "priority", "retry", "async", "serialise", "unique", "cron"))
    attempt_class = TaskAttempt
    order = -1
    in_loop = True
    names_arguments = True

    def __init__(self, apps: Sequence[Any] = ()) -> None:
        """Prepare a bridge.

        Args:
            apps: the apps that are asked first for a task that a test names by its name. Whatever app defers a
                job, the job is recorded.
        """
        _PROBE.check(procrastinate.__version__)
        known: Applications[App] = Applications(
            apps,
            App,
            wanted="a procrastinate.App: name the object whose `task` decorates the functions",
            otherwise="the apps of procrastinate",
            tasks_of=lambda app: app.tasks,
        )
        super().__init__(procrastinate.__version__, known)
        #: The app of each job manager, learnt when the app is asked for it.
        self._owners: WeakKeyDictionary[JobManager, App] = WeakKeyDictionary()

    def new_store(self) -> Store:
        return Store()

    # Instead of databases

    def patch(self, seam: Seam) -> None:
        seam.overlay(JobManager, "connector", ProcrastinateBridge._connector)
        seam.overlay(App, "connector", ProcrastinateBridge._connector_of_app)
        seam.overlay(App, "job_manager", ProcrastinateBridge._job_manager)
        pin_time(seam)

    def _connector(self, original: Callable[[], Any], manager: JobManager) -> Rows:
        return self._rows_of(manager, original())

    def _connector_of_app(self, original: Callable[[], Any], app: App) -> Any:
        # The app asks for its connector before it has made its job manager.
        return app.job_manager.connector if "job_manager" in vars(app) else original()

    def _job_manager(self, original: Callable[[], JobManager], app: App) -> JobManager:
        manager = original()
        self._owners[manager] = app
        return manager

    def _rows_of(self, manager: JobManager, real: Any) -> Rows:
        self.sink  # noqa: B018 - raises where no harness is open
        rows = self.store.rows.get(manager)
        if rows is None:
            listener = _Listener(self, self._owners.get(manager))
            rows = self.store.rows[manager] = Rows(real, listener, self.store.counter)
        return rows

    def deferred(
        self,
        app: App | None,
        row: Mapping[str, Any],
        text: str,
        line: Locked | None,
        since_ns: int | None,
    ) -> None:
        """Report a row, of a retry as well, whose wait counts from a time; None for now."""
        self.sent_names.add(row["task_name"])
        if app is not None:
            self.applications.note(app)
        sent = SentJob(app, row, text, since_ns or self.sink.now_ns())
        sent.line = line
        # A job that is put back by hand has been performed before.
        self.report(sent, RETRY if row["attempts"] else FIRST)

    def new_record(self, message: SentJob, origin: Origin | None = None) -> JobRecord:
        record = super().new_record(message, origin)
        # A job that is delivered again is one that runs already.
        if message.line is not None and record.origin is not REDELIVERY:
            message.line.join(record)
        return record

    def note_kept_out(self, app: App | None, job: JobToDefer, text: str, holder: int) -> None:
        """Note a job that was not deferred."""
        row = {
            "id": next(self.store.counter),
            "queue_name": job.queue_name,
            "task_name": job.task_name,
            "priority": job.priority,
            "lock": job.lock,
            "queueing_lock": job.queueing_lock,
            "scheduled_at": job.scheduled_at,
            "attempts": 0,
        }
        sent = SentJob(app, row, text, self.sink.now_ns())
        self.store.kept_out.append((self.new_record(sent, FIRST), str(holder)))

    def transaction_of(self, record: JobRecord) -> OpenTransaction | None:
        """Return that of the connection on which the application defers."""
        app = self.message_of(record).app
        return None if app is None else transaction_on(app.job_manager.connector.connection)

    def forget(self, message: SentJob, store: Store) -> None:
        for rows in store.rows.values():
            rows.drop(int(message.job_id))

    # Tasks and jobs

    def find(self, job: object) -> Task[Any, Any, Any] | None:
        """Return a task of any app, or of a blueprint."""
        if isinstance(job, Task):
            return job
        if not isinstance(job, str):
            return None
        return self.applications.find(job)

    def queue_of(self, task: Task[Any, Any, Any]) -> str | None:
        queue: str | None = task.queue
        return queue

    def unknown(self, job: object) -> Exception:
        return CriterionError(f"{job!r} is not a task of {self}: name what `@app.task` made.")

    def name_of(self, task: Task[Any, Any, Any]) -> str:
        name: str = task.name
        return name

    def body_of(self, task: Task[Any, Any, Any]) -> Callable[..., Any]:
        body: Callable[..., Any] = task.func
        return body

    def binder_of(self, task: Task[Any, Any, Any]) -> Binder:
        return Binder(task.func, label=task.name, skip=1 if task.pass_context else 0)

    def task_of(self, message: SentJob) -> Task[Any, Any, Any] | None:
        if message.app is not None and message.name in message.app.tasks:
            return message.app.tasks[message.name]
        return self.find(message.name)

    def payload_of(self, message: SentJob) -> object:
        return message.arguments

    def decoded(self, message: SentJob) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Decode the arguments. Procrastinate has named ones alone."""
        return (), self._app_of(message).job_manager.connector.decoded(message.arguments)

    def _app_of(self, message: SentJob) -> App:
        """Return the app that deferred a job, or else one that has its task."""
        if message.app is not None:
            return message.app
        for app in self.applications.every():
            if message.name in app.tasks:
                return app
        raise UnknownJobError(
            f"No app here has deferred {message.name!r}, or has a task of that name: import the module of the app."
        )

    def refusal(self, why: str) -> Exception:
        error: Exception = ConnectorException(why)
        return error

    def semantics_of(self, task: Task[Any, Any, Any]) -> DeliverySemantics:
        """Say that a job whose worker is gone stays `doing`, until the application retries stalled jobs."""
        return AT_MOST_ONCE

    def policy_of(self, task: Task[Any, Any, Any]) -> RetryPolicy | None:
        """Return the schedule of a RetryStrategy; None for a strategy of the project."""
        strategy = task.retry_strategy
        if strategy is None:
            return RetryPolicy(1, lambda attempt: timedelta(0))
        if type(strategy) is not RetryStrategy:
            return None
        most = strategy.max_attempts

        def wait(attempt: int) -> timedelta:
            seconds = strategy.wait + strategy.linear_wait * (attempt - 1)
            return timedelta(seconds=seconds + strategy.exponential_wait**attempt)

        # It counts the attempts after the first.
        return RetryPolicy(most + 1 if most else None, wait)

    # Jobs that are kept out

    def locks(self, now_ns: int) -> Sequence[Any]:
        """Return none: a queueing lock belongs to the job that waits with it."""
        return ()

    def kept_out(self) -> Sequence[tuple[JobRecord, str]]:
        """Return the jobs that were not deferred, since one with their queueing lock is waiting."""
        return self.store.kept_out

    def redrive(self, record: JobRecord) -> JobRecord | None:
        """Defer a dead job anew; return None when a waiting job has its queueing lock."""
        message = self.message_of(record)
        rows = self._app_of(message).job_manager.connector
        job = JobToDefer(
            queue_name=message.queue,
            task_name=message.name,
            priority=message.priority,
            lock=message.lock,
            queueing_lock=message.queueing_lock,
            args=rows.decoded(message.arguments),
            scheduled_at=None,
        )
        try:
            (row,) = run_to_end(rows.defer_jobs_all([job]))
        except UniqueViolation:
            return None
        return self.pending_with(str(row["id"]))

    # Periodic tasks

    def firings_between(self, after_ns: int, until_ns: int) -> Iterator[Due]:
        """Yield the periodic tasks that workers defer in a span."""
        for app in self.applications.every():
            for periodic in app.periodic_registry.periodic_tasks.values():
                following = partial(_next_time, periodic.cron)
                for at_ns in times_between(following, after_ns, until_ns):
                    yield at_ns, partial(_fire, app, periodic, at_ns), *self.applications.far(app)

    # Deferring and performing

    def send(
        self, task: Task[Any, Any, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        names = self.signature(task).names
        if len(args) > len(names):
            raise CriterionError(
                f"{task.name} takes {len(names)} arguments, and args= has {len(args)}: Procrastinate passes "
                "arguments by their names."
            )
        task.defer(**dict(zip(names, args, strict=False)), **kwargs)

    async def deliver(self, attempt: TaskAttempt) -> Delivery:
        """Make one delivery through Procrastinate's worker."""
        message: SentJob = attempt.message
        task = self.task_of(message)
        if task is None:
            raise UnknownJobError(
                f"No app has a task named {message.name!r}, so a worker fails the job: import the module that "
                f"declares the task, or name it in import_paths of the app.{self.nearest(message.name)}"
            )
        app = self._app_of(message)
        rows: Rows = app.job_manager.connector
        row = rows.load(message)
        options = {**app.worker_defaults, "install_signal_handlers": False, "listen_notify": False}
        await HarnessWorker(app=app, **options).perform(attempt, app, task, row)
        if attempt.is_killed and attempt.raised is not None:
            raise attempt.raised
        performing = asyncio.current_task()
        is_cancelled = performing is not None and performing.cancelling() > 0
        if is_cancelled and isinstance(attempt.raised, asyncio.CancelledError):
            # The worker takes the cancellation of the task that performs for one of the job.
            raise attempt.raised
        return delivery_of(attempt, task, row)


class _Listener:
    """Tells a bridge of the rows of one app."""

    def __init__(self, bridge: ProcrastinateBridge, app: App | None) -> None:
        self._bridge = bridge
        self._app = app

    def deferred(
        self, row: Mapping[str, Any], text: str, line: Locked | None, since_ns: int | None = None
    ) -> None:
        self._bridge.deferred(self._app, row, text, line, since_ns)

    def unblock(self, record: JobRecord) -> None:
        self._bridge.sink.unblocked(record)

    def computed_from_ns(self) -> int | None:
        """Return the time that Procrastinate read last in this delivery."""
        attempt = current_attempt.get()
        return attempt.computed_from_ns if isinstance(attempt, TaskAttempt) else None

    def is_pending(self, job_id: int) -> bool:
        return self._bridge.pending_with(str(job_id)) is not None

    def kept_out(self, job: JobToDefer, text: str, holder: int) -> None:
        self._bridge.note_kept_out(self._app, job, text, holder)

    def cancelled(self, job_id: int) -> None:
        record = self._bridge.pending_with(str(job_id))
        if record is not None:
            self._bridge.sink.removed(record)

    def drops_outcome(self) -> bool:
        """Say whether the worker is killed: nothing of what it writes would be written."""
        attempt = current_attempt.get()
        return isinstance(attempt, TaskAttempt) and attempt.is_killed


def _next_time(cron: str, after: Any) -> Any:
    """Return the next time of a crontab line, as the worker computes it."""
    found = croniter.croniter(cron).get_next(ret_type=float, start_time=after.timestamp())
    return to_datetime(round(found) * _SECOND_NS)


def _fire(app: App, periodic: PeriodicTask[Any, Any, Any], at_ns: int) -> None:
    """Defer a periodic task as the worker does."""
    # The deferrer writes the time into the options of the task: those of the application stay as they are.
    options = {**periodic.configure_kwargs}
    options["task_kwargs"] = dict(options.get("task_kwargs") or {})
    other = copy(periodic)
    object.__setattr__(other, "configure_kwargs", options)
    deferrer = PeriodicDeferrer(app.periodic_registry)
    run_to_end(deferrer.defer_jobs([(other, at_ns // _SECOND_NS)]))
