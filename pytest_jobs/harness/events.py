"""What happened in a test, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from .delivery import Delivery, Status
from .describe import arguments_text, call_text, error_text, short_name, table
from .record import FIRST, RETRY, JobRecord
from .views import View, look_at_delivery, look_at_record

Kind: TypeAlias = Literal["enqueued", "redelivered", "removed", "started"] | Status

_ROWS_SHOWN = 60
_HEADER = ("#", "event", "job", "arguments", "attempt", "error")


class Event:
    """One thing that happened to a job. Its text is that of `performed Pay(7)`."""

    __slots__ = ("_delivery", "_kind", "_record")

    def __init__(self, kind: Kind, record: JobRecord, delivery: Delivery | None) -> None:
        self._kind: Kind = kind
        self._record = record
        self._delivery = delivery

    @property
    def kind(self) -> Kind:
        """What happened: `enqueued`, `started`, or the status of the delivery that ended."""
        return self._kind

    @property
    def record(self) -> JobRecord:
        """The record that it happened to."""
        return self._record

    @property
    def delivery(self) -> Delivery | None:
        """The delivery that ended; None while there is none."""
        return self._delivery

    @property
    def job(self) -> object:
        """The job class, function or task; its name when it is not known here."""
        return self._record.job

    def __str__(self) -> str:
        return f"{self._kind} {call_text(self._record)}"

    def __repr__(self) -> str:
        return f"<Event #{self._record.sequence} {self}>"


class Events(View[Event]):
    """What happened in a test, in order, as it was when it was asked for."""

    __slots__ = ()

    def __init__(self, story: Iterable[JobRecord | Delivery | tuple[JobRecord]]) -> None:
        super().__init__("events", _told(story), _look_at)

    def __str__(self) -> str:
        if not self._items:
            return f"{self._title}: none"
        rows = table(_HEADER, map(_row, self._items[:_ROWS_SHOWN]))
        left = len(self._items) - _ROWS_SHOWN
        rest = f"\n... and {left} more" if left > 0 else ""
        return f"{self._title}: {len(self._items)}\n{rows}{rest}"


def _told(story: Iterable[JobRecord | Delivery | tuple[JobRecord]]) -> Iterator[Event]:
    """Go through what a ledger wrote down."""
    added: set[int] = set()
    for entry in story:
        if isinstance(entry, Delivery):
            yield Event(entry.status, entry.record, entry)
        elif isinstance(entry, tuple):
            yield Event("removed", entry[0], None)
        elif entry.sequence in added:
            yield Event("started", entry, None)
        else:
            added.add(entry.sequence)
            # A retry is told of by the delivery that asked for it.
            if entry._origin is not RETRY:
                yield Event("enqueued" if entry._origin is FIRST else "redelivered", entry, None)


def _look_at(event: Event) -> None:
    if event.delivery is None:
        look_at_record(event.record)
    else:
        look_at_delivery(event.delivery)


def _row(event: Event) -> tuple[str, ...]:
    record = event.record
    error = None if event.delivery is None else event.delivery.error
    return (
        str(record.sequence),
        event.kind,
        short_name(record.name),
        arguments_text(record),
        str(record.attempt),
        "-" if error is None else error_text(error),
    )
