"""Making watched deliveries in a world, one after the other or one inside another."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from ...core.batches.ends import has_derived_id
from ...core.foundation.protocols import CommitWait
from ...errors import ExplorationError
from ...harness.ledger.ledger import Ledger
from ...harness.records.bridge import RefusesByItsError
from ...harness.records.delivery import Delivery
from ...harness.records.instants import to_datetime
from ...harness.records.record import FIRST, JobRecord, Rollback, call_text
from ...harness.running.leftovers import LeftTasks
from ...harness.running.performer import Performer, runs_each_on_a_loop
from ...harness.time.waiting import in_running_loop, others_work
from .acts import Act, SourceState, Unwound, skippable, watcher
from .ending.process_state import ProcessIds
from .ending.signs import stack_of
from .engine import Engine
from .points import trace_of
from .run import Run
from .sameness.chance import Chance, numbering
from .sameness.renaming import Formers, Renaming
from .sameness.times import Times
from .sameness.volatile import LongTexts
from .scope import leaving_out
from .threads import DeliveryThread
from .unwinding import clear_frames, holds, is_cancellation, isolated
from .watching import AtSome, Watch, WatchedBody
from .world import World, open_world, without_garbage_collection

if TYPE_CHECKING:
    from ...harness.time.loop import OwnLoop

#: The library is done with a job after a delivery with one of these statuses.
_DONE: Final = frozenset(("performed", "discarded", "halted", "cancelled", "exhausted"))
_SECOND_NS: Final = 1_000_000_000
_MINUTE_NS: Final = 60 * _SECOND_NS
#: How late in a minute a world may begin.
_LAST_BEGIN_NS: Final = 50 * _SECOND_NS


class Deliveries:
    """A world, and the deliveries that are made in it: the base of `History`."""

    def __init__(
        self,
        engine: Engine,
        world: World,
        accept: tuple[type[BaseException], ...],
        *,
        seed: int,
    ) -> None:
        self.engine = engine
        # What watches ask: see `Owner`
        self.settled = False
        self.of_history = SourceState()
        self.of_search = engine.of_search
        #: What the deliveries are a part of: the name of a history, or "clean".
        self.title = "clean"
        self._world = world
        self._accept = accept
        self._chance = Chance(seed)
        #: The deliveries that are being made and are alive: each but the last is suspended.
        self._watches: list[Watch] = []
        #: Enqueues that were taken back by the library.
        self._withdrawn: list[Act] = []
        #: When the world was built and when each delivery began; also when a delivery would have begun if it
        #: had not been suspended. What deliveries store is compared by its distance from there.
        self._begins: set[int] = set()
        #: The same times, and how many they were when this was made.
        self._times: tuple[int, Times] | None = None
        self.runs: list[Run] = []
        #: The event loops of the current process that no delivery uses now, by their threads.
        self._loops: dict[threading.Thread, OwnLoop] = {}
        #: Why nothing can be shown; None if something can.
        self.refusal: str | None = None
        #: Whether what a delivery hands over to other threads begins as late as possible: when it waits.
        self.hands_over_late = False
        #: Whether a delivery was interrupted since it would not have ended.
        self.hangs = False

    def _enter_world(self, stack: ExitStack, delay: timedelta) -> None:
        engine = self.engine
        self.ledger = ledger = Ledger(engine.clock)
        without_garbage_collection(stack)
        # A verb of the harness is refused in a world: its jobs are in this ledger, and not in that of the test.
        engine.harness.histories.append(self)
        stack.callback(engine.harness.histories.remove, self)
        stack.enter_context(engine.clock.excursion())
        self._advance_ns(int(delay.total_seconds() * 1e9))
        self.sink = ActSink(ledger, self._withdrawn.append)
        stack.enter_context(engine.sandboxed(self.sink))
        engine.draw_from(self._chance, stack)
        self._process_ids = ProcessIds(_numbering("pid"))
        self._note_thread = _numbering("thread")
        self._wait_for_whole_second()
        into_minute_ns = engine.clock.now_ns() % _MINUTE_NS
        first_ns = 0 if engine.time_is_chosen else _SECOND_NS
        if not first_ns <= into_minute_ns <= _LAST_BEGIN_NS:
            # Two deliveries that follow at once are in one minute whenever the tests run, and a time that was
            # rounded to minutes is not that of a delivery.
            self._advance_ns(-into_minute_ns % _MINUTE_NS + _SECOND_NS)
        self._begins.add(engine.clock.now_ns())
        stack.callback(self.of_history.end)
        stack.callback(self.end_loops)
        stack.callback(self._world_is_gone)
        token = leaving_out.set(engine.scope.leave_out)
        before = contextvars.copy_context()
        try:
            self._snapshot = stack.enter_context(open_world(self._world))
        finally:
            leaving_out.reset(token)
        # Each process has what the world sets up, such as the tenant, and nothing of a delivery.
        process = engine.harness.performer.process
        self.process = process.with_changes(before, contextvars.copy_context())
        for prepare in engine.when_built:
            prepare(stack, self.observed, self.of_history)
        # Jobs that are enqueued while the world is torn down go nowhere.
        stack.callback(ledger.die)

    def _world_is_gone(self) -> None:
        """Do what has to wait until the world is torn down: for subclasses."""

    def observed(self) -> dict[str, Any]:
        """Return the state in a form that can be compared with that of another history: for subclasses."""
        raise NotImplementedError

    def _renaming(self) -> Renaming:
        # They only become more.
        if self._times is None or self._times[0] != len(self._begins):
            self._times = len(self._begins), Times(map(to_datetime, self._begins))
        search = self.engine.of_search
        texts: LongTexts = search.of(LongTexts, LongTexts)
        formers: Formers = search.of(Formers, Formers)
        return Renaming(self._chance, self._times[1], texts, formers)

    def _observed_by(self, renaming: Renaming) -> dict[str, Any]:
        def formed() -> dict[str, Any]:
            state = self._snapshot()
            named = state if isinstance(state, Mapping) else {"state": state}
            return {
                str(name): renaming.of_state(str(name), self._told(str(name), value, renaming))
                for name, value in named.items()
            }

        # A delivery may be suspended, and functions that show the state are not a part of it.
        return self.engine.tracer.unhooked(formed)

    def _told(self, name: str, value: Any, renaming: Renaming) -> Any:
        """Return what is compared of a part of the state: all of it here."""
        return value

    def _advance_ns(self, ns: int) -> None:
        if ns:
            self.engine.clock.advance_ns(ns)

    # Delivering

    def performer(self) -> Performer:
        """Return what makes one delivery; to be closed."""
        performer = Performer(self.engine.clock, self.engine.sleeps, ())
        performer.bracket = self.engine.harness.performer.bracket
        performer.history = self.title
        performer.process = self.process
        performer.left = LeftTasks(noted=False)
        return performer

    def _keep_loop_of(self, performer: Performer) -> None:
        """Keep the loop of a delivery for the next one in this thread, unless an overtaking delivery left one.

        The deliveries of one worker run on one event loop, as a lock of asyncio in a module expects.
        """
        thread = threading.current_thread()
        if thread in self._loops or in_running_loop():
            # In the place of the loop that is there already, nothing would close that one.
            return
        loop = performer.leave_loop()
        if loop is not None:
            self._loops[thread] = loop

    def end_loops(self) -> None:
        """Close the event loops of a process that has ended."""
        while self._loops:
            _, loop = self._loops.popitem()
            loop.close()

    def finish_enqueueing(self, enqueueing: Awaitable[object]) -> None:
        """Run what an asynchronous library enqueues a job with."""
        with closing(self.performer()) as performer:
            performer.run(enqueueing)

    def begun(self) -> Run:
        """Return a new delivery that is about to be made."""
        run = self.begun_as(len(self.runs) + 1)
        self.runs.append(run)
        return run

    def begun_as(self, number: int) -> Run:
        """Return a new delivery that is about to be made, and that is none of `runs`."""
        self._wait_for_whole_second()
        run = Run(number, self.engine.clock.now_ns())
        self._begins.add(run.at_ns)
        return run

    def _wait_for_whole_second(self) -> None:
        """Let a delivery begin at a whole second: databases cut times to seconds, which no distance may change."""
        self._advance_ns(-self.engine.clock.now_ns() % _SECOND_NS)

    def _noting_suspensions(self, run: Run, at_point: AtSome) -> AtSome:
        """Let a plan for points also note how long the delivery was suspended."""
        clock, tracer, begin_ns = self.engine.clock, self.engine.tracer, run.at_ns

        def at_this_point(index: int) -> BaseException | None:
            nonlocal begin_ns
            before_ns = clock.now_ns()
            # The delivery stands here, so no line is its own: a value that is compared may have a property.
            error = tracer.unhooked(partial(at_point.at_point, index))
            passed_ns = clock.now_ns() - before_ns
            if passed_ns:
                self._advance_ns(-passed_ns % _SECOND_NS)
                begin_ns += clock.now_ns() - before_ns
                self._begins.add(begin_ns)
            return error

        return replace(at_point, at_point=at_this_point)

    def redelivered(self, record: JobRecord) -> JobRecord:
        again = record.source.redeliver(record)
        self.ledger.claim(again)
        return again

    def make(
        self,
        run: Run,
        record: JobRecord,
        at_point: AtSome | None,
        *,
        lines: bool,
        limited: bool,
    ) -> None:
        """Make a delivery. The other arguments are as for `Watch`."""
        engine = self.engine
        watch = Watch(
            run,
            engine.scope,
            engine.tracer,
            None if at_point is None else self._noting_suspensions(run, at_point),
            self,
            rival=bool(self._watches),
            lines=lines,
            limited=limited,
        )
        for text in self._chance.noted:
            # Such as the name of a temporary folder: a point with it has one text in each history.
            watch.rename(text, "<random>")
        watch.baton.is_late = self.hands_over_late
        performer = self.performer()
        shares_loop = not runs_each_on_a_loop(record)
        if shares_loop:
            performer.use_loop(self._loops.pop(threading.current_thread(), None))
        body = WatchedBody(watch)

        def deliver() -> Delivery:
            others_work.set(watch.baton.is_elsewhere)
            return performer.deliver(self.ledger, record, lambda _: body)

        self._watches.append(watch)
        token = watcher.set(watch)
        try:
            with self._guarding(watch):
                run.delivery = unless_dead(watch, deliver)
            watch.leave_callbacks()
        except SystemExit as error:
            raise ExplorationError(
                f"The job has raised {error!r}, which ends its worker and not only the job, so no history goes "
                "on. Let it return, or raise an error of the project."
            ) from error
        except BaseException as error:
            if not is_cancellation(error):
                raise
            run.error = error
        finally:
            watcher.reset(token)
            if watch in self._watches:
                self._watches.remove(watch)
            watch.end()
            if shares_loop and not watch.dead:
                self._keep_loop_of(performer)
            performer.close()
        if run.delivery is None:
            return
        run.error = run.delivery.error
        run.accepted = isinstance(run.error, self._accept)
        run.acknowledged = (
            run.delivery.status in _DONE or run.delivery.handled or run.accepted
        ) and run.delivery.next is None
        if run.error is not None:
            run.trace = trace_of(run.error, engine.scope)
            # The frames of the traceback hold connections.
            run.error.__traceback__ = None
            if watch.dead:
                # The job raised an error of its own while it was unwound.
                clear_frames(run.error)

    def _guarding(self, watch: Watch) -> AbstractContextManager[None]:
        if isinstance(threading.current_thread(), DeliveryThread):
            return nullcontext()
        return self.engine.watchdog.guarding(watch, partial(self._note_hang, watch))

    def kill_current(self) -> None:
        """Kill the worker of the delivery that is being made: called at one of its points."""
        self._watches.pop().kill()
        self.end_processes()

    def end_processes(self) -> None:
        """End the processes of all deliveries but the suspended ones."""
        self._process_ids.end_all_but(watch.own_process_id for watch in self._watches)

    def _note_hang(self, watch: Watch, how: str, frames: list[FrameType]) -> None:
        """Note that a delivery does not end. Another thread calls it."""
        self.hangs = True
        self.refuse(
            f"Delivery {watch.run.number} of the job {how}, so nothing was proved. It stands at:\n"
            f"{stack_of(frames)}\n"
            "Let the world or a fake answer at once, give the wait a timeout, or raise time_limit= if the job "
            "takes so long."
        )

    # What watches ask

    def form_of(self, value: object) -> object:
        return self._renaming().of_call(value)

    def refuse(self, why: str) -> None:
        self.refusal = self.refusal or why

    def is_shared(self, connection: object) -> bool:
        return any(watch.holds(connection) for watch in self._watches[:-1])

    def note_random(self, text: str) -> None:
        self._chance.note(text)

    def begin_process(self) -> int | None:
        # Often a part of the same text, and a different one where deliveries have threads of their own.
        self._note_thread(threading.get_ident())
        return self._process_ids.begin()

    def is_alive(self, process_id: int) -> bool | None:
        return self._process_ids.is_alive(process_id)


def check_finished(run: Run) -> None:
    """Raise if a delivery has ended before the tasks, callbacks and timers that it left."""
    if not run.unfinished:
        return
    kind = run.unfinished[0].partition(" ")[0]
    ended, remedy = {
        "task": ("", "Await the task, start it in an `asyncio.TaskGroup`, or cancel it"),
        "callback": (" run", "Await a future that it sets, await `asyncio.sleep`, or cancel it"),
        "timer": (" run", "Join the timer, cancel it, or enqueue a job that runs later"),
        "thread": ("", "Join the thread, ask its future for the result, or enqueue a job instead"),
    }[kind]
    raise ExplorationError(
        f"The job has ended, and its {run.unfinished[0]} has not{ended}: nothing waits for the {kind}, so a "
        f"worker that stops now loses its work, and no history shows it. {remedy} before the job ends."
    )


def _numbering(name: str) -> Callable[[int], object]:
    """Return what lets numbers be compared by the order in which they appear."""
    number_as = numbering.get()
    return lambda number: number_as and number_as(range(number, number + 1), name)


def unless_dead(watch: Watch, make: Callable[[], Delivery]) -> Delivery | None:
    """Make a delivery in a copy of the context; return None if it was killed or given up."""
    try:
        # In the copy, context variables that a dead delivery has set do not matter.
        delivery = contextvars.copy_context().run(isolated, make)
    except BaseException as error:
        if not _ends_a_dead_delivery(error, watch):
            raise
        clear_frames(error)
        return None
    if not watch.dead:
        return delivery
    # It has caught the exception that unwound it.
    if delivery.error is not None:
        clear_frames(delivery.error)
    return None


def _ends_a_dead_delivery(error: BaseException, watch: Watch) -> bool:
    """Return whether an error ended a dead delivery, rather than what stops the tests."""
    if holds(error, Unwound):
        return not isinstance(error, KeyboardInterrupt)
    ended_itself = isinstance(error, Exception | SystemExit | GeneratorExit | BaseExceptionGroup)
    return watch.dead and (ended_itself or is_cancellation(error))


def accepted(accept: Any) -> tuple[type[BaseException], ...]:
    """Return the exceptions with which a delivery may end; raise if they are no classes of exceptions."""
    several = isinstance(accept, Collection) and not isinstance(accept, str)
    given: tuple[Any, ...] = tuple(accept) if several else (accept,)
    if not several or not all(map(_is_exception, given)):
        classes = [one if isinstance(one, type) else type(one) for one in given]
        names = [one.__name__ if _is_exception(one) else "AlreadyPaid" for one in classes]
        raise ExplorationError(
            f"accept={accept!r} is not a collection of classes of exceptions: write accept=({', '.join(names)},)."
        )
    return given


def _is_exception(one: Any) -> bool:
    return isinstance(one, type) and issubclass(one, BaseException)


@dataclass(frozen=True)
class _Row:
    """A job that is a row in an open transaction of a delivery."""

    commit: CommitWait
    watch: Watch
    #: How often the delivery had committed before.
    commits: int

    def land(self) -> None:
        """Let it stay if it has come with a commit, whatever is done to its transaction after that."""
        if self.watch.commits() != self.commits:
            self.commit.committed()

    def end(self) -> None:
        """Take it back unless it has come with a commit: its connection is gone."""
        self.land()
        self.commit.dropped()


class ActSink:
    """Lets the jobs that a job enqueues be effects, and passes them on to a ledger."""

    def __init__(self, ledger: Ledger, withdrawn: Callable[[Act], object]) -> None:
        self._ledger = ledger
        #: Called with the effect of a job that was taken back before it was performed.
        self._withdrawn = withdrawn
        self._acts: dict[JobRecord, Act] = {}
        self._rows: list[_Row] = []
        self.now_ns = ledger.now_ns
        self.unblocked = ledger.unblocked
        self.pending_with = ledger.pending_with
        self.refused = ledger.refused
        self.result_of = ledger.result_of

    def added(self, record: JobRecord) -> None:
        self.added_together([record])

    def added_together(self, records: Sequence[JobRecord]) -> None:
        current = watcher.get()
        new = [] if current is None else [each for each in records if each.origin is FIRST]
        if current is None or not new:
            self._ledger.added_together(records)
            return
        acts = [self._act_of_new(record, current) for record in new]
        if acts[1:]:
            # One step: the first of them stands for all at the points before it and after it.
            acts[0] = replace(acts[0], text=f"{acts[0].text} and {len(acts) - 1} more")
        with skippable(), current.acting(acts[0]):
            self._acts.update(zip(new, acts, strict=True))
            self._ledger.added_together(records)
            for act in acts[1:]:
                current.note(act)

    def _act_of_new(self, record: JobRecord, current: Watch) -> Act:
        """Return the effect of an enqueue."""
        if record.commit is not None:
            # The job is a row, and dies with the connection of its transaction if that has not committed.
            row = _Row(record.commit, current, current.commits())
            self._rows.append(row)
            current.opened(row.end, None)
        value = (record.name, record.args, record.kwargs, record.queue)
        # A job with a derived id that is enqueued again is a second delivery rather than a second job.
        envelope = record.envelope
        is_same = has_derived_id(envelope.headers) or getattr(envelope, "has_own_id", False)
        key = record.job_id if is_same else None
        # The same error says that the message was refused, and that nobody knows: clients have no other one.
        source = record.source
        error = source.refusal if isinstance(source, RefusesByItsError) else ConnectionError
        act = Act(
            "enqueue",
            call_text(record),
            value=value,
            key=key,
            sent_key=key,
            refused=partial(error, "refused: it did not happen"),
            answer_lost=partial(error, "no answer: it has happened"),
        )
        if record.commit is not None:
            # A row in a transaction comes with the commit.
            act = replace(act, of_database=True)
        return act

    def land(self) -> None:
        """Let the rows stay that came with a commit whose answer is lost: the application takes it for failed."""
        for row in self._rows:
            row.land()

    def act_of(self, record: JobRecord) -> Act | None:
        """Return the effect that enqueued a job; None for a retry, and for a job that no delivery enqueued."""
        return self._acts.get(record)

    def removed(self, record: JobRecord, rollback: Rollback | None = None) -> None:
        self._ledger.removed(record, rollback)
        act = self._acts.pop(record, None)
        if act is not None:
            self._withdrawn(act)
