"""A job that was not enqueued, since another had its lock or the last place of its limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from .bridge import Bridge, HoldsLocks
from .describe import call_text
from .ledger import Ledger
from .locks import first_record
from .record import JobRecord


class KeptOut:
    """What a job would have been, and which one kept it out: read-only."""

    __slots__ = ("_by", "_dropped_for", "_record")

    def __init__(self, record: JobRecord, dropped_for: str, by: JobRecord | None) -> None:
        self._record = record
        self._dropped_for = dropped_for
        self._by = by

    @property
    def job(self) -> object:
        """The job class, function or task."""
        return self._record.job

    @property
    def job_id(self) -> str:
        """The id that it would have had."""
        return self._record.job_id

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments; records stand for themselves."""
        return self._record.args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments."""
        return self._record.kwargs

    @property
    def dropped_for(self) -> str:
        """The id of the job that kept it out."""
        return self._dropped_for

    @property
    def kept_out_by(self) -> JobRecord | None:
        """The first record of that job; None when this harness never saw it."""
        return self._by

    def __str__(self) -> str:
        return call_text(self._record)

    def __repr__(self) -> str:
        return f"<{self} kept out by {self.holder}>"

    @property
    def holder(self) -> str:
        """That job in tables and messages."""
        if self._by is None:
            return f"job {self._dropped_for[:8]}"
        return f"#{self._by.sequence} {call_text(self._by)}"


def kept_out_jobs(bridges: Sequence[Bridge], ledger: Ledger) -> Iterator[KeptOut]:
    """Give what was kept out, of the libraries that do so, in order."""
    for bridge in bridges:
        if "unique" in bridge.capabilities:
            for record, dropped_for in cast("HoldsLocks", bridge).kept_out():
                yield KeptOut(record, dropped_for, first_record(ledger, bridge, dropped_for))
