"""Finding what an assertion asks for, and the nearest miss."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ..errors import CriterionError, RunningLoopError
from ..harness.jobs import Jobs
from ..harness.ledger.locks import KeptOut
from ..harness.records.delivery import ENDED_IN_FAILURE, STATUSES, Delivery, delivery_line
from ..harness.records.record import FIRST, REDELIVERY, JobRecord, record_line
from ..harness.records.targets import Target
from ..harness.time.waiting import in_running_loop
from ..harness.views import Capture, View, mark_delivery_seen, mark_record_seen
from .criteria import Criterion, WhereCriterion
from .question import (
    DELIVERED_CRITERIA,
    ENQUEUED_CRITERIA,
    Counts,
    Fields,
    check_names,
    parse_counts,
    parse_criteria,
    parse_outcome,
    parse_where,
)

if TYPE_CHECKING:
    from ..harness.ledger.ledger import Ledger


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
            record.origin is not FIRST and (record.bridge, record.job_id) in self._jobs
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
    first = [item for item in items if isinstance(item, JobRecord) and item.origin is FIRST]
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
        record for record in jobs.ledger.records if record.origin is not REDELIVERY
    ),
    of_job=lambda jobs, target: (
        r for r in _records_of(jobs, target) if r.origin is not REDELIVERY
    ),
    parse=lambda target, criteria: [
        *parse_criteria(target, criteria, _RECORD_FIELDS),
        *parse_where(criteria),
    ],
    record_of=lambda record: record,
    line=record_line,
    look=mark_record_seen,
    first=lambda record: record.origin is FIRST,
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
        look=mark_delivery_seen,
        first=lambda delivery: True,
    )


PERFORMED = _delivered("performed", frozenset(("performed",)))
RETRIED = _delivered("retried", frozenset(("retried",)))
DISCARDED = _delivered("discarded", frozenset(("discarded",)))
DELIVERED = _delivered("delivered", frozenset(STATUSES), DELIVERED_CRITERIA | {"status"})
FAILED = _delivered("failed", ENDED_IN_FAILURE)


def parse_timeout(criteria: Mapping[str, Any]) -> float | None:
    """Return how many seconds an assertion waits at most; None when it does not wait.

    Raises:
        CriterionError: when it is no duration above 0.
    """
    timeout = criteria.get("timeout")
    if isinstance(timeout, timedelta):
        timeout = timeout.total_seconds()
    if timeout is None or (type(timeout) in (int, float) and 0 < timeout <= threading.TIMEOUT_MAX):
        return timeout
    raise CriterionError(
        f"timeout={criteria['timeout']!r} is no time to wait: write seconds above 0, or a timedelta."
    )


def check_waits(search: Search[T]) -> None:
    """Raise when what is asked holds already before anything is enqueued.

    Raises:
        CriterionError: says to wait for something first.
    """
    if search.counts.least == 0:
        raise CriterionError(
            "timeout= waits for jobs, and none are enough here: ask for at least one, or wait for another job and "
            "assert this afterwards."
        )


def wait_for(look: Callable[[], Search[T]], ledger: Ledger, seconds: float) -> Search[T]:
    """Look again whenever a job is enqueued, until it is settled or the time is up.

    Raises:
        RunningLoopError: inside a running event loop, whose tasks would not go on meanwhile.
    """
    if in_running_loop():
        raise RunningLoopError(
            "assert_enqueued(timeout=...) was called inside a running event loop, which it would block, and with "
            "it the task that enqueues: write `await assert_enqueued.awaited(..., timeout=...)`."
        )
    deadline = time.monotonic() + seconds
    news = threading.Event()
    with ledger.waking(news.set):
        search = look()
        check_waits(search)
        while not search.settled and news.wait(max(0, deadline - time.monotonic())):
            news.clear()
            search = look()
    return search


async def await_for(look: Callable[[], Search[T]], ledger: Ledger, seconds: float) -> Search[T]:
    """Do the same on the running event loop, whose other tasks go on."""
    import asyncio

    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    deadline = loop.time() + seconds
    with ledger.waking(lambda: loop.call_soon_threadsafe(news.set)):
        search = look()
        check_waits(search)
        while not search.settled:
            try:
                async with asyncio.timeout_at(deadline):
                    await news.wait()
            except TimeoutError:
                break
            news.clear()
            search = look()
    return search


_FOR_WHAT_IS_THERE = frozenset(("count", "at_least", "at_most", "timeout"))
_TOLD_BY_RECORD = frozenset(("args", "params", "queue", "priority", "attempt"))


class Search(Generic[T]):
    """One call of an assertion: what is asked, and what there is."""

    __slots__ = (
        "_kept_out",
        "candidates",
        "counts",
        "criteria",
        "jobs",
        "matches",
        "subject",
        "target",
        "timeout",
        "window",
    )

    def __init__(
        self,
        jobs: Jobs,
        subject: Subject[T],
        job: object | None,
        criteria: Mapping[str, Any],
        *,
        assertion: str,
        negative: bool = False,
    ) -> None:
        """Parse the call, and look.

        Raises:
            CriterionError: when the call asks for something that can be true of no job.
        """
        known = subject.known - _FOR_WHAT_IS_THERE if negative else subject.known
        self.jobs = jobs
        self.subject = subject
        self.target: Target | None = None if job is None else jobs.targets.get(job)
        check_names(criteria, known, self.target, assertion)
        self.counts: Counts = parse_counts(criteria)
        #: How many seconds the assertion waits at most; None when it does not wait.
        self.timeout: float | None = parse_timeout(criteria)
        self.criteria: list[Criterion[T]] = subject.parse(self.target, criteria)
        self.window: Window | None = window_of(criteria.get("within"))
        retries_count = "attempt" in criteria
        #: What is of the job and inside the window.
        self.candidates: list[T] = [
            item
            for item in self.of_job()
            if (retries_count or subject.first(item))
            and (self.window is None or self.is_inside(item))
        ]
        #: What fulfils every criterion.
        self.matches: list[T] = self.candidates
        for criterion in self.criteria:
            self.matches = [item for item in self.matches if criterion.matches(item)]
        self._kept_out: list[KeptOut] | None = None

    @property
    def settled(self) -> bool:
        """Whether there are as many matches as asked for, or too many."""
        return len(self.matches) >= self.counts.least

    def of_job(self) -> Sequence[T]:
        """Return everything of the job, wherever it lies."""
        if self.target is None:
            return list(self.subject.every(self.jobs))
        return list(self.subject.of_job(self.jobs, self.target))

    def enqueued(self) -> list[JobRecord]:
        """Return every record of the job inside the window, retries included."""
        ledger, target, window = self.jobs.ledger, self.target, self.window
        return [
            record
            for record in (ledger.records if target is None else ledger.named(target.name))
            if (target is None or target.is_job_of(record))
            and (window is None or window.holds(record))
        ]

    def everything(self) -> list[T]:
        """Return everything of any job that counts here."""
        return [
            item
            for item in self.subject.every(self.jobs)
            if self.subject.first(item) and self.is_inside(item)
        ]

    def fulfils(self, item: T) -> bool:
        """Say whether an item fulfils every criterion."""
        return all(criterion.matches(item) for criterion in self.criteria)

    def kept_out(self) -> list[KeptOut]:
        """Return what would match if no other job had kept it out; a window holds none of it."""
        if self._kept_out is None:
            every = self.jobs.kept_out.peek() if self.window is None else ()
            self._kept_out = [job for job in every if self.would_match(job._record)]
        return self._kept_out

    def judge(self, item: T) -> list[tuple[Criterion[T], bool | None]]:
        """Say of each criterion whether an item fulfils it; None for a `where` that is not asked."""
        judged: list[tuple[Criterion[T], bool | None]] = []
        for criterion in self.criteria:
            asked = not isinstance(criterion, WhereCriterion) or all(ok for _, ok in judged)
            judged.append((criterion, criterion.matches(item) if asked else None))
        return judged

    def would_match(self, record: JobRecord) -> bool:
        """Say whether this record, or a delivery of it, would match, as far as the record tells."""
        if self.target is None or not self.target.is_job_of(record):
            return False
        told = [criterion for criterion in self.criteria if criterion.name in _TOLD_BY_RECORD]
        delivered = self.subject is not ENQUEUED
        imagined = cast(T, Delivery(record, 0, "performed") if delivered else record)
        return all(criterion.matches(imagined) for criterion in told)

    def is_inside(self, item: T) -> bool:
        """Say whether an item lies inside the window."""
        return self.window is None or self.window.holds(self.subject.record_of(item))

    def nearest(self) -> T:
        """Return the candidate that fulfils most criteria; among equals the one with the least to say."""

        def distance(item: T) -> tuple[int, int]:
            missed = [(criterion, ok) for criterion, ok in self.judge(item) if not ok]
            return len(missed), sum(len(c.explain(item)) for c, ok in missed if ok is not None)

        return min(self.candidates, key=distance)

    def look(self) -> None:
        """Note that the test has seen the matches."""
        for item in self.matches:
            self.subject.look(item)
