"""Read-only sequences of records, deliveries and callbacks, which print as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Generic, Literal, Self, TypeAlias, TypeVar, overload

from ..errors import CriterionError, ForeignNameError, NoSuchItemError
from .commits.transactions import CommitCallback
from .ledger.chosen import Beginning
from .ledger.ledger import Ledger
from .ledger.locks import KeptOut, Lock
from .records.delivery import Delivery, Status
from .records.record import (
    FIRST,
    PENDING,
    RETRY,
    JobRecord,
    arguments_text,
    call_text,
    unknown_text,
)
from .records.texts import duration, error_text, folded, folding, instant, short_name, table

T = TypeVar("T")


class View(Sequence[T], Generic[T]):
    """The items at the moment when it was asked for. Reading an item notes that the test has seen it."""

    __slots__ = ("_items", "_mark_seen", "_title")

    def __init__(self, title: str, items: Iterable[T], mark_seen: Callable[[T], None]) -> None:
        self._title = title
        # The beginning of a list that only grows needs no copy, however many items it has.
        self._items: Sequence[T] = items if isinstance(items, Beginning) else tuple(items)
        self._mark_seen = mark_seen

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if isinstance(index, slice):
            several = tuple(self._items[index])
            for item in several:
                self._mark_seen(item)
            return several
        try:
            one = self._items[index]
        except IndexError:
            raise NoSuchItemError(self._without(index)) from None
        self._mark_seen(one)
        return one

    def _name(self) -> str:
        """Return how a test writes the view."""
        return "sent" if self._title == "captured" else f"jobs.{self._title.replace(' ', '_')}"

    def _without(self, index: int) -> str:
        """Return what to say where there is no item at an index."""
        view = self._name()
        if self._items:
            count = (
                "is only 1 item" if len(self._items) == 1 else f"are only {len(self._items)} items"
            )
            return f"{view}[{index}] does not exist: there {count}. print({view}) shows all."
        return f"{view}[{index}] does not exist: {view} is empty. {_WHY_EMPTY.get(self._title, '')}".rstrip()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            place = {"first": 0, "last": -1}.get(name)
            if place is None:
                text = f"{type(self).__name__!r} object has no attribute {name!r}"
                raise AttributeError(text, name=name, obj=self)
            view = self._name()
            raise ForeignNameError(f"{view} is a sequence without .{name}: write {view}[{place}].")

    def __iter__(self) -> Iterator[T]:
        for item in self._items:
            self._mark_seen(item)
            yield item

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item: object) -> bool:
        if isinstance(item, JobRecord | Delivery | CommitCallback | Lock | KeptOut):
            return super().__contains__(item)
        # Never False: `not in` would pass whatever the application does.
        view, name = self._name(), getattr(item, "__name__", None) or repr(item)
        instead = _INSTEAD.get(self._title, "print({view}), which shows its items")
        raise CriterionError(
            f"{name} is never in {view}, whose items say what happened to a job: "
            f"write {instead.format(job=name, view=view)}."
        )

    def peek(self) -> tuple[T, ...]:
        """Return all items without noting that the test has seen them."""
        return tuple(self._items)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, View):
            return self.peek() == other.peek()
        if isinstance(other, list | tuple):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    def __str__(self) -> str:
        return titled_table(self._title, self._items)

    def __repr__(self) -> str:
        shown = ", ".join(map(_item_text, self._items[:_ITEMS_IN_A_LINE]))
        left = len(self._items) - _ITEMS_IN_A_LINE
        rest = f" and {left} more" if left > 0 else ""
        return f"<{self._title}: {shown or 'none'}{rest}>"


_ITEMS_IN_A_LINE = 5
#: How to ask for a job, by the titles of the views.
_INSTEAD: Final = {
    **dict.fromkeys(("enqueued", "pending", "scheduled", "blocked"), "assert_enqueued({job})"),
    "captured": "assert_enqueued({job}, within={view})",
    "deliveries": "assert_performed({job})",
    **{
        ended: f"assert_{ended}({{job}})"
        for ended in ("performed", "retried", "discarded", "failed")
    },
    "dead": "assert_failed({job})",
}
#: Why a view may be empty, and where to look then.
_WHY_EMPTY: Final = {
    "enqueued": "Make sure that the code which enqueues the job ran before.",
    "pending": "Nothing waits to be performed; jobs.enqueued has every job, performed or not.",
    "scheduled": "No pending job is due later; jobs.pending has those that are due now too.",
    "blocked": "No pending job waits for a place of its limit; jobs.pending has the others.",
    "captured": "Nothing was enqueued inside the block; jobs.enqueued has what was enqueued outside.",
    "deliveries": "No job was performed; call jobs.drain() first.",
    "performed": "No job succeeded; call jobs.drain() first, or see in jobs.deliveries what became of it.",
    "retried": "No attempt failed and is followed by another; jobs.deliveries has every attempt.",
    "discarded": "No rule dropped a job; jobs.deliveries has every attempt, jobs.pending what is to come.",
    "failed": "No job ended in failure; jobs.deliveries has every attempt, jobs.pending what is to come.",
    "dead": "No job was given up; jobs.deliveries has every attempt, jobs.pending what is to come.",
    "waiting for commit": "Nothing waits for a commit; jobs.enqueued has what was enqueued.",
    "dropped by rollback": "No rollback dropped anything; jobs.waiting_for_commit has what waits.",
    "events": "Make sure that the code which enqueues the job ran before.",
}


def _item_text(item: object) -> str:
    if isinstance(item, Delivery):
        return f"#{item.record.sequence} {call_text(item.record)} {item.status}"
    if isinstance(item, CommitCallback):
        return item.text
    return f"#{item.sequence} {call_text(item)}" if isinstance(item, JobRecord) else repr(item)


class Capture(Sequence[JobRecord]):
    """The jobs that were first-enqueued inside a `with jobs.capture()` block."""

    __slots__ = ("_end", "_ledger", "_start", "entered")

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._start = len(ledger.records)
        self._end: int | None = None
        #: Whether its `with` block has begun, or it was read. One that is not entered begins where it was made.
        self.entered = False

    def __enter__(self) -> Self:
        self.entered = True
        self._start = len(self._ledger.records)
        self._end = None
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._end = len(self._ledger.records)

    @overload
    def __getitem__(self, index: int) -> JobRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[JobRecord]: ...
    def __getitem__(self, index: int | slice) -> JobRecord | Sequence[JobRecord]:
        return self._view()[index]

    def __iter__(self) -> Iterator[JobRecord]:
        return iter(self._view())

    def __len__(self) -> int:
        return len(self._view())

    def __contains__(self, item: object) -> bool:
        return item in self._view()

    def peek(self) -> tuple[JobRecord, ...]:
        """Return all records without noting that the test has seen them."""
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
        self.entered = True
        inside = self._ledger.records[self._start : self._end]
        first = (each for each in inside if each.origin is FIRST and each.rollback is None)
        return View("captured", first, mark_record_seen)


def mark_record_seen(record: JobRecord) -> None:
    record.seen = True


def mark_delivery_seen(delivery: Delivery) -> None:
    """Note that the test has seen the record of a delivery, and the next attempt that it asked for."""
    delivery.record.seen = True
    if delivery.next is not None:
        delivery.next.seen = True


def mark_nothing_seen(item: object) -> None:
    """Note nothing: the item is not a record."""


def is_blocked(record: JobRecord) -> bool:
    return record.state is PENDING and record.blocked_until_ns is not None


def titled_table(title: str, items: Sequence[object]) -> str:
    """Return items as a table below a title; a long one is cut."""
    if not items:
        return f"{title}: none"
    rows = [_row(item) for item in items[: folding().rows]]
    left = len(items) - len(rows)
    rest = f"\n... and {left} more" if left else ""
    return f"{title}: {len(items)}\n{table([*rows[0]], [[*row.values()] for row in rows])}{rest}"


def _row(item: object) -> dict[str, str]:
    """Return an item as the cells of its row, by the titles of the columns."""
    if isinstance(item, Delivery):
        record = item.record
        return {
            "#": str(record.sequence),
            "job": short_name(record.name),
            "arguments": arguments_text(record),
            "attempt": str(record.attempt),
            "status": item.status,
            "at": instant(item.at),
            "again in": "-" if item.wait is None else duration(item.wait),
            "error": "-" if item.error is None else error_text(item.error),
        }
    if isinstance(item, CommitCallback):
        return {
            "callback": item.text,
            "using": item.using,
            "registered at": item.registered_at or "-",
            "state": f"{item.state} {item.dropped}".rstrip(),
        }
    if isinstance(item, Lock):
        name, colon, values = item.key.partition(":[")
        return {
            "lock": item.kind,
            "key": f"{short_name(name)}{colon}{values}",
            "held by": item.job_id[:8] if item.record is None else f"#{item.record.sequence}",
            "until": instant(item.expires_at),
        }
    if isinstance(item, KeptOut):
        return {"job": str(item), "kept out by": item.holder}
    if isinstance(item, Event):
        error = None if item.delivery is None else item.delivery.error
        return {
            "#": str(item.record.sequence),
            "event": item.kind,
            "job": short_name(item.record.name),
            "arguments": arguments_text(item.record),
            "attempt": str(item.record.attempt),
            "error": "-" if error is None else error_text(error),
        }
    if isinstance(item, JobRecord):
        unknown = unknown_text(item)
        return {
            "#": str(item.sequence),
            "job": f"{short_name(item.name)} ({unknown})" if unknown else short_name(item.name),
            "arguments": arguments_text(item),
            "queue": item.queue or "-",
            "wait": "-" if item.wait is None else duration(item.wait),
            "attempt": str(item.attempt),
            "state": "blocked" if is_blocked(item) else item.state,
        }
    return {"item": repr(item)}


Kind: TypeAlias = Literal["enqueued", "redelivered", "removed", "started"] | Status

_EVENTS_SHOWN = 60


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Event:
    """One thing that happened to a job. Its text is that of `performed Pay(7)`."""

    #: What happened: `enqueued`, `started`, or the status of the delivery that ended.
    kind: Kind
    #: The record that it happened to.
    record: JobRecord
    #: The delivery that ended; None while there is none.
    delivery: Delivery | None = None

    @property
    def job(self) -> object:
        """The job class, function or task; its name when it is not known here."""
        return self.record.job

    def __str__(self) -> str:
        return f"{self.kind} {call_text(self.record)}"

    def __repr__(self) -> str:
        return f"<Event #{self.record.sequence} {self}>"


class Events(View[Event]):
    """Everything that happened in a test, in order, up to the moment when it was asked for."""

    __slots__ = ()

    def __init__(self, story: Iterable[JobRecord | Delivery | tuple[JobRecord]]) -> None:
        super().__init__("events", _events(story), _mark_event_seen)

    def __str__(self) -> str:
        with folded(replace(folding(), rows=_EVENTS_SHOWN)):
            return titled_table(self._title, self._items)


def _events(story: Iterable[JobRecord | Delivery | tuple[JobRecord]]) -> Iterator[Event]:
    """Return the events that a ledger wrote down; see `Ledger.events`."""
    added: set[int] = set()
    for entry in story:
        if isinstance(entry, Delivery):
            yield Event(entry.status, entry.record, entry)
        elif isinstance(entry, tuple):
            yield Event("removed", entry[0])
        elif entry.sequence in added:
            yield Event("started", entry)
        else:
            added.add(entry.sequence)
            # A retry has no event of its own: the delivery that asked for it is `retried`.
            if entry.origin is not RETRY:
                yield Event("enqueued" if entry.origin is FIRST else "redelivered", entry)


def _mark_event_seen(event: Event) -> None:
    if event.delivery is None:
        mark_record_seen(event.record)
    else:
        mark_delivery_seen(event.delivery)
