"""What the assertions are about: records, or deliveries that came to something."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..errors import CriterionError
from ..harness.jobs import Jobs
from ..harness.records.delivery import ENDED_IN_FAILURE, STATUSES, Delivery
from ..harness.records.record import FIRST, REDELIVERY, JobRecord
from ..harness.records.targets import Target
from ..harness.records.texts import delivery_line, record_line
from ..harness.views import Capture, View, look_at_delivery, look_at_record
from .criteria import Criterion
from .question import (
    DELIVERED_CRITERIA,
    ENQUEUED_CRITERIA,
    Fields,
    parse_criteria,
    parse_outcome,
    parse_where,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Subject(Generic[T]):
    """One kind of thing that assertions look for."""

    #: The participle in messages: enqueued, performed.
    outcome: str
    #: The names of the criteria that apply.
    known: frozenset[str]
    #: Returns everything there is, of all jobs.
    every: Callable[[Jobs], Iterable[T]]
    #: Returns everything there is of one job.
    of_job: Callable[[Jobs, Target], Iterable[T]]
    #: Returns the parsed criteria.
    parse: Callable[[Target | None, Mapping[str, Any]], list[Criterion[T]]]
    #: Returns the record of an item.
    record_of: Callable[[T], JobRecord]
    #: Returns an item in one line.
    line: Callable[[T], str]
    #: Notes that the test has seen an item.
    look: Callable[[T], None]
    #: Says whether an item is what the application did, rather than a retry of it.
    first: Callable[[T], bool]


@dataclass(frozen=True, slots=True)
class Window:
    """What `within` holds: records, and with a first enqueue its retries and redeliveries."""

    _records: frozenset[int]
    _jobs: frozenset[tuple[str, str]]

    def holds(self, record: JobRecord) -> bool:
        """Say whether a record lies inside."""
        return id(record) in self._records or (
            record._origin is not FIRST and (record.bridge, record.job_id) in self._jobs
        )


def window_of(within: object) -> Window | None:
    """Return what `within` holds; None when it was not given.

    Raises:
        CriterionError: when it holds something else than records and deliveries.
    """
    if within is None:
        return None
    items = within.peek() if isinstance(within, Capture | View) else within
    if not isinstance(items, Sequence) or not all(
        isinstance(item, JobRecord | Delivery) for item in items
    ):
        raise CriterionError(
            f"within={within!r} holds no records: pass what `with jobs.capture() as sent:` gave, or a sequence "
            "of records or deliveries."
        )
    records = [item if isinstance(item, JobRecord) else item.record for item in items]
    first = [item for item in items if isinstance(item, JobRecord) and item._origin is FIRST]
    return Window(
        frozenset(map(id, records)), frozenset((item.bridge, item.job_id) for item in first)
    )


_RECORD_FIELDS: Fields[JobRecord] = Fields(
    record_of=lambda record: record,
    at=lambda record: record.due_at,
    wait=lambda record: record.wait,
)
_DELIVERY_FIELDS: Fields[Delivery] = Fields(
    record_of=lambda delivery: delivery.record,
    at=lambda delivery: delivery.at,
    wait=lambda delivery: delivery.wait,
)


def _records_of(jobs: Jobs, target: Target) -> Iterable[JobRecord]:
    return (record for record in jobs.ledger.named(target.name) if target.is_job_of(record))


ENQUEUED: Subject[JobRecord] = Subject(
    outcome="enqueued",
    known=ENQUEUED_CRITERIA,
    every=lambda jobs: (
        record for record in jobs.ledger.records if record._origin is not REDELIVERY
    ),
    of_job=lambda jobs, target: (
        r for r in _records_of(jobs, target) if r._origin is not REDELIVERY
    ),
    parse=lambda target, criteria: [
        *parse_criteria(target, criteria, _RECORD_FIELDS),
        *parse_where(criteria),
    ],
    record_of=lambda record: record,
    line=record_line,
    look=look_at_record,
    first=lambda record: record._origin is FIRST,
)


def _delivered(
    outcome: str, statuses: frozenset[str], known: frozenset[str] = DELIVERED_CRITERIA
) -> Subject[Delivery]:
    def every(jobs: Jobs) -> Iterable[Delivery]:
        return (delivery for delivery in jobs.ledger.deliveries if delivery.status in statuses)

    def parse(target: Target | None, criteria: Mapping[str, Any]) -> list[Criterion[Delivery]]:
        return [
            *parse_criteria(target, criteria, _DELIVERY_FIELDS),
            *parse_outcome(criteria),
            *parse_where(criteria),
        ]

    return Subject(
        outcome=outcome,
        known=known,
        every=every,
        of_job=lambda jobs, target: (d for d in every(jobs) if target.is_job_of(d.record)),
        parse=parse,
        record_of=lambda delivery: delivery.record,
        line=delivery_line,
        look=look_at_delivery,
        first=lambda delivery: True,
    )


PERFORMED = _delivered("performed", frozenset(("performed",)))
RETRIED = _delivered("retried", frozenset(("retried",)))
DISCARDED = _delivered("discarded", frozenset(("discarded",)))
DELIVERED = _delivered("delivered", frozenset(STATUSES), DELIVERED_CRITERIA | {"status"})
FAILED = _delivered("failed", ENDED_IN_FAILURE)
