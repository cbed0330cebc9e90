"""Finding what an assertion asks for, and the nearest miss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from ..harness.jobs import Jobs
from ..harness.ledger.locks import KeptOut
from ..harness.records.delivery import Delivery
from ..harness.records.record import JobRecord
from ..harness.records.targets import Target
from .criteria import Criterion, WhereCriterion
from .question import Counts, check_names, parse_counts
from .subjects import ENQUEUED, Subject, Window, window_of
from .waiting import parse_timeout

T = TypeVar("T")

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
