"""Killing one delivery of a test at one of its points, and delivering the job again."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import sqlite3
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from sqlite3 import dbapi2
from typing import Any, ParamSpec, TypeVar
from weakref import WeakSet

from ...errors import JobsError
from ...harness.ledger.ledger import Ledger
from ...harness.records.delivery import Delivery
from ...harness.records.patches import Patches
from ...harness.records.record import FIRST, JobRecord, call_text, current_record
from ...harness.running.performer import Performer, RealBody
from ..effects.audit import audit_hook
from ..engine.acts import Act, watcher
from ..engine.lines import line_tracer
from ..engine.points import Point
from ..engine.sources import Sources
from ..engine.unwinding import InContext
from .scope import LiveScope, LiveScopes
from .watching import Killed, LiveBody, LiveWatch


class LiveEffects:
    """Hears of effects while a test runs, and knows the database connections that were opened in it."""

    def __init__(self) -> None:
        self._connections: WeakSet[Any] = WeakSet()

    @contextmanager
    def heard(self) -> Generator[None, None, None]:
        """Hear of effects for a block."""
        patches = Patches()
        Sources(patches).catch_up()
        connect = functools.partial(self._connect, sqlite3.connect)
        patches.set(sqlite3, "connect", connect)
        patches.set(dbapi2, "connect", connect)
        audit_hook.install()
        try:
            yield
        finally:
            patches.restore()

    def roll_back(self) -> Callable[[], None]:
        """Return what ends, as a database does for a worker that died, the transactions begun from now on."""
        before = {id(connection) for connection in self._in_transaction()}

        def roll_back() -> None:
            for connection in self._in_transaction():
                # It may belong to another thread.
                with contextlib.suppress(sqlite3.Error):
                    if id(connection) not in before:
                        connection.rollback()

        return roll_back

    def _in_transaction(self) -> Iterator[Any]:
        for connection in list(self._connections):
            # What is closed tells nothing.
            with contextlib.suppress(sqlite3.ProgrammingError):
                if connection.in_transaction:
                    yield connection

    def _connect(self, heard: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        connection = heard(*args, **kwargs)
        self._connections.add(connection)
        # An exploration lets nobody wait for a lock; here deliveries come one after the other, and wait as ever.
        seconds = args[1] if len(args) > 1 else kwargs.get("timeout", 5.0)
        sqlite3.Cursor(connection).execute(f"pragma busy_timeout = {int(seconds * 1000)}").close()
        return connection


P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class CrashPoint:
    """A point of one delivery of a test."""

    #: The name of the job.
    job: str
    #: The how manieth delivery of this job in the test, counted from 1.
    delivery: int
    point: Point
    #: The job as the call that it stands for.
    call: str

    def __str__(self) -> str:
        return f"{self.call}, {self.point}"


class LiveCrash:
    """Makes the deliveries of one run of a test, notes their points, and kills one of them.

    The dead delivery is in no view: the one that follows it at once stands in its place. What it
    had enqueued by then stays enqueued.
    """

    def __init__(self, scopes: LiveScopes, target: CrashPoint | None = None) -> None:
        """Begin.

        Args:
            scopes: say whose lines are points.
            target: where a delivery is killed; None for nowhere.
        """
        self._scopes = scopes
        self._target = target
        self._deliveries: Counter[str] = Counter()
        self._watching = False
        #: What is heard of beside lines, while the test runs.
        self.effects = LiveEffects()
        self.points: list[CrashPoint] = []
        #: What was killed.
        self.killed: CrashPoint | None = None
        #: What followed it; None as long as that has not ended.
        self.again: Delivery | None = None
        #: What deliveries did outside of the process that is no point.
        self.reached: set[str] = set()
        #: The calls of deliveries that could not be watched, each with the reason.
        self.unwatched: dict[str, str] = {}

    def deliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        """Make a delivery; when it is killed, make another."""
        attempt = self._begin(ledger, record, body)
        if attempt is None:
            return performer.make(ledger, record, body)
        try:
            delivery = attempt.in_context(performer.attempt, record, attempt.body)
        except Killed:
            delivery = None
        except BaseException:
            ledger.put_back([record])
            raise
        finally:
            self._end(attempt)
        if delivery is not None and not attempt.watch.dead:
            return performer.ended(ledger, delivery, attempt.before, attempt.body)
        self.again = performer.make(ledger, record, body.anew(), attempt.before)
        return self.again

    async def adeliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        """Do the same on the running event loop."""
        attempt = self._begin(ledger, record, body)
        if attempt is None:
            return await performer.amake(ledger, record, body)
        try:
            delivery = await attempt.awaited(performer.aattempt(record, attempt.body))
        except Killed:
            delivery = None
        except BaseException:
            ledger.put_back([record])
            raise
        finally:
            self._end(attempt)
        if delivery is not None and not attempt.watch.dead:
            return performer.ended(ledger, delivery, attempt.before, attempt.body)
        self.again = await performer.amake(ledger, record, body.anew(), attempt.before)
        return self.again

    def _begin(self, ledger: Ledger, record: JobRecord, body: RealBody) -> _Attempt | None:
        """Watch a delivery; return None when that is not possible, or not the one to kill."""
        self._deliveries[record.name] += 1
        if self._target is not None and self._kill_at(record) is None:
            return None
        if self._watching:
            self._leave_out(record, "another delivery was being made at the same time")
            return None
        try:
            scope = self._scopes.of(record)
        except JobsError as error:
            self._leave_out(record, str(error))
            return None
        return _Attempt(self, ledger, record, body, scope)

    def _leave_out(self, record: JobRecord, why: str) -> None:
        self.unwatched[call_text(record)] = why

    def _end(self, attempt: _Attempt) -> None:
        attempt.close()
        watch, record = attempt.watch, attempt.record
        call, number = call_text(record), attempt.number
        self.reached.update(watch.reached)
        self.points += [CrashPoint(record.name, number, point, call) for point in watch.points]
        if watch.died_at is not None:
            self.killed = CrashPoint(record.name, number, watch.died_at, call)

    def _kill_at(self, record: JobRecord) -> Point | None:
        target = self._target
        if target is None or self.killed is not None:
            return None
        is_it = (target.job, target.delivery) == (record.name, self._deliveries[record.name])
        return target.point if is_it else None


class _Attempt:
    """A delivery that is being watched: the lines of the job are heard, and what it enqueues."""

    def __init__(
        self,
        crash: LiveCrash,
        ledger: Ledger,
        record: JobRecord,
        body: RealBody,
        scope: LiveScope,
    ) -> None:
        self._crash = crash
        self._ledger = ledger
        self._passing = False
        self.record = record
        self.number = crash._deliveries[record.name]
        self.before = ledger.begin(record)
        kill_at = crash._kill_at(record)
        self.watch = LiveWatch(kill_at)
        self._is_killed = kill_at is not None
        self._scope = scope
        self._tracer = line_tracer(scope)
        self.body = LiveBody(body, self.watch, self._tracer)
        self._roll_back = crash.effects.roll_back()
        self._locks_before = {} if kill_at is None else scope.locks_held()
        self._tracer.open()
        crash._watching = True
        ledger.gate = self._holds

    def in_context(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what makes the delivery."""
        if not self._is_killed:
            return call(*args, **kwargs)
        # No `finally` of a killed delivery puts a context variable back.
        return contextvars.copy_context().run(call, *args, **kwargs)

    async def awaited(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Do the same with a coroutine."""
        if not self._is_killed:
            return await coroutine
        return await InContext(contextvars.copy_context(), coroutine)

    def close(self) -> None:
        """Stop watching, and end what a dead delivery had opened and begun."""
        self._ledger.gate = None
        self._crash._watching = False
        self._tracer.close()
        if self.watch.dead:
            self.watch.close_connections()
            self._roll_back()
            self._release_locks()

    def _release_locks(self) -> None:
        """Release the locks that the dead delivery took: they were memory of its process."""
        for identity, lock in self._scope.locks_held().items():
            if identity not in self._locks_before:
                lock.release()

    def _holds(self, record: JobRecord) -> bool:
        """Take in what the delivery enqueues, as an act of its own; nothing of what is dead."""
        if self._passing or current_record.get() is not self.record:
            return False
        if self.watch.dead:
            return True
        if record.origin is not FIRST or watcher.get() is not self.watch:
            return False
        with self.watch.acting(Act("enqueue", call_text(record))):
            self._let_in(record)
        return True

    def _let_in(self, record: JobRecord) -> None:
        self._passing = True
        try:
            self._ledger.added(record)
        finally:
            self._passing = False


def chosen(points: Iterable[CrashPoint], most: int) -> list[CrashPoint]:
    """Return at most so many points, in their order: those of repeated lines are left out first."""
    every = list(enumerate(points))
    every.sort(key=lambda item: item[1].point.hit)
    return [point for _, point in sorted(every[:most], key=lambda item: item[0])]
