"""What most likely went wrong when an assertion about jobs failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from ..harness.records.record import PENDING, REDELIVERY, JobRecord
from ..harness.records.texts import call_text, delivery_line, duration, folding, short_name
from . import messages
from .commits import commit_hints
from .follow_ups import follow_up_hints
from .search import Search
from .subjects import ENQUEUED

T = TypeVar("T")


def hints(search: Search[T]) -> list[str]:
    """Return the likely slips behind a search that found too little."""
    found = [*commit_hints(search), *kept_out(search), *outside_window(search), *retries(search)]
    if not search.candidates:
        found += [*follow_up_hints(search), *subclasses(search)]
    if search.subject is not ENQUEUED:
        found += _not_delivered(search)
        if not found and not search.enqueued():
            inside = search.window is not None
            found.append(messages.hint_never_enqueued(job_name(search), inside=inside))
    return found[: folding().hints]


def telling_apart(search: Search[T]) -> list[str]:
    """Say in what several matches differ, so that a criterion can be added."""
    records = [search.subject.record_of(item) for item in search.matches]
    getters: dict[str, Callable[[JobRecord], str]] = {
        "args": call_text,
        "queue": lambda record: repr(record.queue),
        "priority": lambda record: repr(record.priority),
        "wait": lambda record: repr(record.wait),
        "attempt": lambda record: repr(record.attempt),
    }
    differing = [
        name for name, get in getters.items() if len({get(record) for record in records}) > 1
    ]
    if differing:
        return [messages.hint_telling_apart(", ".join(differing))]
    return [messages.hint_alike(search.subject.outcome)] if len(records) > 1 else []


def kept_out(search: Search[T]) -> Iterator[str]:
    """Return what would match if no other job had kept it out."""
    if search.kept_out():
        first, *others = search.kept_out()
        yield messages.hint_kept_out(str(first), first.holder, len(others))


def outside_window(search: Search[T]) -> Iterator[str]:
    """Return what would match if it lay inside `within`."""
    for item in search.of_job():
        if not search.is_inside(item) and search.subject.first(item) and search.fulfils(item):
            yield messages.hint_outside_window(_item(search, item))


def retries(search: Search[T]) -> Iterator[str]:
    """Return the retries that would match if they were asked for."""
    for item in search.of_job():
        if search.is_inside(item) and not search.subject.first(item) and search.fulfils(item):
            yield messages.hint_retry(_item(search, item), search.subject.record_of(item).attempt)


def subclasses(search: Search[T]) -> Iterator[str]:
    """Return jobs of classes derived from the one that is named."""
    target = search.target
    job = None if target is None else target.job
    if not isinstance(job, type):
        return
    told: set[type] = set()
    for item in search.everything():
        other = search.subject.record_of(item).job
        if not isinstance(other, type) or other is job or other in told:
            continue
        if issubclass(other, job):
            told.add(other)
            yield messages.hint_subclass(
                _item(search, item), other.__qualname__.rpartition("<locals>.")[2], job.__name__
            )


def _not_delivered(search: Search[T]) -> Iterator[str]:
    """Say what became of the records that would match, had they come to what was expected."""
    if search.target is None:
        return
    delivered = {delivery.record.sequence: delivery for delivery in search.jobs.ledger.deliveries}
    counted = {search.subject.record_of(item).job_id for item in search.candidates}
    for record in search.enqueued():
        if (
            record.job_id in counted
            or record._origin is REDELIVERY
            or not search.would_match(record)
        ):
            continue
        if record.sequence in delivered:
            yield messages.hint_other_outcome(delivery_line(delivered[record.sequence]))
        elif record._state is PENDING:
            yield _pending(search, record)


def _pending(search: Search[T], record: JobRecord) -> str:
    item = f"#{record.sequence} {call_text(record)}"
    now = search.jobs.clock.now()
    if record.due_at is None or record.due_at <= now:
        return messages.hint_pending(item)
    seconds = (record.due_at - now).total_seconds()
    return messages.hint_scheduled(item, duration(round(seconds) if seconds >= 1 else seconds))


def _item(search: Search[T], item: T) -> str:
    record = search.subject.record_of(item)
    return f"#{record.sequence} {call_text(record)}"


def job_name(search: Search[T]) -> str:
    """Return the job in messages."""
    return "job" if search.target is None else short_name(search.target.name)
