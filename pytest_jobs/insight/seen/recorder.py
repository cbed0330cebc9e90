"""Makes plain values of what harnesses and checks show, while tests run, and the last assertion of each."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import cache
from types import CodeType, FrameType, FunctionType
from typing import Any, Final

from ...harness.jobs import Jobs
from ...harness.open_harness import OpenHarness
from ...harness.records.delivery import Delivery, own_traceback
from ...harness.records.home import is_of_project
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
        #: The code of the test that runs, and the line of its last assertion; None before and after it.
        self._test: tuple[CodeType | None, int] | None = None
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
        job = seen_job(target.bridge, target.name, target.job)
        checks = [_check(job, exploration) for exploration in explorations]
        drawn = self.draw and self.draw(target, explorations)
        self._checks += [checks[0]._replace(map=drawn), *checks[1:]] if checks else []

    def begins(self, function: Callable[..., Any] | None) -> None:
        """Note which test begins; None when its body has ended, or where it is no function."""
        if function is None:
            self._test = None
        else:
            body: Callable[..., Any] = inspect.unwrap(getattr(function, "__func__", function))
            self._test = getattr(body, "__code__", None), last_assertion(body)

    def is_followed(self) -> bool:
        """Say whether an assertion of the test may follow what has just happened."""
        if self._test is None:
            return False
        code, last = self._test
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code is code:
                return frame.f_lineno <= last
            frame = frame.f_back
        # In a fixture, or in another thread, nobody knows how far the test has come.
        return last > 0

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
        notes.close()
        known: dict[tuple[str, str], SeenJob] = {}
        test.records += [
            self._record(record, known)._replace(file=file, line=line)
            for record in ledger.records
            for file, line in [notes.places.get(record.sequence, ("", 0))]
        ]
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
    """What records and deliveries of a harness do not know themselves, noted while it happens."""

    def __init__(self, harness: OpenHarness, recorder: Recorder) -> None:
        #: By the record, while it is performed: how many records there were when it began.
        self._running: dict[JobRecord, int] = {}
        #: By the delivery: what is added to it.
        self._done: dict[Delivery, dict[str, Any]] = {}
        #: By the sequence of a record: the file and the line that enqueued it.
        self.places: dict[int, tuple[str, int]] = {}
        self._records, self._deliveries = harness.ledger.records, harness.ledger.deliveries
        self._recorder = recorder
        harness.performer.when_begun.append(self._running.__setitem__)
        harness.performer.when_delivered.append(self._delivered)
        listening = ExitStack()
        listening.enter_context(harness.ledger.waking(self._enqueued))
        self.close = listening.close

    def added(self, seen: SeenDelivery, delivery: Delivery) -> SeenDelivery:
        return seen._replace(**self._done.get(delivery, {}))

    def _enqueued(self) -> None:
        frame = sys._getframe(1)
        while frame.f_back is not None and not is_of_project(frame.f_code.co_filename):
            frame = frame.f_back
        if is_of_project(frame.f_code.co_filename):
            self.places[len(self._records) - 1] = frame.f_code.co_filename, frame.f_lineno

    def _delivered(self, delivery: Delivery) -> None:
        known = self._running.pop(delivery.record, None)
        # Those of a sandbox are not kept.
        if known is None or self._deliveries[-1:] != [delivery]:
            return
        error = delivery.error if self._recorder.with_arguments else None
        self._done[delivery] = {
            "known": known,
            "asserted": self._recorder.is_followed(),
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


def _check(job: SeenJob, exploration: Any) -> SeenCheck:
    failure = exploration.failure
    return SeenCheck(
        job,
        [name for name in exploration.names if name not in exploration.nothing_to_try],
        exploration.histories >= exploration.planned and not exploration.inconclusive,
        len(exploration.points),
        "" if failure is None else failure.verdict.word,
    )


#: How many functions of the project may lie between a test and its assertion.
_DEPTH: Final = 3
#: Calls that fail when something is not as it should be, beside those whose name begins with `assert`.
_FAILING: Final = ("raises", "warns", "fail", "check_idempotent")
_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While)


def last_assertion(test: Callable[..., Any]) -> int:
    """Return the last line of a test at which an assertion may follow what has happened; 0 if it has none.

    An assertion of a helper counts where the test calls the helper by its name.
    """
    return _last_in(test, _DEPTH)


@cache
def _last_in(function: Any, depth: int) -> int:
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return 0
    found = _last(tree, function, depth)
    return found and found + first - 1


def _last(node: ast.AST, function: Any, depth: int) -> int:
    found = max((_last(one, function, depth) for one in ast.iter_child_nodes(node)), default=0)
    if isinstance(node, ast.Assert) or (
        isinstance(node, ast.Call) and _asserts(node.func, function, depth)
    ):
        return node.end_lineno or node.lineno
    # What a loop asserts follows what it did before; `with raises(...)` asserts when its block ends.
    is_around = isinstance(node, _LOOPS) and found
    if isinstance(node, ast.With | ast.AsyncWith):
        is_around = any(_last(one, function, depth) for one in node.items)
    return (node.end_lineno or 0) if is_around and isinstance(node, ast.stmt) else found


def _asserts(called: ast.expr, function: Any, depth: int) -> bool:
    """Say whether a call asserts: by its name, or in the body of a function of the project."""
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    if name.lstrip("_").startswith("assert") or name in _FAILING:
        return True
    # A method of the test's own class is looked for where the class was defined.
    names = getattr(function, "__globals__", {})
    owner = names.get(function.__qualname__.partition(".")[0])
    is_method = isinstance(called, ast.Attribute) and getattr(called.value, "id", "") == "self"
    helper = getattr(owner, name, None) if is_method else names.get(name)
    return depth > 0 and isinstance(helper, FunctionType) and _last_in(helper, depth - 1) > 0
