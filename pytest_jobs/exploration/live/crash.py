"""Killing one delivery of a test at one of its points, and delivering the job again."""

from __future__ import annotations

import contextvars
import functools
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Any, Final, ParamSpec, TypeVar

from ...errors import ExplorationError, JobsError
from ...harness.ledger.ledger import Ledger
from ...harness.records.delivery import Delivery
from ...harness.records.patches import Patches
from ...harness.records.record import FIRST, JobRecord, call_text, current_record
from ...harness.running.calls import DirectCall, calling
from ...harness.running.performer import Performer, RealBody
from ...harness.running.twice import HasLedger
from ..effects.sql.basis.driver import Ended
from ..engine.acts import Act, SourceState, Transaction, Unwound, is_dead, skippable, watcher
from ..engine.ending.leaving import Leaving
from ..engine.ending.patchers import Patchers
from ..engine.ending.process_state import ProcessIds, ProcessState, SignalHandlers
from ..engine.lines import line_tracer
from ..engine.memory.locks import Borrowed
from ..engine.run import Run
from ..engine.scope import Scope
from ..engine.sources import Sources
from ..engine.unwinding import InContext, clear_frames, holds, isolated, silence_loop, silenced
from ..engine.watchdog import Watchdog
from ..engine.watching import AtSome, PartOfAct, Watch, WatchedBody, is_within_act
from ..report.audience import current_audience, kept_state
from .worth import CrashPoint, place_of

#: Up to here a number in the text of a point is most likely no process id.
_SMALL: Final = 999

P = ParamSpec("P")
T = TypeVar("T")


class LiveWatch(Watch):
    """Watches a delivery in a test that goes on after the delivery was killed.

    The killed delivery is unwound in the world of the test: it leaves its blocks, so that nothing of it stays
    in force, and no effect happens except a rollback. An `except` block that goes on with the job does not run.
    """

    isolated = False

    def __init__(self, scope: Scope, leaving: Leaving, kill_at: CrashPoint | None) -> None:
        self._kill_at = kill_at
        #: How often the delivery has come to the place of that point.
        self._times = 0
        super().__init__(Run(1), scope, line_tracer(scope, leaving), AtSome(self._die_at))
        #: What the delivery did outside of the process that is not a point.
        self.reached: list[str] = []
        self._process_ids = ProcessIds(lambda process_id: None)

    @property
    def kills(self) -> bool:
        return self._kill_at is not None

    def _die_at(self, index: int) -> BaseException | None:
        target = self._kill_at
        if target is None or not target.lies_at(self.run.points.noted()[index]):
            return None
        self._times += 1
        if self._times != target.time:
            return None
        silence_loop(Unwound)
        return Unwound()

    def line(self, code: CodeType, line: int) -> None:
        """Count a line of this delivery; other tasks of the test may run on its thread."""
        current = watcher.get()
        if current is self:
            super().line(code, line)

    @property
    def progress(self) -> object:
        """A value that changes as long as the delivery goes on; before it is killed it may wait for ever."""
        return super().progress if self.dead else object()

    def _may_handle_death(self) -> bool:
        # The test would see what an `except BaseException` of the job does.
        return False

    def interrupts_this_thread(self) -> bool:
        # Of several threads only those count that run in the context of the delivery, such as the one of
        # `asyncio.to_thread`: they run one at a time.
        return True

    @contextmanager
    def looking(
        self, busy: Callable[[BaseException], bool], transaction: Transaction | None = None
    ) -> Generator[None, None, None]:
        """Let something be read. BEGIN and ROLLBACK count as reads, and are allowed after the kill too."""
        with PartOfAct(self, busy):
            yield

    def outside(self, text: str) -> None:
        """Note a call that leaves the process: the test may intend it."""
        if not is_within_act():
            self.check_alive()
            self.reached.append(text)

    def refuse(self, why: str) -> None:
        """Note what would fail a check: the test may intend it."""
        self.reached.append(why)

    def begun(self, function: Callable[..., object]) -> None:
        """Do nothing: threads that a job starts are not watched."""

    def process_id(self) -> int | None:
        """Return an id of its own only for a delivery that is killed: the test may know the real one."""
        if self.kills and self.own_process_id is None:
            self.own_process_id = self._process_ids.begin()
        real = os.getpid()
        if self.own_process_id is not None or real > _SMALL:
            self.rename(str(self.own_process_id or real), "<pid>")
        return self.own_process_id

    def is_alive(self, process_id: int) -> bool | None:
        return self._process_ids.is_alive(process_id) and not self.dead

    def opened(self, close: Callable[[], object], shared: object) -> None:
        """Note a connection of this delivery, unless it may be the one of the test."""
        if shared is None:
            super().opened(close, None)

    def holds(self, shared: object) -> bool:
        """Return True: a delivery may use the connections of the test."""
        return True


class LiveBody(WatchedBody):
    """Runs the body of a job with its lines traced, and clears its frames when it is killed."""

    def __init__(self, body: RealBody, watch: LiveWatch) -> None:
        super().__init__(watch)
        self._body = body

    def _run(self, call: Callable[[], Any]) -> Any:
        return isolated(lambda: self._body(call))

    @contextmanager
    def _watched(self) -> Generator[None, None, None]:
        token = watcher.set(self._watch)
        try:
            with super()._watched(), silenced(is_dead):
                try:
                    yield
                except BaseException as death:
                    if not holds(death, Unwound):
                        raise
                    # Here, while effects are still refused: a suspended generator may have some in its end.
                    clear_frames(death)
                    raise
        finally:
            watcher.reset(token)
            self.outcome = self._body.outcome


class LiveScopes:
    """Decides, for the body of each job, whose lines are points.

    As in an exploration they are those of the project. Folders of tests are left out as a whole, since
    fakes are defined there, unless the job is too.
    """

    def __init__(self, root: Path, atomic: Iterable[str] = ()) -> None:
        """Import the modules that are one step, by their names."""
        self._root = root
        self._atomic: list[object] = []
        self._scopes: dict[object, Scope] = {}
        #: What is known of the code in which a delivery may be killed. A test is run again for each of its points.
        self.leaving = Leaving()
        for name in atomic:
            try:
                self._atomic.append(import_module(name))
            except ImportError as error:
                raise ExplorationError(
                    f"jobs_crash_atomic names {name!r}, which cannot be imported: {error}."
                ) from error

    def of_body(self, body: Callable[..., Any]) -> Scope:
        """Return the scope of the function that runs as a job, which is written in Python."""
        if body not in self._scopes:
            self._scopes[body] = Scope(atomic=self._atomic, root=self._root)
            self._scopes[body].add(body)
        return self._scopes[body]


class LiveEffects:
    """The effect sources and the databases of a session, and what a killed delivery puts in force in its process.

    They stay installed from the first test to the last: a fixture that lives longer than one run of a test
    may put something in the place of a function of ours, and puts ours back when it ends.
    """

    def __init__(self, patches: Patches) -> None:
        self._patches = patches
        self._sources: Sources | None = None
        #: The module of a library of databases, and what watches it from the moment it is imported.
        self._waiting = {
            "sqlite3": "sql.sqlite3:Connections",
            "psycopg": "sql.psycopg:Connections",
            "sqlalchemy.orm": "sqlalchemy:OpenSessions",
            "django.db.transaction": "django:Blocks",
        }
        #: Each notes what is open in a library when a delivery begins.
        self._databases: list[Callable[[], Ended]] = []
        #: What a delivery puts in force without a block that ends it.
        self._handlers = SignalHandlers(patches, self._is_in_delivery)
        self._patchers = Patchers(patches, self._is_in_delivery)
        #: The watch of the delivery that is to be killed.
        self._watch: Watch | None = None

    def _is_in_delivery(self) -> bool:
        return self._watch is not None and watcher.get() is self._watch

    def catch_up(self) -> None:
        if self._sources is None:
            kept = kept_state()
            if kept is None:
                kept = SourceState()
                self._patches.undo_by(kept.end)
            self._sources = Sources(self._patches, kept, current_audience().sources())
        self._sources.catch_up()
        # On top of the sources, which make the connections of sqlite.
        for imported in [name for name in self._waiting if name in sys.modules]:
            module, _, name = self._waiting.pop(imported).partition(":")
            library = getattr(import_module(f"..effects.{module}", __package__), name)
            self._databases.append(library(self._patches).begin)

    @contextmanager
    def delivery(self, watch: LiveWatch, scope: Scope) -> Generator[None, None, None]:
        """Let a delivery be made in a block; if it is killed, nothing that it began is left.

        A database rolls back the transactions of a worker that died, and its memory is gone.
        """
        if not watch.kills:
            yield
            return
        self._patchers.catch_up()
        self._watch = watch
        state, borrowed = ProcessState.taken(), Borrowed(scope.loaded_modules())
        try:
            ends = [begin() for begin in self._databases]
            try:
                yield
            finally:
                for ended in ends:
                    ended(watch.dead)
        finally:
            self._watch = None
            if watch.dead:
                state.put_back()
                self._handlers.renew()
                self._patchers.renew()
                borrowed.give_back(scope.loaded_modules())
            else:
                self._handlers.forget()
                self._patchers.forget()


class LiveCrash:
    """Makes the deliveries of one run of a test, notes their points, and kills one of them.

    The killed delivery is in no view: the delivery that follows it at once takes its place. Jobs that
    it had enqueued stay enqueued.
    """

    def __init__(
        self, scopes: LiveScopes, effects: LiveEffects, target: CrashPoint | None = None
    ) -> None:
        self._scopes = scopes
        self._target = target
        self._deliveries: Counter[str] = Counter()
        self._watching = False
        self._effects = effects
        #: The points of all deliveries, if none is killed.
        self.points: list[CrashPoint] = []
        #: The point at which a delivery was killed.
        self.killed: CrashPoint | None = None
        #: The delivery that followed; None as long as it has not ended.
        self.again: Delivery | None = None
        #: Whether the direct call that followed has ended.
        self.ended_again = False
        #: Returns the open harness in which a direct call enqueues; None if there is none.
        self.harness: Callable[[], HasLedger | None] = lambda: None
        #: What deliveries did outside of the process that is not a point.
        self.reached: set[str] = set()
        #: The calls of deliveries that could not be watched, each with the reason.
        self.unwatched: dict[str, str] = {}
        self.passed: set[str] = set()
        self.only_watches = False

    def deliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        """Make a delivery, and another one if it is killed."""
        attempt = self._begin(ledger, record, body)
        if attempt is None:
            return performer.make(ledger, record, body)
        with attempt.watched():
            attempt.value = attempt.in_context(performer.attempt, record, attempt.body)
        if not attempt.watch.dead:
            return performer.ended(ledger, attempt.value, attempt.before, attempt.body)
        self.again = performer.make(ledger, record, body.anew(), attempt.before)
        return self.again

    async def adeliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        """Make a delivery on the running event loop, as `deliver` does."""
        attempt = self._begin(ledger, record, body)
        if attempt is None:
            return await performer.amake(ledger, record, body)
        with attempt.watched():
            attempt.value = await attempt.awaited(performer.aattempt(record, attempt.body))
        if not attempt.watch.dead:
            return performer.ended(ledger, attempt.value, attempt.before, attempt.body)
        self.again = await performer.amake(ledger, record, body.anew(), attempt.before)
        return self.again

    def call(self, call: DirectCall) -> Any:
        """Make a direct call, and once more if it is killed."""
        with calling():
            attempt = self._begin_call(call)
            if attempt is None:
                return call.make()
            with attempt.watched():
                attempt.value = attempt.in_context(attempt.body, call.run)
            if attempt.watch.dead:
                attempt.value = call.make()
                self.ended_again = True
            return attempt.value

    async def acall(self, call: DirectCall) -> Any:
        """Make a direct call of a coroutine function, as `call` does."""
        with calling():
            attempt = self._begin_call(call)
            if attempt is None:
                return await call.make()
            with attempt.watched():
                attempt.value = await attempt.awaited(attempt.body(call.arun))
            if attempt.watch.dead:
                attempt.value = await call.make()
                self.ended_again = True
            return attempt.value

    def _begin(self, ledger: Ledger, record: JobRecord, body: RealBody) -> _Attempt | None:
        def function() -> Callable[..., Any]:
            return record.source.resolve(record.job)

        return self._attempt(ledger, record, record.name, call_text(record), body, function)

    def _begin_call(self, call: DirectCall) -> _Attempt | None:
        harness = self.harness()
        ledger = None if harness is None else harness.ledger
        body = RealBody((), None)
        return self._attempt(ledger, None, call.name, call.text, body, lambda: call.body)

    def _attempt(
        self,
        ledger: Ledger | None,
        record: JobRecord | None,
        name: str,
        text: str,
        body: RealBody,
        function: Callable[[], Callable[..., Any]],
    ) -> _Attempt | None:
        """Prepare to watch a delivery; return None if that is impossible, or if another one is killed."""
        self._deliveries[name] += 1
        number, target = self._deliveries[name], self._target
        if target is not None and (
            self.killed is not None or (target.job, target.delivery) != (name, number)
        ):
            return None
        if self._watching:
            self.unwatched[text] = "another delivery was being made at the same time"
            return None
        try:
            scope = self._scopes.of_body(function())
        except JobsError as error:
            self.unwatched[text] = str(error)
            return None
        self._watching = True
        self._effects.catch_up()
        watch = LiveWatch(scope, self._scopes.leaving, target)
        block = functools.partial(self._watched, name, text, number, watch, scope)
        return _Attempt(ledger, record, body, watch, block)

    @contextmanager
    def _watched(
        self, name: str, call: str, number: int, watch: LiveWatch, scope: Scope
    ) -> Generator[None, None, None]:
        try:
            with self._effects.delivery(watch, scope):
                yield
        finally:
            self._watching = False
            self.reached.update(watch.reached)
            if self._target is not None:
                # The points are known, and to list them takes longer than to kill the delivery.
                self.killed = None if watch.run.stopped is None else self._target
            else:
                times: Counter[object] = Counter()
                for point, act in zip(watch.run.points, watch.run.point_acts, strict=True):
                    place = place_of(point)
                    times[place] += 1
                    self.points.append(CrashPoint(name, number, point, call, act, times[place]))


class _Attempt:
    """One watched delivery of a test. A ledger is None if no harness is open, a record for a direct call."""

    def __init__(
        self,
        ledger: Ledger | None,
        record: JobRecord | None,
        body: RealBody,
        watch: LiveWatch,
        block: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._ledger, self._record = ledger, record
        self._block = block
        self._passing = False
        self.watch = watch
        self.body = LiveBody(body, watch)
        self.before = 0 if ledger is None or record is None else ledger.begin(record)
        #: The delivery, or what a direct call returned. A library may turn the exception that unwinds a killed
        #: delivery into a failure of the job, so it means nothing when the watch is dead.
        self.value: Any = None

    @contextmanager
    def watched(self) -> Generator[None, None, None]:
        """Trace lines and count enqueues for a block, and clear up after a killed delivery."""
        watch = self.watch
        watch.tracer.open()
        if self._ledger is not None:
            self._ledger.gate = self._holds_back
        with self._block():
            try:
                yield
            except BaseException as error:
                # A `TaskGroup` puts the exception that unwinds a dead delivery into a group.
                if not (watch.dead and holds(error, Unwound)):
                    if self._ledger is not None and self._record is not None:
                        self._ledger.put_back([self._record])
                    raise
            finally:
                if self._ledger is not None:
                    self._ledger.gate = None
                watch.tracer.close()
                if watch.dead:
                    watch.close_connections()

    def in_context(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if not self.watch.kills:
            return call(*args, **kwargs)
        watchdog = Watchdog(math.inf, Unwound)
        with watchdog.on_duty(), watchdog.guarding(self.watch, None):
            # A killed delivery may reset no context variable.
            return contextvars.copy_context().run(call, *args, **kwargs)

    async def awaited(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if not self.watch.kills:
            return await coroutine
        return await InContext(contextvars.copy_context(), coroutine)

    def _holds_back(self, record: JobRecord) -> bool:
        """Count an enqueue as an effect, and drop it if the delivery is dead: the gate of the ledger."""
        if self._ledger is None or self._passing or current_record.get() is not self._record:
            return False
        if self.watch.dead:
            return True
        current = watcher.get()
        if record.origin is not FIRST or current is not self.watch:
            return False
        with skippable(), self.watch.acting(Act("enqueue", call_text(record))):
            self._passing = True
            try:
                self._ledger.added(record)
            finally:
                self._passing = False
        return True
