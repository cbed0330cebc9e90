"""Read-only sequences of records, deliveries and callbacks, which print as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Generic, Literal, Self, TypeAlias, TypeVar, overload

from .commits.transactions import CommitCallback
from .ledger.ledger import Ledger
from .ledger.locks import KeptOut, Lock
from .records.delivery import Delivery, Status
from .records.record import FIRST, PENDING, RETRY, JobRecord, arguments_text, call_text
from .records.texts import duration, error_text, folding, instant, short_name, table

T = TypeVar("T")

_ITEMS_IN_A_LINE = 5


class View(Sequence[T], Generic[T]):
    """What there was when it was asked for."""

    __slots__ = ("_items", "_look", "_title")

    def __init__(self, title: str, items: Iterable[T], look: Callable[[T], None]) -> None:
        self._title = title
        self._items = tuple(items)
        self._look = look

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        """Return one, or a tuple of some."""
        if isinstance(index, slice):
            several = self._items[index]
            for item in several:
                self._look(item)
            return several
        one = self._items[index]
        self._look(one)
        return one

    def __iter__(self) -> Iterator[T]:
        """Go through them in order."""
        for item in self._items:
            self._look(item)
            yield item

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._items)

    def peek(self) -> tuple[T, ...]:
        """Return them all without noting that the test has seen them."""
        return self._items

    def __eq__(self, other: object) -> bool:
        """Compare with another sequence, item by item."""
        if isinstance(other, View):
            return self._items == other._items
        if isinstance(other, list | tuple):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    def __str__(self) -> str:
        return titled_table(self._title, self._items)

    def __repr__(self) -> str:
        return _in_one_line(self._title, self._items)


class Capture(Sequence[JobRecord]):
    """What was first-enqueued inside a `with jobs.capture()` block."""

    __slots__ = ("_end", "_ledger", "_start")

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._start = len(ledger.records)
        self._end: int | None = None

    def __enter__(self) -> Self:
        """Begin the window."""
        self._start = len(self._ledger.records)
        self._end = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the window."""
        self._end = len(self._ledger.records)

    @overload
    def __getitem__(self, index: int) -> JobRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[JobRecord]: ...
    def __getitem__(self, index: int | slice) -> JobRecord | Sequence[JobRecord]:
        """Return one, or some."""
        return self._view()[index]

    def __iter__(self) -> Iterator[JobRecord]:
        """Go through them in the order of enqueueing."""
        return iter(self._view())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._view())

    def peek(self) -> tuple[JobRecord, ...]:
        """Return them all without noting that the test has seen them."""
        return self._view().peek()

    def __eq__(self, other: object) -> bool:
        """Compare with another sequence, item by item, as a view does."""
        return self._view() == (other._view() if isinstance(other, Capture) else other)

    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    def __str__(self) -> str:
        return str(self._view())

    def __repr__(self) -> str:
        return repr(self._view())

    def _view(self) -> View[JobRecord]:
        inside = self._ledger.records[self._start : self._end]
        return View(
            "captured", (record for record in inside if record.origin is FIRST), look_at_record
        )


def _in_one_line(title: str, items: Sequence[object]) -> str:
    shown = ", ".join(_item_text(item) for item in items[:_ITEMS_IN_A_LINE])
    left = len(items) - _ITEMS_IN_A_LINE
    rest = f" and {left} more" if left > 0 else ""
    return f"<{title}: {shown or 'none'}{rest}>"


def _item_text(item: object) -> str:
    if isinstance(item, Delivery):
        return f"#{item.record.sequence} {call_text(item.record)} {item.status}"
    if isinstance(item, CommitCallback):
        return item.text
    return f"#{item.sequence} {call_text(item)}" if isinstance(item, JobRecord) else repr(item)


def is_blocked(record: JobRecord) -> bool:
    """Say whether a record waits for a place of its concurrency limit."""
    return record.state is PENDING and record.blocked_until_ns is not None


def look_at_nothing(item: object) -> None:
    """Note nothing: what was looked at is no record."""


def look_at_record(record: JobRecord) -> None:
    """Note that the test has seen a record."""
    record.seen = True


def look_at_delivery(delivery: Delivery) -> None:
    """Note that the test has seen the record of a delivery, and that it will be followed by another."""
    delivery.record.seen = True
    if delivery.next is not None:
        delivery.next.seen = True


def titled_table(title: str, items: Sequence[object]) -> str:
    """Return records, deliveries or callbacks as a table below a title; a long one is cut."""
    if not items:
        return f"{title}: none"
    shown = items[: folding().rows]
    text = table(_header(shown[0]), [_row(item) for item in shown])
    left = len(items) - len(shown)
    rest = f"\n... and {left} more" if left else ""
    return f"{title}: {len(items)}\n{text}{rest}"


def _header(item: object) -> tuple[str, ...]:
    if isinstance(item, Delivery):
        return _DELIVERY_HEADER
    if isinstance(item, CommitCallback):
        return _CALLBACK_HEADER
    if isinstance(item, KeptOut):
        return _KEPT_OUT_HEADER
    return _LOCK_HEADER if isinstance(item, Lock) else _RECORD_HEADER


def _row(item: object) -> tuple[str, ...]:
    if isinstance(item, Delivery):
        return _delivery_row(item)
    if isinstance(item, CommitCallback):
        return _callback_row(item)
    if isinstance(item, Lock):
        return _lock_row(item)
    if isinstance(item, KeptOut):
        return (str(item), item.holder)
    return _record_row(item) if isinstance(item, JobRecord) else ()


_RECORD_HEADER = ("#", "job", "arguments", "queue", "wait", "attempt", "state")
_CALLBACK_HEADER = ("callback", "using", "registered at", "state")
_LOCK_HEADER = ("lock", "key", "held by", "until")
_KEPT_OUT_HEADER = ("job", "kept out by")
_DELIVERY_HEADER = ("#", "job", "arguments", "attempt", "status", "at", "again in", "error")


def _record_row(record: JobRecord) -> tuple[str, ...]:
    return (
        str(record.sequence),
        short_name(record.name),
        arguments_text(record),
        record.queue or "-",
        "-" if record.wait is None else duration(record.wait),
        str(record.attempt),
        "blocked" if is_blocked(record) else record.state,
    )


def _lock_row(lock: Lock) -> tuple[str, ...]:
    name, colon, values = lock.key.partition(":[")
    holder = lock.job_id[:8] if lock.record is None else f"#{lock.record.sequence}"
    until = "-" if lock.expires_at is None else instant(lock.expires_at)
    return (lock.kind, f"{short_name(name)}{colon}{values}", holder, until)


def _callback_row(callback: CommitCallback) -> tuple[str, ...]:
    state = f"{callback.state} {callback.dropped}".rstrip()
    return (callback.text, callback.using, callback.registered_at or "-", state)


def _delivery_row(delivery: Delivery) -> tuple[str, ...]:
    record = delivery.record
    return (
        str(record.sequence),
        short_name(record.name),
        arguments_text(record),
        str(record.attempt),
        delivery.status,
        instant(delivery.at),
        "-" if delivery.wait is None else duration(delivery.wait),
        "-" if delivery.error is None else error_text(delivery.error),
    )


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
        rows = table(_HEADER, map(_event_row, self._items[:_ROWS_SHOWN]))
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
            if entry.origin is not RETRY:
                yield Event("enqueued" if entry.origin is FIRST else "redelivered", entry, None)


def _look_at(event: Event) -> None:
    if event.delivery is None:
        look_at_record(event.record)
    else:
        look_at_delivery(event.delivery)


def _event_row(event: Event) -> tuple[str, ...]:
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
