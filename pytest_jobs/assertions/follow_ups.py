"""Jobs that come when another has been performed: the steps of a chain, callbacks, the body of a chord."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from ..harness.records.record import PENDING, JobRecord
from ..harness.records.texts import call_text, delivery_line, short_name
from . import messages
from .search import Search

T = TypeVar("T")


def follow_up_hints(search: Search[T]) -> Iterator[str]:
    """Say upon what the job follows, where that has not succeeded."""
    if search.target is None:
        return
    job = short_name(search.target.name)
    for record in pending_before(search):
        yield messages.hint_follows(job, f"#{record.sequence} {call_text(record)}")
    for delivery in search.jobs.ledger.deliveries:
        ended_badly = delivery.status != "performed" and delivery.next is None
        if ended_badly and _is_before(search, delivery.record):
            yield messages.hint_never_follows(job, delivery_line(delivery))


def pending_before(search: Search[T]) -> list[JobRecord]:
    """Return the pending records upon whose success the job follows."""
    every = search.jobs.ledger.records
    return [record for record in every if record._state is PENDING and _is_before(search, record)]


def _is_before(search: Search[T], record: JobRecord) -> bool:
    target = search.target
    return (
        target is not None
        and record._bridge.name == target.bridge.name
        and target.name in record._bridge.follow_ups(record)
    )
