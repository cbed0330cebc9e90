"""The locks and places that jobs hold, and the jobs that were kept out because of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast

from ...core.foundation.protocols import Held
from ..records.bridge import Bridge, HoldsLocks
from ..records.instants import to_datetime
from ..records.record import JobRecord, call_text
from .ledger import Ledger

LockKind: TypeAlias = Literal["unique", "running", "limit"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Lock:
    """A lock of a unique job, or a place of a limited one."""

    _held: Held
    #: The first record of the job that holds it; None when this harness never saw it.
    record: JobRecord | None

    @property
    def kind(self) -> LockKind:
        """`unique`: no second job is enqueued. `running`: no second job runs. `limit`: a place of a limit."""
        return cast("LockKind", self._held.key.partition(":")[0])

    @property
    def key(self) -> str:
        """The name of the job, or the scope or group, a colon, and the values of the key as JSON."""
        return self._held.key.partition(":")[2]

    @property
    def job_id(self) -> str:
        """The id of the job that holds it."""
        return self._held.owner

    @property
    def expires_at(self) -> datetime | None:
        """When it ends by itself; None for never."""
        expires_ns = self._held.expires_ns
        return None if expires_ns is None else to_datetime(expires_ns)

    def __repr__(self) -> str:
        until = "" if self.expires_at is None else f" until {self.expires_at.isoformat()}"
        return f"<{self.kind} lock {self.key} of job {self.job_id[:8]}{until}>"


def held_locks(bridges: Iterable[Bridge], ledger: Ledger) -> Iterator[Lock]:
    """Yield the locks that jobs hold, for the libraries that have locks."""
    now_ns = ledger.now_ns()
    for bridge in bridges:
        if "unique" in bridge.capabilities:
            for held in cast("HoldsLocks", bridge).locks(now_ns):
                yield Lock(held, _first_record(ledger, bridge, held.owner))


def _first_record(ledger: Ledger, bridge: Bridge, job_id: str) -> JobRecord | None:
    records = (r for r in ledger.records if r.source is bridge and r.job_id == job_id)
    return next(records, None)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class KeptOut:
    """A job that was not enqueued, and the job that kept it out."""

    #: The record that the job would have had.
    record: JobRecord
    #: The id of the job that kept it out.
    dropped_for: str
    #: The first record of the job that kept it out; None when this harness never saw it.
    kept_out_by: JobRecord | None

    @property
    def job(self) -> object:
        """The job class, function or task."""
        return self.record.job

    @property
    def job_id(self) -> str:
        """The id that the job would have had."""
        return self.record.job_id

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments; records stand for themselves."""
        return self.record.args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments."""
        return self.record.kwargs

    def __str__(self) -> str:
        return call_text(self.record)

    def __repr__(self) -> str:
        return f"<{self} kept out by {self.holder}>"

    @property
    def holder(self) -> str:
        """The job that kept it out, as tables and messages name it."""
        if self.kept_out_by is None:
            return f"job {self.dropped_for[:8]}"
        return f"#{self.kept_out_by.sequence} {call_text(self.kept_out_by)}"


def kept_out_jobs(bridges: Iterable[Bridge], ledger: Ledger) -> Iterator[KeptOut]:
    """Yield the jobs that were kept out, in order, for the libraries that have locks."""
    for bridge in bridges:
        if "unique" in bridge.capabilities:
            for record, dropped_for in cast("HoldsLocks", bridge).kept_out():
                yield KeptOut(record, dropped_for, _first_record(ledger, bridge, dropped_for))
