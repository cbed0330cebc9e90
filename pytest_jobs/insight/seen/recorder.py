"""Makes plain values of what harnesses and checks show, while tests run."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from datetime import timedelta
from time import perf_counter
from typing import Any, Protocol

from ...harness.jobs import Jobs
from ...harness.records.delivery import Delivery
from ...harness.records.record import JobRecord, call_text
from ...harness.records.texts import error_text, short_name
from .session import (
    SeenCheck,
    SeenDelivery,
    SeenFailure,
    SeenFiring,
    SeenJob,
    SeenPoint,
    SeenRecord,
    SeenSession,
    SeenTest,
    SeenTimeline,
)

#: Bases of each error that say nothing about it.
_EVERY_ERROR = (BaseException, object)


class Target(Protocol):
    """The job of a check; see `harness.records.targets`."""

    @property
    def name(self) -> str: ...
    @property
    def job(self) -> Any: ...
    @property
    def bridge(self) -> Any: ...


class Recorder:
    """Collects what is seen in a session. A harness is read when it closes, a check when it ends."""

    def __init__(self, *, with_arguments: bool = False) -> None:
        """Begin with an empty session.

        Args:
            with_arguments: whether arguments are written: that decodes them, and may ask a database.
        """
        self.session = SeenSession()
        self.with_arguments = with_arguments
        #: The tests whose outcome is not known yet: that of the test which runs.
        self._running: list[SeenTest] = []
        self._checks: list[SeenCheck] = []

    def opened(self, jobs: Jobs, nodeid: str) -> None:
        """Record what happens in a harness from now on."""
        test = SeenTest(nodeid)
        self.session.tests.append(test)
        if nodeid:
            self._running.append(test)
        began = _Beginnings(jobs)
        jobs.when_closing(lambda: self._closing(jobs, test, began))
        jobs.when_simulated(lambda deliveries: test.timelines.append(self._timeline(deliveries)))

    def checked(self, target: Target, explorations: Sequence[Any]) -> None:
        """Record a check that has ended: that of the test which runs."""
        job = seen_job(target.bridge, target.name, target.job)
        self._checks += [_check(job, exploration) for exploration in explorations]

    def ended(self, nodeid: str, outcome: str) -> None:
        """Record the outcome of a test, whose harnesses are closed."""
        if self._checks:
            test = next((one for one in self._running if one.nodeid == nodeid), None)
            if test is None:
                test = SeenTest(nodeid)
                self.session.tests.append(test)
                self._running.append(test)
            test.checks += self._checks
            self._checks = []
        for test in self._running:
            if test.nodeid == nodeid:
                test.outcome = outcome
        self._running.clear()

    def _closing(self, jobs: Jobs, test: SeenTest, began: _Beginnings) -> None:
        ledger = jobs.ledger
        known: dict[tuple[str, str], SeenJob] = {}
        test.records += [self._record(record, known) for record in ledger.records]
        test.deliveries += [
            began.added(_delivery(one, one.record.sequence), one) for one in ledger.deliveries
        ]
        test.firings += [SeenFiring(key, at_ns, [*records]) for key, at_ns, records in jobs.firings]

    def _record(self, record: JobRecord, known: dict[tuple[str, str], SeenJob]) -> SeenRecord:
        envelope = record.envelope
        key = (record.bridge, record.name)
        if key not in known:
            known[key] = _job_of(record)
        return SeenRecord(
            record.sequence,
            known[key],
            call_text(record) if self.with_arguments else short_name(record.name),
            record.queue,
            record.origin,
            record.attempt,
            envelope.enqueued_ns,
            envelope.due_ns,
            record.parent,
            record.retry_of,
            record.state,
            record.job_id,
        )

    def _timeline(self, deliveries: Sequence[Delivery]) -> SeenTimeline:
        record = deliveries[0].record
        return SeenTimeline(
            _job_of(record), [_delivery(one, one.record.attempt) for one in deliveries]
        )


class _Beginnings:
    """The beginnings of the deliveries of a harness: what a delivery itself does not know."""

    def __init__(self, jobs: Jobs) -> None:
        #: By the record, while it is performed: how many records there were, and the real time.
        self._running: dict[JobRecord, tuple[int, float]] = {}
        #: By the delivery: how many records there were, and how long it took in reality.
        self._done: dict[Delivery, tuple[int, float]] = {}
        self._deliveries = jobs.ledger.deliveries
        jobs.when_begun(self._begun)
        jobs.when_delivered(self._delivered)

    def added(self, seen: SeenDelivery, delivery: Delivery) -> SeenDelivery:
        known, seconds = self._done.get(delivery, (0, None))
        return seen._replace(known=known, seconds=seconds)

    def _begun(self, record: JobRecord, known: int) -> None:
        self._running[record] = known, perf_counter()

    def _delivered(self, delivery: Delivery) -> None:
        begun = self._running.pop(delivery.record, None)
        # Those of a sandbox are not kept.
        if begun is not None and self._deliveries[-1:] == [delivery]:
            self._done[delivery] = begun[0], round(perf_counter() - begun[1], 6)


def _delivery(delivery: Delivery, record: int) -> SeenDelivery:
    error, bounds = delivery.error, delivery.wait_bounds
    return SeenDelivery(
        record,
        delivery.status,
        delivery.at_ns,
        delivery.ended_ns,
        None if delivery.wait is None else _ns(delivery.wait),
        None if bounds is None else (_ns(bounds[0]), _ns(bounds[1])),
        "" if error is None else error_text(error),
        []
        if error is None
        else [cls.__name__ for cls in type(error).__mro__ if cls not in _EVERY_ERROR],
        [*delivery.aftermath],
        None if delivery.next is None else delivery.next.sequence,
        [one.sequence for one in delivery.enqueued],
    )


def _ns(delta: timedelta) -> int:
    return delta // timedelta(microseconds=1) * 1_000


def _job_of(record: JobRecord) -> SeenJob:
    try:
        job = record.job
    except Exception:  # Two jobs have the name, say, which is said when it is performed.
        return SeenJob(record.bridge, record.name)
    return seen_job(record.source, record.name, job)


def seen_job(bridge: Any, name: str, job: object) -> SeenJob:
    """Return a job with the place of its body, if there is one here."""
    try:
        code = inspect.unwrap(bridge.resolve(job)).__code__
    except Exception:
        # A job that is not known here has no body, and each bridge says so in its own way.
        return SeenJob(bridge.name, name)
    return SeenJob(bridge.name, name, code.co_filename, code.co_firstlineno)


def _check(job: SeenJob, exploration: Any) -> SeenCheck:
    rest = exploration.rest
    first = [] if exploration.failure is None else [exploration.failure]
    failures = first if rest is None else rest.failures
    points = _points(exploration.points)
    return SeenCheck(
        job,
        exploration.call,
        [*exploration.names],
        [*exploration.nothing_to_try],
        exploration.histories,
        exploration.planned,
        points,
        [_failure(failure, points) for failure in failures],
    )


def _points(points: Iterable[Any]) -> list[SeenPoint]:
    """Return the points; an effect has the line that made it."""
    found: list[SeenPoint] = []
    file, line = "", 0
    for point in points:
        if point.kind == "line":
            file, line = point.filename, point.line
        found.append(SeenPoint(point.kind, file, line, point.text))
    return found


def _failure(failure: Any, points: Sequence[SeenPoint]) -> SeenFailure:
    plan, verdict = failure.plan, failure.verdict
    index = plan.index
    return SeenFailure(
        plan.name,
        verdict.word,
        verdict.what,
        SeenPoint("", "", 0, "") if index is None else points[index],
    )
