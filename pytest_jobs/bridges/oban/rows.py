"""The rows of jobs that a database would have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

import psycopg
from oban.job import Job
from psycopg import errors, pq
from psycopg.adapt import PyFormat
from psycopg.types.json import Jsonb

from ..toolkit import Message, as_jsonb, to_ns

#: The columns of a row, which a worker fetches.
_COLUMNS: Final = (
    *("id", "state", "queue", "worker", "attempt", "max_attempts", "priority", "args", "meta"),
    *("errors", "tags", "attempted_by", "inserted_at", "attempted_at", "cancelled_at"),
    *("completed_at", "discarded_at", "scheduled_at"),
)

#: A row, by the names of its columns. `args` and `meta` are the text of their JSON, and never change.
Row = dict[str, Any]


class SentJob(Message):
    """One job as its row has it."""

    __slots__ = ("row",)

    def __init__(self, row: Row, now_ns: int, due_ns: int | None = None) -> None:
        """Describe a job that is due when its row says, or more exactly than the row says."""
        scheduled_at: datetime | None = row["scheduled_at"]
        if due_ns is None and scheduled_at is not None:
            due_ns = to_ns(scheduled_at, "scheduled_at")
        super().__init__(
            row["worker"],
            str(row["id"]),
            now_ns,
            queue=row["queue"],
            priority=row["priority"],
            attempt=row["attempt"] + 1,
            due_ns=due_ns if due_ns is not None and due_ns > now_ns else None,
        )
        self.row = dict(row)

    @property
    def headers(self) -> Mapping[str, object]:
        """The `meta` of the job, and its tags."""
        tags = {"tags": self.row["tags"]} if self.row["tags"] else {}
        return {**tags, **decoded(self.row["meta"])}

    @property
    def args(self) -> dict[str, Any]:
        """The arguments, read anew."""
        args: dict[str, Any] = decoded(self.row["args"])
        return args

    def as_attempt(self, attempt: int) -> SentJob:
        """Return the job as its row is before another attempt."""
        return SentJob({**self.row, "attempt": attempt - 1}, self.enqueued_ns)


class Rows:
    """The rows of all databases. Oban asks for one by its id."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._ids = count(1)

    def insert(self, jobs: Sequence[Job], now: datetime) -> list[Row]:
        """Return the rows of jobs, and let the jobs know what the database has decided.

        Raises:
            TypeError: when an argument cannot be written as JSON; then no job has a row.
        """
        # First, since a statement that fails takes the whole transaction back.
        written = [(encoded(job.args), encoded(job.meta)) for job in jobs]
        rows = []
        for job, (args, meta) in zip(jobs, written, strict=True):
            job.id = next(self._ids)
            job.inserted_at = job.inserted_at or now
            if job.state == "available" and job.scheduled_at is not None:
                job.state = "scheduled"
            job.scheduled_at = in_utc(job.scheduled_at or now)
            row = {name: getattr(job, name) for name in _COLUMNS}
            row.update(
                args=args,
                meta=meta,
                attempt=0,
                errors=(),
                tags=tuple(job.tags),
                attempted_by=(),
                state=str(job.state),
            )
            self._rows[job.id] = row
            rows.append(row)
        return rows

    def put(self, row: Row) -> None:
        """Let a row be there."""
        self._rows[row["id"]] = row

    def drop(self, job_id: int) -> None:
        """Let a row be gone."""
        self._rows.pop(job_id, None)

    def find(self, job_id: int) -> Row | None:
        """Return the row with an id."""
        return self._rows.get(job_id)

    def among(self, job_ids: Sequence[int]) -> list[Row]:
        """Return the rows that have one of some ids."""
        return [self._rows[each] for each in dict.fromkeys(job_ids) if each in self._rows]

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows, the newest first, as Oban reads them."""
        return reversed(list(self._rows.values()))


def job_of(row: Row) -> Job:
    """Return a row as Oban reads it."""
    return Job(
        **{
            **row,
            "args": decoded(row["args"]),
            "meta": decoded(row["meta"]),
            "errors": [dict(each) for each in row["errors"]],
            "tags": list(row["tags"]),
            "attempted_by": list(row["attempted_by"]),
        }
    )


def in_utc(at: datetime) -> datetime:
    """Return a time as the database keeps it. Oban takes a time without a zone for local time."""
    return at.astimezone(UTC)


def encoded(value: Any) -> bytes:
    """Return a value as the application sends it to the database, which keeps it as `jsonb`.

    Raises:
        TypeError: when it is not JSON.
        psycopg.DataError: when it is JSON that PostgreSQL refuses.
    """
    dumper = psycopg.adapters.get_dumper(Jsonb, PyFormat.TEXT)
    text = bytes(dumper(Jsonb).dump(Jsonb(value)) or b"")
    return as_jsonb(text.decode(), errors.lookup).encode()


def decoded(text: bytes) -> Any:
    """Return a value as the application reads it from the database."""
    oid = psycopg.adapters.types["jsonb"].oid
    loader = psycopg.adapters.get_loader(oid, pq.Format.TEXT)
    return json.loads(text) if loader is None else loader(oid).load(text)
