"""One call of an assertion, carried out: what it is about, where it looks, what it found, and waiting for more."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from ..errors import CriterionError, RunningLoopError
from ..harness.jobs import Jobs
from ..harness.ledger.ledger import Ledger
from ..harness.ledger.locks import KeptOut
from ..harness.records.delivery import ENDED_IN_FAILURE, STATUSES, Delivery, delivery_line
from ..harness.records.record import FIRST, REDELIVERY, JobRecord, record_line
from ..harness.records.targets import NONE_IS_NO_JOB, Target
from ..harness.time.waiting import in_running_loop
from ..harness.views import Capture, View, mark_delivery_seen, mark_record_seen
from .criteria import Criterion, WhereCriterion
from .question import (
    COUNTS,
    DELIVERED_CRITERIA,
    ENQUEUED_CRITERIA,
    Counts,
    Fields,
    check_names,
    parse_counts,
    parse_criteria,
    parse_timeout,
)

T = TypeVar("T")

#: Stands for all jobs. None does not: a variable that was never set must not ask about every job.
EVERY_JOB: Final = object()
#: How many candidates are compared to find the nearest.
COMPARED: Final = 10_000
#: Criteria that an assertion without a match cannot have.
_OF_MATCHES: Final = frozenset((*COUNTS, "timeout"))
#: Criteria that a record alone can answer, before it is delivered.
_OF_RECORDS: Final = frozenset(("args", "params", "queue", "priority", "attempt"))


class Subject(ABC, Fields[T], Generic[T]):
    """One kind of thing that assertions look for: enqueued records, or deliveries of certain statuses."""

    #: The participle in messages: enqueued, performed.
    outcome: str
    #: The names of the criteria that apply.
    known: frozenset[str]

    @abstractmethod
    def found(self, ledger: Ledger, target: Target | None) -> list[T]:
        """Return everything there is of one job, or of all jobs."""

    @abstractmethod
    def is_first(self, item: T, /) -> bool:
        """Say whether an item is what the application did, rather than a retry of it."""

    @abstractmethod
    def line(self, item: T, /) -> str:
        """Return an item in one line, for messages."""

    @abstractmethod
    def look(self, item: T, /) -> None:
        """Note that the test has seen an item, so that `--jobs-strict` does not report it."""


class Enqueued(Subject[JobRecord]):
    """Jobs that were enqueued."""

    outcome = "enqueued"
    known = ENQUEUED_CRITERIA

    def found(self, ledger: Ledger, target: Target | None) -> list[JobRecord]:
        if target is None:
            return [record for record in ledger.kept() if record.origin is not REDELIVERY]
        return [
            record
            for record in ledger.named(target.name)
            if record.origin is not REDELIVERY and target.is_job_of(record)
        ]

    def is_first(self, item: JobRecord, /) -> bool:
        return item.origin is FIRST

    def record_of(self, item: JobRecord, /) -> JobRecord:
        return item

    def at(self, item: JobRecord, /) -> datetime | None:
        return item.due_at

    def wait(self, item: JobRecord, /) -> timedelta | None:
        return item.wait

    def line(self, item: JobRecord, /) -> str:
        return record_line(item)

    def look(self, item: JobRecord, /) -> None:
        mark_record_seen(item)


class Delivered(Subject[Delivery]):
    """Deliveries of certain statuses."""

    def __init__(
        self, outcome: str, statuses: Iterable[str], known: frozenset[str] = DELIVERED_CRITERIA
    ) -> None:
        self.outcome = outcome
        self.known = known
        self._statuses = frozenset(statuses)

    def found(self, ledger: Ledger, target: Target | None) -> list[Delivery]:
        return [
            delivery
            for delivery in ledger.ended(self._statuses)
            if target is None or target.is_job_of(delivery.record)
        ]

    def is_first(self, item: Delivery, /) -> bool:
        return True

    def record_of(self, item: Delivery, /) -> JobRecord:
        return item.record

    def at(self, item: Delivery, /) -> datetime | None:
        return item.at

    def wait(self, item: Delivery, /) -> timedelta | None:
        return item.wait

    def line(self, item: Delivery, /) -> str:
        return delivery_line(item)

    def look(self, item: Delivery, /) -> None:
        mark_delivery_seen(item)


ENQUEUED: Final = Enqueued()
PERFORMED: Final = Delivered("performed", ("performed",))
RETRIED: Final = Delivered("retried", ("retried",))
DISCARDED: Final = Delivered("discarded", ("discarded",))
FAILED: Final = Delivered("failed", ENDED_IN_FAILURE)
DELIVERED: Final = Delivered("delivered", STATUSES, DELIVERED_CRITERIA | {"status"})


class Window(NamedTuple):
    """What `within` holds: records, and with a first enqueue its retries and redeliveries."""

    records: frozenset[int]
    jobs: frozenset[tuple[str, str]]

    def holds(self, record: JobRecord) -> bool:
        return id(record) in self.records or (
            record.origin is not FIRST and (record.bridge, record.job_id) in self.jobs
        )


def window_of(within: object) -> Window:
    """Return what `within` holds.

    Raises:
        CriterionError: when it holds something else than records and deliveries.
    """
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


def _check_one_job(job: object, assertion: str, *, negative: bool) -> None:
    """Raise for None, where every job may have been meant, and for several jobs at once."""
    if job is None and negative:
        raise CriterionError(
            f"{NONE_IS_NO_JOB} To ask about every job, write {assertion}() without a job."
        )
    if isinstance(job, list | tuple | set | frozenset):
        in_order = (
            ", or write assert_enqueued_in_order([...]) for all that was enqueued, in order"
            if assertion == "assert_enqueued"
            else ""
        )
        raise CriterionError(
            f"{assertion}() looks for one job and got a {type(job).__name__} of {len(job)}: call it once for each "
            f"job{in_order}."
        )


class Search(Generic[T]):
    """One call of an assertion: the question, and what there is."""

    def __init__(
        self,
        jobs: Jobs,
        subject: Subject[T],
        job: object,
        criteria: Mapping[str, Any],
        *,
        assertion: str,
        negative: bool = False,
    ) -> None:
        """Parse the call, and look.

        Args:
            jobs: the harness to look at.
            subject: what to look for.
            job: the job, or `EVERY_JOB`.
            criteria: the keywords of the call.
            assertion: its name, for messages.
            negative: whether no match is expected.

        Raises:
            CriterionError: when the call asks for something that can be true of no job.
        """
        known = subject.known - _OF_MATCHES if negative else subject.known
        self.jobs = jobs
        self.harness = jobs.harness
        self.subject = subject
        self.target: Target | None = None
        if job is not EVERY_JOB:
            _check_one_job(job, assertion, negative=negative)
            self.target = self.harness.targets.get(job)
        check_names(criteria, known, self.target, assertion)
        self.counts: Counts = parse_counts(criteria)
        #: How many seconds the assertion waits at most; None when it does not wait.
        self.timeout: float | None = parse_timeout(criteria)
        self.criteria: list[Criterion[T]] = parse_criteria(self.target, criteria, subject)
        within = criteria.get("within")
        self.window: Window | None = None if within is None else window_of(within)
        #: Everything of the job, inside the window and outside.
        self.of_job: list[T] = subject.found(self.harness.ledger, self.target)
        #: Everything of the job inside the window; retries only where `attempt` asks for them.
        self.candidates: list[T] = self.of_job
        if "attempt" not in criteria:
            self.candidates = [item for item in self.candidates if subject.is_first(item)]
        if self.window is not None:
            self.candidates = [item for item in self.candidates if self.is_inside(item)]
        #: The candidates that fulfil every criterion.
        self.matches: list[T] = self.candidates
        for criterion in self.criteria:
            self.matches = [item for item in self.matches if criterion.matches(item)]
        self._kept_out: list[KeptOut] | None = None

    @property
    def settled(self) -> bool:
        """Whether there are as many matches as asked for, or too many."""
        return len(self.matches) >= self.counts.least

    def enqueued(self) -> list[JobRecord]:
        """Return every record of the job inside the window, retries included."""
        ledger, target, window = self.harness.ledger, self.target, self.window
        return [
            record
            for record in (ledger.kept() if target is None else ledger.named(target.name))
            if (target is None or target.is_job_of(record))
            and (window is None or window.holds(record))
        ]

    def everything(self) -> list[T]:
        """Return everything of all jobs, inside the window and without retries."""
        return [
            item
            for item in self.subject.found(self.harness.ledger, None)
            if self.subject.is_first(item) and self.is_inside(item)
        ]

    def fulfils(self, item: T) -> bool:
        return all(criterion.matches(item) for criterion in self.criteria)

    def kept_out(self) -> list[KeptOut]:
        """Return what would match if no other job had kept it out. No window holds such jobs."""
        if self._kept_out is None:
            every = self.jobs.kept_out.peek() if self.window is None else ()
            self._kept_out = [job for job in every if self.would_match(job.record)]
        return self._kept_out

    def judge(self, item: T) -> list[tuple[Criterion[T], bool | None]]:
        """Return each criterion, and whether an item fulfils it; None for a `where` that is not asked."""
        judged: list[tuple[Criterion[T], bool | None]] = []
        for criterion in self.criteria:
            asked = not isinstance(criterion, WhereCriterion) or all(ok for _, ok in judged)
            judged.append((criterion, criterion.matches(item) if asked else None))
        return judged

    def would_match(self, record: JobRecord) -> bool:
        """Say whether this record, or a delivery of it, would match, as far as the record can say."""
        if self.target is None or not self.target.is_job_of(record):
            return False
        asked = [criterion for criterion in self.criteria if criterion.name in _OF_RECORDS]
        delivered = self.subject is not ENQUEUED
        imagined = cast(T, Delivery(record, 0, "performed") if delivered else record)
        return all(criterion.matches(imagined) for criterion in asked)

    def is_inside(self, item: T) -> bool:
        return self.window is None or self.window.holds(self.subject.record_of(item))

    def nearest(self) -> T:
        """Return the candidate that fulfils most criteria; among equals the one with the least to say.

        Only the last candidates are compared where there are very many: to explain one takes some 10
        microseconds, and a test looks for what its last steps enqueued.
        """

        def distance(item: T) -> tuple[int, int]:
            missed = [(criterion, ok) for criterion, ok in self.judge(item) if not ok]
            return len(missed), sum(len(c.explain(item)) for c, ok in missed if ok is not None)

        return min(self.candidates[-COMPARED:], key=distance)

    def look(self) -> None:
        """Note that the test has seen the matches."""
        for item in self.matches:
            self.subject.look(item)


# Waiting


def _check_waits(search: Search[T]) -> None:
    """Raise when the assertion holds already before anything is enqueued."""
    if search.counts.least == 0:
        raise CriterionError(
            "timeout= waits for jobs, and none are enough here: ask for at least one, or wait for another job and "
            "assert this afterwards."
        )


def wait_for(look: Callable[[], Search[T]], ledger: Ledger) -> Search[T]:
    """Look again whenever a job is enqueued, until the search is settled or its time is up.

    Raises:
        RunningLoopError: inside a running event loop, whose tasks would not go on meanwhile.
    """
    if in_running_loop():
        raise RunningLoopError(
            "assert_enqueued(timeout=...) was called inside a running event loop, which it would block, and with "
            "it the task that enqueues: write `await assert_enqueued.awaited(..., timeout=...)`."
        )
    begun = time.monotonic()
    news = threading.Event()
    with ledger.waking(news.set):
        search = look()
        deadline = begun + (search.timeout or 0)
        _check_waits(search)
        while not search.settled and news.wait(max(0, deadline - time.monotonic())):
            news.clear()
            search = look()
    return search


async def await_for(look: Callable[[], Search[T]], ledger: Ledger) -> Search[T]:
    """Wait for matches on the running event loop, whose other tasks go on."""
    import asyncio

    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    begun = loop.time()
    with ledger.waking(lambda: loop.call_soon_threadsafe(news.set)):
        search = look()
        deadline = begun + (search.timeout or 0)
        _check_waits(search)
        while not search.settled:
            try:
                async with asyncio.timeout_at(deadline):
                    await news.wait()
            except TimeoutError:
                break
            news.clear()
            search = look()
    return search
