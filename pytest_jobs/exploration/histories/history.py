"""One explored sequence of deliveries, in a world of its own."""

from __future__ import annotations

import contextvars
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from types import CodeType
from typing import Any, Final, TypeVar

from ...errors import ExplorationError
from ...harness.ledger.ledger import Ledger
from ...harness.records.record import JobRecord, current_record
from ...harness.running.performer import Performer
from ...harness.time.waiting import off_the_loop
from ..engine.acts import Act, watcher
from ..engine.processes import ModuleGlobals, Place, Taken
from ..engine.sameness import Chance, Renaming
from ..engine.scope import leaving_out
from ..engine.sink import ActSink
from ..engine.threads import Apart, Aside, Inside, blocking_call
from ..engine.unwinding import is_cancellation, isolated, let_go
from ..engine.watching import Reach, Run, Unwound, Watch, WatchedBody
from ..engine.world import Setting, entered, uncollected

T = TypeVar("T")

#: With these the library is done with a job.
DONE: Final = frozenset(("performed", "discarded", "halted", "cancelled", "exhausted"))
_GAPS: Final = (timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1))


class History:
    """A world, and the deliveries that are made in it."""

    def __init__(
        self,
        setting: Setting,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        seed: int = 1,
        delay: timedelta = timedelta(0),
        kept: frozenset[Place] = frozenset(),
        threads: bool = True,
    ) -> None:
        self._setting = setting
        self._args = args
        self._kwargs = kwargs
        self._kept = kept
        self._threads = threads
        self._delay = delay
        self._chance = Chance(seed)
        self._context = contextvars.copy_context()
        self._watches: list[Watch] = []
        self.runs: list[Run] = []
        #: Set when it turned out that nothing can be shown.
        self.refusal: str | None = None
        #: Set when a delivery waited for another that was suspended, so that this history shows nothing.
        self.inconclusive: str | None = None
        self._given_up: list[Aside[Run]] = []
        #: What was done and is as good as not done: jobs that were taken back.
        self._undone: list[Act] = []

    @contextmanager
    def opened(self) -> Generator[History, None, None]:
        """Build the world, and enqueue the job."""
        setting = self._setting
        self._ledger = ledger = Ledger(setting.clock)
        with ExitStack() as stack:
            stack.enter_context(uncollected())
            token = current_record.set(None)
            stack.callback(current_record.reset, token)
            stack.enter_context(setting.clock.excursion())
            setting.clock.advance_ns(int(self._delay.total_seconds() * 1e9))
            for bridge in setting.bridges:
                stack.enter_context(bridge.sandbox(ActSink(ledger, self._undone.append)))
            stack.callback(ledger.die)
            stack.enter_context(self._chance.pinned())
            token_of_scope = leaving_out.set(setting.scope.leave_out)
            stack.callback(leaving_out.reset, token_of_scope)
            self._begin = setting.clock.now()
            stack.callback(self._join_given_up)
            self._snapshot = stack.enter_context(entered(setting.world))
            self.globals = ModuleGlobals(setting.scope.modules(), self._kept)
            stack.callback(self.globals.restart)
            self.initial = self.observed()
            self._enqueue()
            self._record = ledger.records[0]
            ledger.claim(self._record)
            yield self

    def _join_given_up(self) -> None:
        for other in self._given_up:
            other.wait()

    # Delivering

    def deliver(self, reach: Reach | None = None, *, again: bool = False) -> Run:
        """Make one delivery.

        Args:
            reach: called at each of its points.
            again: whether it is one of the same payload after another.
        """
        record = self._redelivered() if again else self._record
        return self._make(record, reach, lines=not again or self._setting.depth > 1)

    def deliver_until_acknowledged(self, reach: Reach | None = None, *, again: bool = True) -> Run:
        """Deliver until the library is done with the job, at most four times, ever longer after one another."""
        return self._until_acknowledged(self.deliver(reach, again=again), _GAPS)

    def go_on_after(self, run: Run) -> Run:
        """Do the same after a delivery with which the library was not done: first comes its retry, if any."""
        return run if run.acknowledged else self._until_acknowledged(run, (_GAPS[0], *_GAPS))

    def _until_acknowledged(self, run: Run, gaps: Sequence[timedelta]) -> Run:
        for gap in gaps:
            if run.acknowledged:
                break
            following = None if run.delivery is None else run.delivery.next
            if following is None:
                if not self.comes_again(run):
                    break
                self.wait(gap)
                following = self._redelivered()
            else:
                self._ledger.claim(following)
                self._setting.clock.reach_ns(following.envelope.due_ns or 0)
            run = self._make(following, None, lines=False)
        return run

    def between(self, other: Callable[[], object]) -> None:
        """Let something else happen: its effects are its own, and its connections close with it."""
        watch = Watch(Run(0), None, self, rival=False)
        token = watcher.set(watch)
        try:
            other()
        except Unwound as refused:
            let_go(refused)
        finally:
            watcher.reset(token)
            watch.close_connections()

    def wait(self, gap: timedelta) -> None:
        """Let time pass."""
        self._setting.clock.advance_ns(int(gap.total_seconds() * 1e9))

    def restart(self) -> None:
        """Let what follows happen in a new process, where the globals are new that the world does not show."""
        if self._setting.same_process:
            self.globals.free_locks()
            return
        self.globals.restart(self.belonging_to_world())

    def belonging_to_world(self) -> frozenset[Place]:
        """Return the globals whose reset changes the snapshot."""
        return self.globals.shown_by(self.observed, self.globals.changed())

    def kill(self) -> None:
        """Let the worker of the delivery that is being made die: its connections close, its memory is gone."""
        self._watches[-1].kill()
        self.restart()

    def comes_again(self, run: Run) -> bool:
        """Say whether a job is delivered again after a delivery that came to its end."""
        if not self._setting.as_configured:
            return True
        semantics = self._setting.semantics
        late = semantics.acknowledged == "after"
        again = late if run.acknowledged else semantics.redelivered_on_raise
        run.dropped = not again
        return again

    def comes_again_after_death(self, *, outage: bool) -> bool:
        """Say whether a job is delivered again after its worker died.

        Args:
            outage: whether the whole worker is lost, rather than the process that runs the job.
        """
        semantics = self._setting.semantics
        again = semantics.redelivered_on_outage if outage else semantics.redelivered_on_kill
        again = again or not self._setting.as_configured
        self.runs[-1].dropped = not again
        return again

    def inside(self, run: Callable[[], T]) -> T:
        """Do something while a delivery is suspended at one of its points."""
        with off_the_loop():
            return self._context.copy().run(run)

    def apart(self, run: Callable[[], Run]) -> Aside[Run]:
        """Prepare deliveries beside one that is suspended, as they are in another process."""
        context = self._context.copy()

        def in_context() -> Run:
            return context.run(run)

        if self._threads:
            return Apart(in_context, self.beats)
        return Inside(in_context, self._setting.tracer.nested)

    def give_up(self, other: Aside[Run]) -> None:
        """Go on although a delivery in another thread waits for one that is suspended."""
        self.inconclusive = blocking_call(other.identity)
        watch = self._watch_of(other)
        if watch is not None:
            watch.give_up()
        self._given_up.append(other)

    def give_way(self, other: Aside[Run]) -> None:
        """Let a delivery in another thread wait for the one that is suspended, as it does."""
        if not self._setting.same_process:
            self.inconclusive = blocking_call(other.identity)
        watch = self._watch_of(other)
        if watch is not None:
            watch.give_way(other.pause)

    def beats(self) -> int:
        """Return how much has gone on in this history."""
        return sum(watch.beats for watch in self._watches)

    def would_wait(self) -> bool:
        """Say whether the delivery that is suspended holds a lock that another one of its process waits for."""
        return self._setting.same_process and self.globals.any_lock_held()

    def waited(self) -> Run:
        """Return a delivery that waited for the one that is suspended, and so has not begun."""
        run = Run(len(self.runs) + 1, self._setting.clock.now_ns())
        run.spinning = True
        self.runs.append(run)
        return run

    def exchange(self, there: Taken | None) -> Taken | None:
        """Go to another process, unless all deliveries are to be in one.

        Args:
            there: what an earlier call returned, of the process to go to; None for a new one.

        Returns:
            What takes back to the process that is left.
        """
        if self._setting.same_process:
            return None
        kept = self.belonging_to_world() if there is None else frozenset[Place]()
        return self.globals.exchange(there, kept)

    def _watch_of(self, other: Aside[Run]) -> Watch | None:
        """Return what watches a delivery; None when it has just come to its end."""
        watches = (watch for watch in reversed(self._watches) if watch.thread == other.identity)
        return next(watches, None)

    def hear_again(self) -> None:
        """Hear lines again, where an exception ended it."""
        self._setting.tracer.hear_again()

    # Looking

    def observed(self) -> dict[str, Any]:
        """Return the state of the world and what was done, in a form that can be compared."""
        renaming = Renaming(self._chance, self._begin, self._now())
        state = self._snapshot()
        named = state if isinstance(state, Mapping) else {"state": state}
        seen = {str(name): renaming.of(value) for name, value in named.items()}
        done: dict[str, Counter[Any]] = {}
        for act in self._told_apart():
            value = act.text if act.value is None else act.value
            done.setdefault(act.kind, Counter())[renaming.of(value)] += 1
        return {**seen, **{f"{kind} calls": dict(count) for kind, count in done.items()}}

    def _told_apart(self) -> Iterator[Act]:
        """Give what was done, without what was undone or the receiver took for a repetition by its key."""
        known = set()
        for act in (act for run in self.runs for act in run.acts):
            if any(act is undone for undone in self._undone):
                continue
            told_by = (act.kind, repr(act.key))
            if act.key is None or told_by not in known:
                known.add(told_by)
                yield act

    def _now(self) -> datetime:
        return self._setting.clock.now()

    def _enqueue(self) -> None:
        setting = self._setting
        enqueueing = setting.bridge.enqueue(setting.job, self._args, self._kwargs)
        if enqueueing is not None:
            Performer(setting.clock, setting.sleeps, ()).run(enqueueing)
        if not self._ledger.records:
            raise ExplorationError(
                f"{setting.job!r} was not enqueued, so there is nothing to deliver."
            )

    def refuse(self, why: str) -> None:
        """Note that nothing can be shown."""
        self.refusal = self.refusal or why

    def wants(self, code: CodeType) -> bool:
        """Say whether the lines of some code are points."""
        return self._setting.scope.wants(code)

    def is_shared(self, connection: object) -> bool:
        """Say whether a delivery that is suspended, and alive, holds a connection."""
        return any(not watch.killed and watch.holds(connection) for watch in self._watches[:-1])

    def _redelivered(self) -> JobRecord:
        again = self._setting.bridge.redeliver(self._record)
        self._ledger.claim(again)
        return again

    def _make(self, record: JobRecord, reach: Reach | None, *, lines: bool) -> Run:
        run = Run(len(self.runs) + 1, self._setting.clock.now_ns())
        self.runs.append(run)
        rival = any(not watch.killed for watch in self._watches)
        watch = Watch(run, reach, self, rival=rival, lines=lines, limited=len(self.runs) > 1)
        performer = Performer(self._setting.clock, self._setting.sleeps, ())
        self._watches.append(watch)
        token = watcher.set(watch)
        try:
            body = WatchedBody(watch, self._setting.tracer)
            # No `finally` of a killed delivery puts a context variable back.
            run.delivery = contextvars.copy_context().run(
                isolated, lambda: performer.deliver(self._ledger, record, lambda _: body)
            )
        except Unwound as death:
            run.spinning = watch.spinning
            let_go(death)
        except BaseException as cancelled:
            if not is_cancellation(cancelled):
                raise
            run.error = cancelled
        finally:
            watcher.reset(token)
            self._watches.remove(watch)
            watch.close_connections()
            performer.close()
        if run.delivery is not None:
            error = run.error = run.delivery.error
            accepted = isinstance(error, self._setting.accept)
            run.acknowledged = (
                run.delivery.status in DONE or run.delivery.handled or accepted
            ) and run.delivery.next is None
            if error is not None:
                # Its frames hold connections.
                error.__traceback__ = None
        return run
