"""Makes plain values of what harnesses and checks show, while tests run."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import FunctionType
from typing import Any, Final

from ...bridges.toolkit import path_of
from ...harness.jobs import Jobs
from ...harness.open_harness import OpenHarness
from ...harness.records.delivery import Delivery, own_traceback
from ...harness.records.record import JobRecord, call_text
from ...harness.records.targets import Target
from ...harness.records.texts import error_text, short_name
from .session import (
    SeenCheck,
    SeenDelivery,
    SeenFiring,
    SeenJob,
    SeenRecord,
    SeenSession,
    SeenTest,
    SeenTimeline,
)

#: Bases of each error that say nothing about it.
_EVERY_ERROR = (BaseException, object)
#: How many frames of an error are written, the innermost ones.
_FRAMES: Final = 12


class Recorder:
    """Collects what is seen in a session. A harness is read when it closes, a check when it ends."""

    def __init__(self, *, with_arguments: bool = False) -> None:
        """Begin with an empty session.

        Args:
            with_arguments: whether arguments are written: that decodes them, and may ask a database.
        """
        self.session = SeenSession()
        self.with_arguments = with_arguments
        #: Makes the map of a check, for those who show it.
        self.draw: Callable[[Target, Sequence[Any]], dict[str, Any] | None] | None = None
        #: The tests whose outcome is not known yet: that of the test which runs.
        self._running: list[SeenTest] = []
        self._checks: list[SeenCheck] = []

    def opened(self, jobs: Jobs, nodeid: str) -> None:
        """Record what happens in a harness from now on."""
        test = SeenTest(nodeid)
        self.session.tests.append(test)
        if nodeid:
            self._running.append(test)
        harness = jobs.harness
        notes = _Notes(harness, self)
        harness.when_closing.append(lambda: self._closing(harness, test, notes))
        harness.when_simulated.append(lambda made: test.timelines.append(self._timeline(made)))

    def checked(self, target: Target, explorations: Sequence[Any]) -> None:
        """Record a check that has ended: that of the test which runs."""
        # A plain function is known by its path, as libraries know it that take functions.
        job = target.job
        name = path_of(job) if isinstance(job, FunctionType) else target.name
        is_handoff = any("dies" in exploration.known for exploration in explorations)
        drawn = self.draw and self.draw(target, explorations)
        seen = SeenCheck(seen_job(target.bridge, name, job), is_handoff, drawn)
        self._checks += [seen] if explorations else []

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

    def _closing(self, harness: OpenHarness, test: SeenTest, notes: _Notes) -> None:
        ledger, clock = harness.ledger, harness.clock
        if clock.frozen:
            test.froze_ns = clock.now_ns() - clock.travelled_ns
        elif clock.origin_ns is None:
            test.froze_ns = 0  # The test itself has the time.
        known: dict[tuple[str, str], SeenJob] = {}
        test.records += [self._record(record, known) for record in ledger.records]
        test.deliveries += [
            notes.added(_delivery(one, one.record.sequence), one) for one in ledger.deliveries
        ]
        test.firings += [
            SeenFiring(key, at_ns, [*records]) for key, at_ns, records in harness.recurring.firings
        ]

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


class _Notes:
    """What deliveries of a harness do not know themselves, noted while they happen."""

    def __init__(self, harness: OpenHarness, recorder: Recorder) -> None:
        #: By the record, while it is performed: how many records there were when it began.
        self._running: dict[JobRecord, int] = {}
        #: By the delivery: what is added to it.
        self._done: dict[Delivery, dict[str, Any]] = {}
        self._deliveries = harness.ledger.deliveries
        self._recorder = recorder
        harness.performer.when_begun.append(self._running.__setitem__)
        harness.performer.when_delivered.append(self._delivered)

    def added(self, seen: SeenDelivery, delivery: Delivery) -> SeenDelivery:
        return seen._replace(**self._done.get(delivery, {}))

    def _delivered(self, delivery: Delivery) -> None:
        known = self._running.pop(delivery.record, None)
        # Those of a sandbox are not kept.
        if known is None or self._deliveries[-1:] != [delivery]:
            return
        error = delivery.error if self._recorder.with_arguments else None
        self._done[delivery] = {
            "known": known,
            # Later its frames are gone.
            "traceback": ""
            if error is None
            else "".join(traceback.format_tb(own_traceback(error), -_FRAMES)).rstrip(),
        }


def _delivery(delivery: Delivery, record: int) -> SeenDelivery:
    error = delivery.error
    return SeenDelivery(
        record,
        delivery.status,
        delivery.at_ns,
        delivery.ended_ns,
        None if delivery.wait is None else delivery.wait // timedelta(microseconds=1) * 1_000,
        "" if error is None else error_text(error),
        []
        if error is None
        else [cls.__name__ for cls in type(error).__mro__ if cls not in _EVERY_ERROR],
        [*delivery.aftermath],
    )


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
