"""The rows of jobs that a database would have."""

from __future__ import annotations

import json
from collections.abc import Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from datetime import datetime
from typing import Any, Final, Protocol

from procrastinate import App, sql
from procrastinate.exceptions import NoResult, UniqueViolation
from procrastinate.sync_psycopg_connector import wrap_exceptions
from procrastinate.testing import InMemoryConnector
from procrastinate.types import JobToDefer
from psycopg import errors

from ..toolkit import JobRecord, Message, as_jsonb, to_ns
from .locks import Locked

#: Whether a failed job can be retried by hand, as from Procrastinate 3.4 on.
_FAILED_TOO: Final = ("failed",) if "retry_job_v2" in sql.queries["retry_job"] else ()

#: How many characters the columns of the queue and of the task take.
_LONGEST_NAME: Final = 128

#: The connection that `configure(connection=...)` was given for the jobs that are deferred.
_given: ContextVar[Any] = ContextVar("pytest_jobs_procrastinate_connection", default=None)


@contextmanager
def _on(connection: Any) -> Generator[None, None, None]:
    token = _given.set(connection)
    try:
        yield
    finally:
        _given.reset(token)


class SentJob(Message):
    """One job as its row has it."""

    __slots__ = ("app", "arguments", "has_own_id", "line", "lock", "queueing_lock", "scheduled_at")

    def __init__(self, app: App | None, row: Mapping[str, Any], text: str, now_ns: int) -> None:
        self.scheduled_at: datetime | None = row["scheduled_at"]
        due_ns = None if self.scheduled_at is None else to_ns(self.scheduled_at, "schedule_at")
        super().__init__(
            row["task_name"],
            str(row["id"]),
            now_ns,
            queue=row["queue_name"],
            priority=row["priority"],
            attempt=row["attempts"] + 1,
            due_ns=due_ns if due_ns is not None and due_ns > now_ns else None,
        )
        self.app = app
        self.arguments = text
        self.lock: str | None = row["lock"]
        #: The jobs with its lock, while it is to do; None without a lock.
        self.line: Locked | None = None
        self.queueing_lock: str | None = row["queueing_lock"]
        # A killed delivery and the next one defer the same job: see `Rows`.
        self.has_own_id = self.queueing_lock is not None

    def as_attempt(self, attempt: int) -> SentJob:
        """Return the job as it is deferred for another attempt."""
        other = copy(self)
        other.attempt = attempt
        return other

    def row(self, args: Any) -> dict[str, Any]:
        """Return the row that a worker fetches."""
        return {
            "id": int(self.job_id),
            "queue_name": self.queue,
            "task_name": self.name,
            "priority": self.priority,
            "lock": self.lock,
            "queueing_lock": self.queueing_lock,
            "args": args,
            "status": "doing",
            "scheduled_at": self.scheduled_at,
            "attempts": self.attempt - 1,
            "abort_requested": False,
            "worker_id": 1,
        }


class Listener(Protocol):
    """What is told of rows: the bridge."""

    def deferred(
        self, row: Mapping[str, Any], text: str, line: Locked | None, since_ns: int | None = None
    ) -> None: ...

    def unblock(self, record: JobRecord) -> None: ...

    def computed_from_ns(self) -> int | None: ...

    def is_pending(self, job_id: int) -> bool: ...

    def kept_out(self, job: JobToDefer, text: str, holder: int) -> None: ...

    def cancelled(self, job_id: int) -> None: ...

    def drops_outcome(self) -> bool: ...


class Rows(InMemoryConnector):  # type: ignore[misc]
    """Stands in for the connector of an app. It encodes arguments as the real one does, and never waits.

    A check may kill the worker while a row is reported, before or after the defer, and deliver its job again
    meanwhile. So a row that was not deferred in the end gives way, and the job that takes its place has its id.
    """

    def __init__(self, real: Any, listener: Listener, counter: Any) -> None:
        """Stand in for a connector."""
        super().__init__()
        #: The connector of the application.
        self.real = real
        self.job_counter = counter
        self._listener = listener
        self._unreported: set[int] = set()
        #: The arguments of rows, as JSON.
        self._texts: dict[int, str] = {}
        self._lines: dict[str, Locked] = {}

    # A synchronous query in a running loop is no error of a real connector.

    def execute_query(self, query: str, **arguments: Any) -> None:
        run_to_end(self.execute_query_async(query, **arguments))

    def execute_query_one(self, query: str, **arguments: Any) -> dict[str, Any]:
        row: dict[str, Any] = run_to_end(self.execute_query_one_async(query, **arguments))
        return row

    def execute_query_all(self, query: str, **arguments: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = run_to_end(self.execute_query_all_async(query, **arguments))
        return rows

    def execute_query_one_with_connection(
        self, connection: Any, query: str, **arguments: Any
    ) -> dict[str, Any]:
        return self.execute_query_one(query, **arguments)

    def execute_query_all_with_connection(
        self, connection: Any, query: str, **arguments: Any
    ) -> list[dict[str, Any]]:
        with _on(connection):
            return self.execute_query_all(query, **arguments)

    async def execute_query_all_async_with_connection(
        self, connection: Any, query: str, **arguments: Any
    ) -> list[dict[str, Any]]:
        with _on(connection):
            rows: list[dict[str, Any]] = await self.execute_query_all_async(query, **arguments)
        return rows

    @property
    def connection(self) -> Any:
        """The connection of the application on which a row is made: a given one, or that of Django's connector."""
        return _given.get() or getattr(self.real, "connection", None)

    def drop(self, job_id: int) -> None:
        """Let a row be gone."""
        row = self.jobs.pop(job_id, None)
        if row is not None and (line := self._line_of(row)) is not None:
            line.leave(job_id)

    def _line_of(self, row: Mapping[str, Any]) -> Locked | None:
        lock = row["lock"]
        if lock is None:
            return None
        line = self._lines.get(lock)
        if line is None:
            line = self._lines[lock] = Locked(self._listener.unblock)
        return line

    def encoded(self, args: Any) -> str:
        """Return arguments as the connector of the application writes them into a column of `jsonb`.

        Raises:
            TypeError: when one of them is not JSON.
            ConnectorException: when it is JSON that PostgreSQL refuses.
        """
        dumps = getattr(self.real, "_json_dumps", None) or json.dumps
        text: str = dumps(args)
        if isinstance(self.real, InMemoryConnector):
            return text
        with wrap_exceptions():
            return as_jsonb(text, errors.lookup)

    def _check_columns(self, job: JobToDefer) -> None:
        """Refuse what the columns refuse, each by the error that PostgreSQL has for it."""
        if isinstance(self.real, InMemoryConnector):
            return
        with wrap_exceptions():
            if not -(2**31) <= job.priority < 2**31:
                raise errors.NumericValueOutOfRange(f"{job.priority} is out of range for integer")
            for text in (job.queue_name, job.task_name, job.lock, job.queueing_lock):
                if text is not None and b"\0" in text.encode():
                    raise errors.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
            for text in (job.queue_name, job.task_name):
                if len(text) > _LONGEST_NAME:
                    raise errors.StringDataRightTruncation(f"{text[:20]}... is too long")

    def decoded(self, text: str) -> Any:
        """Return arguments as the connector of the application reads them."""
        loads = getattr(self.real, "_json_loads", None) or json.loads
        return loads(text)

    async def defer_jobs_all(self, jobs: Sequence[JobToDefer]) -> list[dict[str, Any]]:
        texts = [self.encoded(job.args) for job in jobs]
        for job in jobs:
            self._check_columns(job)
        replaced = self._give_way()
        try:
            rows: list[dict[str, Any]] = await super().defer_jobs_all(list(jobs))
        except UniqueViolation as violation:
            self._note_kept_out(jobs, texts, violation)
            raise
        for row, text in zip(rows, texts, strict=True):
            if row["queueing_lock"] in replaced:
                self._rename(row, replaced[row["queueing_lock"]])
            job_id = row["id"]
            row["args"], self._texts[job_id] = self.decoded(text), text
            self._unreported.add(job_id)
            try:
                self._listener.deferred(row, text, self._line_of(row))
            except BaseException:
                if not self._listener.is_pending(job_id):
                    self.drop(job_id)
                raise
            finally:
                self._unreported.discard(job_id)
        return rows

    def _give_way(self) -> dict[str, int]:
        """Remove the rows that were not deferred after all; return the ids of those with a queueing lock."""
        gone = [job_id for job_id in self._unreported if not self._listener.is_pending(job_id)]
        rows = [self.jobs[job_id] for job_id in gone if job_id in self.jobs]
        for job_id in gone:
            self.drop(job_id)
        self._unreported.difference_update(gone)
        return {row["queueing_lock"]: row["id"] for row in rows if row["queueing_lock"]}

    def _rename(self, row: dict[str, Any], job_id: int) -> None:
        del self.jobs[row["id"]]
        self.events[job_id] = self.events.pop(row["id"])
        row["id"] = job_id
        self.jobs[job_id] = row

    def _note_kept_out(
        self, jobs: Sequence[JobToDefer], texts: Sequence[str], violation: Any
    ) -> None:
        lock = violation.queueing_lock
        holders = [
            row["id"]
            for row in self.jobs.values()
            if row["queueing_lock"] == lock and row["status"] == "todo"
        ]
        for job, text in zip(jobs, texts, strict=True):
            if job.queueing_lock == lock and holders:
                self._listener.kept_out(job, text, holders[0])

    def load(self, message: SentJob) -> dict[str, Any]:
        """Let the row of a job be as it is when a worker has fetched it. A redelivery may find it gone."""
        row = message.row(self.decoded(message.arguments))
        self.jobs[row["id"]] = row
        self.events.setdefault(row["id"], [])
        self._texts[row["id"]] = message.arguments
        if (line := self._line_of(row)) is not None:
            line.begin(row["id"])
        return row

    async def finish_job_run(self, job_id: int, status: str, delete_job: bool) -> None:
        if self._listener.drops_outcome():
            return
        row = self._in_status(job_id, "todo", "doing")
        was_waiting = row["status"] == "todo"
        await super().finish_job_run(job_id, status, delete_job)
        if was_waiting:
            row["attempts"] -= 1
            self._listener.cancelled(job_id)
        if (line := self._line_of(row)) is not None:
            line.leave(job_id)

    async def retry_job_run(self, job_id: int, **options: Any) -> None:
        if self._listener.drops_outcome():
            return
        row = self._in_status(job_id, "doing", *_FAILED_TOO)
        before = self._line_of(row)
        if row["status"] == "doing" and row["abort_requested"]:
            row["status"] = "failed"
        else:
            # Asked first, since the stand-in reads the time too.
            since_ns = self._listener.computed_from_ns()
            await super().retry_job_run(job_id, **options)
            self._listener.deferred(row, self._texts[job_id], self._line_of(row), since_ns)
        if before is not None:
            before.end(job_id)

    def _in_status(self, job_id: int, *statuses: str) -> dict[str, Any]:
        """Return a row, as the functions of the schema find it.

        Raises:
            ConnectorException: when it is not there, or in another status.
        """
        row: dict[str, Any] | None = self.jobs.get(job_id)
        if row is None or row["status"] not in statuses:
            with wrap_exceptions():
                raise errors.RaiseException(
                    f"Job was not found or has an invalid status (job id: {job_id})"
                )
        return row

    async def get_job_status_one(self, job_id: int) -> dict[str, Any]:
        if job_id not in self.jobs:
            raise NoResult
        found: dict[str, Any] = await super().get_job_status_one(job_id)
        return found

    async def cancel_job_one(self, job_id: int, abort: bool, delete_job: bool) -> dict[str, Any]:
        row = self.jobs.get(job_id)
        if row is None or row["status"] not in ("todo", "doing"):
            # The stand-in of Procrastinate cancels finished jobs, and knows no missing ones.
            return {"id": None}
        was_waiting = row["status"] == "todo"
        found: dict[str, Any] = await super().cancel_job_one(job_id, abort, delete_job)
        if was_waiting:
            self._listener.cancelled(job_id)
            if (line := self._line_of(row)) is not None:
                line.leave(job_id)
        return found


def run_to_end(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that asks the stand-in alone, and so never waits."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    coroutine.close()
    raise RuntimeError("A query of the stand-in for the database waited for something.")
