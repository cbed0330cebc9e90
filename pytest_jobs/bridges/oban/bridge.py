"""The bridge of Oban."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NoReturn

import oban
from oban import Oban, _scheduler, testing
from oban._config import Config
from oban._query import Query
from oban.job import Job
from oban.oban import _instances
from oban.worker import WorkerResolutionError, _registry, resolve_worker, worker_name
from psycopg_pool import AsyncConnectionPool

from ...errors import (
    BridgeError,
    CriterionError,
    DeclarationError,
    UnknownJobError,
)
from ..applications import ApplicationBridge, Applications
from ..toolkit import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
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
    function_at,
    minutes_between,
    to_datetime,
    transaction_on,
)
from .execution import JobAttempt, pin, schedule_in_ns, wait_of
from .rows import Row, Rows, SentJob, decoded, encoded, in_utc, job_of

_PROBE: Final = Probe(
    "oban",
    "oban._backoff:jittery_clamped(_, _)",
    "oban._backoff:random",
    "oban._config:Config.create_pool(_)",
    "oban._executor:Executor(job=, safe=)",
    "oban._executor:Executor.execute(_)",
    "oban._executor:resolve_worker(_)",
    "oban._query:Query.all_jobs(_, _)",
    "oban._query:Query.cancel_many_jobs(_, _)",
    "oban._query:Query.count_jobs(_, _)",
    "oban._query:Query.delete_many_jobs(_, _)",
    "oban._query:Query.get_job(_, _)",
    "oban._query:Query.insert_jobs(_, _, conn=)",
    "oban._query:Query.notify(_, _, _)",
    "oban._query:Query.reset(_)",
    "oban._query:Query.retry_many_jobs(_, _)",
    "oban._query:Query.update_many_jobs(_, _)",
    "oban._scheduler:Scheduler(leader=, notifier=, query=)",
    "oban._scheduler:Scheduler._build_job(_, _, _)",
    "oban._scheduler:Scheduler._is_now(_, _, _)",
    "oban._scheduler:scheduled_entries()",
    "oban.oban:Oban.enqueue_many(_, _, conn=)",
    "oban.oban:Oban.start(_)",
    "oban.oban:_instances",
    "oban.testing:mode(_)",
    "oban.worker:_registry",
    "oban.worker:resolve_worker(_)",
    "oban.worker:worker_name(_)",
    "psycopg:AsyncConnection._exec_command(_, _)",
    "psycopg:AsyncConnection._get_tx_start_command(_)",
    tested=((0, 6), (0, 7)),
)

#: The connection of the application that `conn=` names for the jobs that are enqueued.
_given: ContextVar[Any] = ContextVar("pytest_jobs_oban_conn", default=None)
#: The states from which a job is performed, now or later.
_WAITING: Final = frozenset(("available", "scheduled", "retryable"))


class ObanBridge(ApplicationBridge[Applications[Oban], type, SentJob, Rows]):
    """Brings the jobs of all instances of Oban into the harness, instead of their databases."""

    name = "oban"
    capabilities = frozenset(("eta", "priority", "headers", "retry", "async", "serialise", "cron"))
    attempt_class = JobAttempt
    order = 1
    in_loop = True
    names_arguments = True

    def __init__(self, instances: Sequence[Any] = ()) -> None:
        """Prepare a bridge.

        Args:
            instances: instances of Oban. Whatever instance a job is enqueued with, the job is recorded.
        """
        _PROBE.check(oban.__version__)
        known: Applications[Oban] = Applications(
            instances,
            Oban,
            wanted="an Oban: name the object that `Oban(pool=...)` made",
            otherwise="the workers of oban",
        )
        super().__init__(oban.__version__, known)

    def new_store(self) -> Rows:
        return Rows()

    # Instead of the databases

    def patch(self, seam: Seam) -> None:
        seam.wrap(Oban, "enqueue_many", ObanBridge._enqueue_many)
        seam.replace(Oban, "start", ObanBridge._start)
        seam.wrap(Config, "create_pool", ObanBridge._create_pool)
        for name, method in _IN_MEMORY.items():
            seam.replace(Query, name, method)
        seam.overlay(Query, "_pool", ObanBridge._pool)
        pin(seam)

    async def _enqueue_many(
        self, original: Callable[..., Any], instance: Oban, *args: Any, **kwargs: Any
    ) -> Any:
        """Enqueue as in production, whatever testing mode is set."""
        self.applications.note(instance)
        with testing.mode("manual"):
            return await original(*args, **kwargs)

    async def _start(self, instance: Oban) -> Oban:
        """Start no queue, and listen to nothing."""
        return instance

    async def _create_pool(self, original: Callable[..., Any], config: Config) -> Any:
        if not config.dsn:
            return await original()
        return AsyncConnectionPool(config.dsn, open=False)

    def _pool(self, original: Callable[[], Any], query: Query) -> Any:
        self._kept()
        return _NoConnection(original())

    def _now(self) -> datetime:
        return to_datetime(self.sink.now_ns())

    async def _insert_jobs(self, query: Query, jobs: Sequence[Job], conn: Any = None) -> list[Job]:
        token = _given.set(conn)
        try:
            self._insert(jobs)
        finally:
            _given.reset(token)
        return list(jobs)

    def transaction_of(self, record: JobRecord) -> OpenTransaction | None:
        """Return that of `conn=`."""
        return transaction_on(_given.get())

    def forget(self, message: SentJob, store: Rows) -> None:
        store.drop(int(message.job_id))

    def _insert(self, jobs: Sequence[Job]) -> None:
        now_ns = self.sink.now_ns()
        for row in self._kept().insert(jobs, to_datetime(now_ns)):
            self.sent_names.add(row["worker"])
            # One that was inserted as completed, say, is never performed.
            if row["state"] in _WAITING:
                self._report(row, SentJob(row, now_ns))

    def _report(self, row: Row, message: SentJob, origin: Origin | None = None) -> None:
        try:
            self.report(message, origin)
        except BaseException:
            if self.pending_with(message.job_id) is None:
                self._kept().drop(row["id"])
            raise

    async def _get_job(self, query: Query, job_id: int) -> Job | None:
        row = self._kept().find(job_id)
        return None if row is None else job_of(row)

    async def _all_jobs(self, query: Query, states: Sequence[str]) -> list[Job]:
        return [job_of(row) for row in self._kept() if row["state"] in states]

    async def _count_jobs(self, query: Query, states: Sequence[str]) -> list[tuple[str, str, int]]:
        counts: dict[tuple[str, str], int] = {}
        for row in self._kept():
            if row["state"] in states:
                key = row["state"], row["queue"]
                counts[key] = counts.get(key, 0) + 1
        return [(*key, number) for key, number in counts.items()]

    async def _cancel_many_jobs(
        self, query: Query, job_ids: Sequence[int]
    ) -> tuple[int, list[int]]:
        cancelled, executing = 0, []
        for row in self._kept().among(job_ids):
            if row["state"] == "executing":
                executing.append(row["id"])
                self._signal(row["id"])
            elif row["state"] in (*_WAITING, "suspended"):
                now = self._now()
                # PostgreSQL writes a timestamp without a zone, and no zeros at its end.
                whole, _, rest = now.replace(tzinfo=None).isoformat().partition(".")
                at = f"{whole}.{rest.rstrip('0')}".rstrip(".")
                meta = {**decoded(row["meta"]), "cancel_attempted_at": at}
                row.update(state="cancelled", cancelled_at=now, meta=encoded(meta))
                self._withdraw(row)
            else:
                continue
            cancelled += 1
        return cancelled, executing

    def _signal(self, job_id: int) -> None:
        """Let a job that runs know that it is cancelled."""
        attempt = current_attempt.get()
        if isinstance(attempt, JobAttempt) and attempt.job is not None and attempt.job.id == job_id:
            attempt.job._cancellation.set()

    async def _delete_many_jobs(self, query: Query, job_ids: Sequence[int]) -> int:
        rows = [row for row in self._kept().among(job_ids) if row["state"] != "executing"]
        for row in rows:
            self._withdraw(row)
            self._kept().drop(row["id"])
        return len(rows)

    async def _retry_many_jobs(self, query: Query, job_ids: Sequence[int]) -> int:
        every = self._kept().among(job_ids)
        rows = [row for row in every if row["state"] not in ("available", "executing")]
        for row in rows:
            row.update(
                state="available",
                max_attempts=max(row["max_attempts"], row["attempt"] + 1),
                scheduled_at=self._now(),
                completed_at=None,
                cancelled_at=None,
                discarded_at=None,
            )
            self._replace(row)
        return len(rows)

    async def _update_many_jobs(self, query: Query, jobs: Sequence[Job]) -> list[Job]:
        """Update rows.

        Raises:
            ValueError: when a job has no row, as Oban does.
        """
        now = self._now()
        for job in jobs:
            row = self._kept().find(job.id)
            if row is None:
                raise ValueError(f"Job with id {job.id} not found")
            row.update({name: getattr(job, name) for name in _UPDATABLE})
            row.update(args=encoded(job.args), meta=encoded(job.meta), tags=tuple(job.tags))
            job.scheduled_at = row["scheduled_at"] = in_utc(job.scheduled_at)
            is_later = row["scheduled_at"] > now
            if row["state"] == "available" and is_later:
                row["state"] = "scheduled"
            elif row["state"] == "scheduled" and not is_later:
                row["state"] = "available"
            job.state = row["state"]
            if self.pending_with(str(row["id"])) is not None:
                self._replace(row)
        return list(jobs)

    async def _reset(self, query: Query) -> None:
        for row in self._kept():
            self._withdraw(row)
            self._kept().drop(row["id"])

    async def _notify(self, query: Query, channel: str, payloads: Sequence[str]) -> None:
        """Nobody listens."""

    def _withdraw(self, row: Row) -> None:
        record = self.pending_with(str(row["id"]))
        if record is not None:
            self.sink.removed(record)

    def _replace(self, row: Row) -> None:
        """Let a job be pending as its row says. It was enqueued before, so it does not count as enqueued again."""
        self._withdraw(row)
        self._report(row, SentJob(row, self.sink.now_ns()), RETRY)

    # Workers and jobs

    def find(self, job: object) -> type | None:
        """Return a worker: a class that `@worker` or `@job` has decorated, or the one of a name."""
        found = job
        if isinstance(job, str):
            found = _registry.get(job) or function_at(job)
        is_worker = isinstance(found, type) and hasattr(found, "_oban_name")
        return found if is_worker and isinstance(found, type) else None

    def known_names(self) -> set[str]:
        return set(_registry)

    def queue_of(self, task: type) -> str:
        return str(getattr(task, "_opts", {}).get("queue", "default"))

    def unknown(self, job: object) -> Exception:
        if self.identify(job) is not None:
            return DeclarationError(
                f"{job!r} is not the path of a worker here, so there is no code to look at: import the module "
                "that declares the worker, or name what this service declares."
            )
        return CriterionError(
            f"{job!r} is not a worker of Oban: name what `@worker` or `@job` made."
        )

    def name_of(self, task: type) -> str:
        name: str = worker_name(task)
        return name

    def body_of(self, task: type) -> Callable[..., Any]:
        body: Callable[..., Any] = _function_of(task) or getattr(task, "process")  # noqa: B009
        return body

    def binder_of(self, task: type) -> Binder:
        # A worker that is a class reads whatever arguments it wants from the job.
        return Binder(_function_of(task) or (lambda **args: None), label=worker_name(task))

    def task_of(self, message: SentJob) -> type | None:
        found = self.find(message.name)
        if found is None and isinstance(function_at(message.name), type):
            # Oban performs a class that has no decorator, too.
            with suppress(WorkerResolutionError):
                found = resolve_worker(message.name)
        return found

    def payload_of(self, message: SentJob) -> object:
        """Return the row, by the names of its columns."""
        return message.row

    def decoded(self, message: SentJob) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Decode the arguments. Oban has named ones alone."""
        return (), message.args

    def semantics_of(self, task: type) -> DeliverySemantics:
        """Return what happens to a job whose worker declares how many attempts there are.

        Oban's lifeline makes a job available again that has been `executing` for five minutes. It discards a job
        that has no attempts left.
        """
        return AT_LEAST_ONCE if _max_attempts(task) > 1 else AT_MOST_ONCE

    def policy_of(self, task: type) -> RetryPolicy | None:
        """Return the schedule of Oban; None for a `backoff` of the project."""
        if hasattr(task, "backoff"):
            return None
        most = _max_attempts(task)
        # At once: without the harness chance decides on the jitter.
        waits = [timedelta(seconds=wait_of(attempt, most, 0.0)) for attempt in range(1, most)]
        return RetryPolicy(most, lambda attempt: waits[attempt - 1])

    def retried(self, message: SentJob, attempt: int) -> SentJob:
        """Return the job as its row is before another attempt."""
        most = message.row["max_attempts"]
        if attempt > most:
            raise CriterionError(
                f"{message.name} was enqueued with max_attempts={most}: ask for an attempt up to {most}, and not "
                f"for {attempt}."
            )
        return message.as_attempt(attempt)

    def send(self, task: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Enqueue a job of a worker.

        Raises:
            CriterionError: when a worker that is a class is given arguments without names.
        """
        new: Callable[..., Job] = getattr(task, "new")  # noqa: B009
        if _function_of(task) is not None:
            job = new(*args, **kwargs)
        elif args:
            raise CriterionError(
                f"{worker_name(task)} reads named arguments from `job.args`: pass them in kwargs=."
            )
        else:
            job = new(dict(kwargs))
        self._insert([job])

    # Cron

    def firings_between(self, after_ns: int, until_ns: int) -> Iterator[Due]:
        """Yield what the scheduler of Oban enqueues in a span."""
        entries = [
            (each, self._scheduler_of(each.worker_cls)) for each in _scheduler.scheduled_entries()
        ]
        for at_ns in minutes_between(after_ns, until_ns) if entries else ():
            minute = to_datetime(at_ns)
            for entry, scheduler in entries:
                if scheduler._is_now(entry, minute):
                    yield at_ns, partial(self._fire, scheduler, entry, minute), entry.worker_cls

    def _scheduler_of(self, task: type) -> Any:
        """Return the scheduler of the instance that a worker names, or one with the default timezone."""
        instance = _instances.get(getattr(task, "_oban_name", ""))
        found = getattr(instance, "_scheduler", None)
        if isinstance(found, _scheduler.Scheduler):
            return found
        return _scheduler.Scheduler(leader=None, notifier=None, query=None)

    def _fire(self, scheduler: Any, entry: Any, minute: datetime) -> None:
        self._insert([scheduler._build_job(entry, minute.isoformat())])

    # Performing

    async def deliver(self, attempt: JobAttempt) -> Delivery:
        """Make one delivery through Oban's executor."""
        message = attempt.message
        if self.task_of(message) is None:
            raise UnknownJobError(
                f"No worker has the name {message.name!r}, so every attempt of the job would fail with a "
                "WorkerResolutionError: import the module that declares the worker."
                f"{self.nearest(message.name)}"
            )
        rows = self._kept()
        kept = dict(message.row)
        now = self._now()
        row = {
            **kept,
            "state": "executing",
            "attempt": message.attempt,
            "attempted_at": now,
            "attempted_by": ("harness",),
        }
        rows.put(row)
        job = job_of(row)
        job._cancellation = asyncio.Event()
        try:
            executor = await attempt.execute(job)
        except BaseException:
            # The harness has the job pending again.
            rows.put(kept)
            raise
        return self._acknowledge(attempt, row, executor)

    def _acknowledge(self, attempt: JobAttempt, row: Row, executor: Any) -> Delivery:
        """Write down what a run came to, as the queue does."""
        action, now_ns = executor.action, self.sink.now_ns()
        row["state"] = str(action.state)
        row["attempt"] += action.attempt_change or 0
        if action.error is not None:
            row["errors"] = (*row["errors"], action.error)
        if action.meta is not None:
            row["meta"] = encoded({**decoded(row["meta"]), **action.meta})
        if row["state"] in ("retryable", "scheduled"):
            wait_ns = schedule_in_ns(executor)
            row["scheduled_at"] = to_datetime(now_ns + wait_ns)
            self.report(SentJob(row, now_ns, now_ns + wait_ns))
            return attempt.repeated(executor)
        if row["state"] not in ("completed", "cancelled", "discarded"):
            raise BridgeError(
                f"Oban ended {attempt.record!r} in the state {row['state']!r}, and pytest-jobs does not know what "
                "becomes of such a job: upgrade pytest-jobs, or test this job with the real database."
            )
        row[f"{row['state']}_at"] = to_datetime(now_ns)
        return attempt.ended(executor)


#: What an application may change of a job.
_UPDATABLE: Final = ("max_attempts", "priority", "queue", "worker")
#: What stands in for the queries of Oban.
_IN_MEMORY: Final[Mapping[str, Callable[..., Any]]] = {
    "all_jobs": ObanBridge._all_jobs,
    "cancel_many_jobs": ObanBridge._cancel_many_jobs,
    "count_jobs": ObanBridge._count_jobs,
    "delete_many_jobs": ObanBridge._delete_many_jobs,
    "get_job": ObanBridge._get_job,
    "insert_jobs": ObanBridge._insert_jobs,
    "notify": ObanBridge._notify,
    "reset": ObanBridge._reset,
    "retry_many_jobs": ObanBridge._retry_many_jobs,
    "update_many_jobs": ObanBridge._update_many_jobs,
}


class _NoConnection:
    """Stands in for the pool of an instance, for everything that is not in `_IN_MEMORY`."""

    def __init__(self, real: Any) -> None:
        self.conninfo = real.conninfo

    def connection(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise BridgeError(
            "Oban asks for a connection to its database, and nothing connects in a harness. Write jobs.drain() "
            "instead of oban.testing.drain_queue(), do not start queues, or say jobs_ignore = oban to test with "
            "the real database."
        )


def _function_of(task: type) -> Callable[..., Any] | None:
    """Return the function that `@job` has decorated; None for a class that `@worker` has."""
    found: Callable[..., Any] | None = getattr(getattr(task, "new", None), "__wrapped__", None)
    return found


def _max_attempts(task: type) -> int:
    """Return how many attempts the jobs of a worker have."""
    declared: int = getattr(task, "_opts", {}).get("max_attempts", 20)
    return declared
