"""One explored sequence of deliveries, in a world of its own."""

from __future__ import annotations

import contextvars
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from types import FrameType
from typing import Any, Final, TypeVar, cast

from ...errors import ExplorationError
from ...harness.records.attributes import identity
from ...harness.records.instants import duration_ns
from ...harness.records.mocks import unmocked
from ...harness.records.record import REDELIVERY, JobRecord, call_text, current_record
from ...harness.records.targets import Target
from ...harness.time.waiting import off_the_loop
from ..engine.acts import KEYS_BY_TIME, RECORDS, Act, Unwound, later_acts, place_of_key, watcher
from ..engine.delivering import Deliveries
from ..engine.ending.process_state import put_recursion_limit
from ..engine.ending.signs import blocking_call
from ..engine.memory.processes import Memory, Spot
from ..engine.memory.shared import SharedMemory
from ..engine.run import Run
from ..engine.sameness.derived import Derived
from ..engine.sameness.renaming import Renaming
from ..engine.threads import OwnThread, Worker, while_alive
from ..engine.unwinding import clear_frames
from ..engine.watching import AtSome, Watch
from ..stores.account import Account, accounts
from .checked_job import CheckedJob
from .children import MOST_CHILDREN, MOST_TURNS, Child, Children, Occasion
from .equivalent_points import Surroundings, surroundings_at

T = TypeVar("T")

_NO_KWARGS: Final[Mapping[str, Any]] = {}
#: How long after the end of a delivery that slept the next one begins.
_PAUSE: Final = timedelta(seconds=3)
#: How long after the beginning of a delivery that took no time the next one begins.
_TICK: Final = timedelta(seconds=1)
_HOUR: Final = timedelta(hours=1)
#: So long a schedule of the project has to bring a job again.
_HOURS: Final = 24
#: How long after one another a job is delivered until it is acknowledged.
_GAPS: Final = (timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1))


@dataclass(eq=False)
class Known:
    """A job with one set of arguments, and what its clean runs have shown so far, which each history knows."""

    checked: CheckedJob
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    #: Which parts of what the project keeps belong to the world.
    kept: frozenset[Spot] = frozenset()
    #: What is observed before the first delivery.
    initial: Mapping[str, Any] | None = None
    #: What the clean run did to stores.
    account: Account = field(default_factory=Account)
    #: Where values stand that the job computes from chance or from the time.
    derived: Derived = field(default_factory=Derived)
    #: Which of the jobs that it enqueues are performed.
    children: Children = field(default_factory=Children)


class History(Deliveries):
    """A world, and the deliveries of one job that are made in it."""

    def __init__(
        self,
        known: Known,
        *,
        seed: int = 1,
        delay: timedelta = timedelta(0),
        threads: bool = True,
        learns: bool = False,
    ) -> None:
        """Build nothing yet.

        Args:
            known: the job, and what is known of it.
            seed: the seed of random values.
            delay: how much later than others it begins.
            threads: whether overlapping deliveries get threads of their own.
            learns: whether it shows what a process keeps, which other histories then begin without.
        """
        checked = known.checked
        self._options = options = checked.options
        super().__init__(checked.engine, options.world, options.accept, seed=seed)
        self._known = known
        self._checked = checked
        self.memory = checked.engine.memory
        self._threads = threads
        self._delay = delay
        self._learns = learns
        #: The deliveries of the jobs that the job has enqueued.
        self.children: list[Child] = []
        #: The last run for which a schedule of the project brought the job; None if none did.
        self.by_schedule: Run | None = None
        #: How often a job of each name came when its time had come, and no other of its name waited.
        self._turns = Counter[str]()
        #: The names of the jobs that were performed, by the identity of the effect that enqueued them.
        self._performed: dict[int, str] = {}
        #: What is observed before the first delivery.
        self.initial: Mapping[str, Any] = {}
        self._given_up: list[Worker[Run]] = []
        #: How long nothing was delivered since the last delivery began.
        self._waited_ns = 0
        #: What it does to stores.
        chance = self._chance
        # Not a method: a history that refers to itself stays until the garbage collector comes.
        self.account = Account(
            known.account,
            options.ignore,
            # The name with words for its parts that are different in each history.
            lambda name: known.derived.pattern(chance.pattern(name)),
        )
        #: The line at which a delivery waited for a suspended one, so that this history shows nothing.
        self.inconclusive: str | None = None

    @contextmanager
    def opened(self) -> Generator[History, None, None]:
        """Build the world, and enqueue the job."""
        with ExitStack() as stack:
            # The one with which the history began: Hypothesis sets another one for each example.
            stack.callback(put_recursion_limit, sys.getrecursionlimit())
            token = current_record.set(None)
            stack.callback(current_record.reset, token)
            accounts.open(self.account, stack)
            self._enter_world(stack, self._delay)
            # A new worker has what the world sets up in each process, such as the tenant, and nothing of the job.
            self._context = contextvars.copy_context()
            self.account.note_built()
            if not self._learns:
                self.account.remember(lambda: self._renaming().of_call)
            known = self._known
            # Two clean runs have begun alike, and a look may take as long as the job.
            is_looked_at = self._learns or known.initial is None
            self.initial = self.observed() if is_looked_at else known.initial or {}
            self.memory.begin(self.observed, kept=known.kept, learns=self._learns)
            stack.callback(self.memory.end)
            self._record = self._enqueued(self._checked.target, known.args, known.kwargs)
            yield self

    def _enqueued(
        self, target: Target, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] = _NO_KWARGS
    ) -> JobRecord:
        """Enqueue a job, and take it out of the queue."""
        before = len(self.ledger.records)
        with unmocked(target.owners):
            enqueueing = target.bridge.enqueue(target.job, args, kwargs)
            if enqueueing is not None:
                self.finish_enqueueing(enqueueing)
        if len(self.ledger.records) == before:
            raise ExplorationError(
                f"{target.job!r} was not enqueued, so there is nothing to deliver."
            )
        record = self.ledger.records[before]
        self.ledger.claim(record)
        return record

    def _world_is_gone(self) -> None:
        # They may have waited for something that the world has released just now.
        for worker in self._given_up:
            worker.wait()

    # Delivering

    def make(
        self,
        run: Run,
        record: JobRecord,
        at_point: AtSome | None = None,
        *,
        lines: bool,
        limited: bool,
    ) -> None:
        with self.account.during("delivery"):
            super().make(run, record, at_point, lines=lines, limited=limited)

    def deliver(self, at_point: AtSome | None = None, *, again: bool = False) -> Run:
        record = self.redelivered(self._record) if again else self._record
        run, is_further = self.begun(), len(self.runs) > 1
        self.make(
            run, record, at_point, lines=not again or self._options.depth > 1, limited=is_further
        )
        return run

    def deliver_until_acknowledged(
        self, at_point: AtSome | None = None, *, again: bool = True
    ) -> Run:
        """Deliver until the library is done with the job, at most four times, with growing gaps."""
        return self._until_acknowledged(self.deliver(at_point, again=again), _GAPS)

    def deliver_cleanly(self, at_point: AtSome | None = None) -> Run:
        """Make one delivery that nothing disturbs, and then those for which the job asks by name.

        What a clean run is: the first delivery is not repeated because it failed.
        """
        run = self.deliver(at_point)
        for _ in _GAPS:
            following = None if run.delivery is None else run.delivery.next
            if following is None or run.failed or self._shows_nothing():
                break
            run = self._follow(following)
        return run

    def begun(self) -> Run:
        if self.runs and not self._watches:
            last_ns = self.runs[-1].at_ns
            if self.engine.clock.now_ns() - last_ns > self._waited_ns:
                # Otherwise this delivery would begin at the very time that the last one may have stored as the
                # end of what it slept for, and nobody could say which of both a time is.
                self.wait(_PAUSE)
            elif self.engine.clock.now_ns() == last_ns:
                # No two deliveries of one message come at the same time.
                self.wait(_TICK)
        self._waited_ns = 0
        return super().begun()

    def wait(self, gap: timedelta) -> None:
        if gap:
            self._wait_until(self.engine.clock.now_ns() + duration_ns(gap.total_seconds()))

    def _wait_until(self, ns: int) -> None:
        clock = self.engine.clock
        before_ns = clock.now_ns()
        clock.reach_ns(ns)
        self._waited_ns += clock.now_ns() - before_ns

    def continue_after(self, run: Run) -> Run:
        """Deliver on after a delivery with which the library was not done. Its retry, if any, comes first."""
        return run if run.acknowledged else self._until_acknowledged(run, (_GAPS[0], *_GAPS))

    def _until_acknowledged(self, run: Run, gaps: Sequence[timedelta]) -> Run:
        for gap in gaps:
            if run.acknowledged or self._shows_nothing():
                # What follows may run while the world is torn down.
                break
            following = None if run.delivery is None else run.delivery.next
            if following is not None:
                run = self._follow(following)
                continue
            if not self.comes_again(run):
                break
            self.wait(gap)
            run = self.begun()
            self.make(run, self.redelivered(self._record), lines=False, limited=True)
        return run

    def _follow(self, following: JobRecord) -> Run:
        """Make the next attempt of a job when it is due."""
        self.ledger.claim(following)
        self._wait_until(following.envelope.due_ns or 0)
        run = self.begun()
        self.make(run, following, lines=False, limited=True)
        return run

    def _shows_nothing(self) -> bool:
        stopped = self.refusal is not None or self.inconclusive is not None
        return stopped or bool(self._given_up)

    def run_other_job(self, position: int) -> None:
        """Call one of `others=`. Its effects are not those of the job, and its connections close with it."""
        watch = Watch(Run(0), self.engine.scope, self.engine.tracer, None, self)
        token = watcher.set(watch)
        try:
            with self.account.during("delivery"):
                self._options.others[position]()
        except Unwound as refused:
            clear_frames(refused)
        finally:
            watcher.reset(token)
            watch.close_connections()

    def comes_again(self, run: Run) -> bool:
        """Return whether the job is delivered again after a delivery that came to its end."""
        is_retried = run.delivery is not None and run.delivery.next is not None
        if is_retried or not self._options.as_configured:
            return True
        semantics = self._checked.semantics
        late = semantics.acknowledged == "after"
        again = late if run.acknowledged else semantics.redelivered_on_raise
        run.dropped = not again
        return again

    @property
    def redelivers_on_raise(self) -> bool:
        """Whether the library delivers the job again after any error."""
        return self._checked.semantics.redelivered_on_raise

    def comes_again_after_death(self, *, outage: bool) -> bool:
        """Return whether the job is delivered again after its process died, or with an outage its worker."""
        semantics = self._checked.semantics
        again = semantics.redelivered_on_outage if outage else semantics.redelivered_on_kill
        again = again or not self._options.as_configured
        self.runs[-1].dropped = not again
        return again

    @property
    def any_due(self) -> bool:
        """Whether a worker could perform now what the deliveries have enqueued."""
        now_ns = self.engine.clock.now_ns()
        return any(_due(record)[0] <= now_ns for record in self._pending_children())

    def perform_due(self) -> None:
        """Perform what a killed delivery has enqueued and is due, before the next delivery."""
        due_ns = self.engine.clock.now_ns()
        self.engine.tracer.nested(lambda: self._perform_until(due_ns, "before delivery 2:"))

    def pass_an_hour(self, *, fires: bool) -> None:
        """Let an hour pass, in which what is due is performed, and the schedules of the project may fire."""
        until_ns = self.engine.clock.now_ns() + duration_ns(_HOUR.total_seconds())

        def passed() -> None:
            if fires:
                self._fire_until(until_ns, "then")
            self._perform_until(until_ns)
            self._wait_until(max(until_ns, self.engine.clock.now_ns()))

        # A delivery may be suspended here, inside of a hook.
        self.engine.tracer.nested(passed)

    def _fire_until(self, until_ns: int, when: Occasion) -> bool:
        """Let the schedules of the project fire, and perform what they enqueue; return whether any fires."""
        coming = self.engine.harness.recurring.firings_between(self.engine.clock.now_ns(), until_ns)
        for at_ns, fire in coming:
            for record in self._fired(at_ns, fire):
                if any(record is waiting for waiting in self._pending_children()):
                    self._perform_child(record, when)
        return bool(coming)

    def _fired(self, at_ns: int, fire: Callable[[], object]) -> Sequence[JobRecord]:
        """Let a task of a schedule fire at its time; return what it enqueues."""
        self._perform_until(at_ns - 1)
        self._wait_until(at_ns)
        before = len(self.ledger.records)
        fire()
        return self.ledger.records[before:]

    def come_by_schedule(self, times: int) -> None:
        """Let the schedules of the project bring the job so many times within a day, and no other job."""
        own, schedules = call_text(self._record), self.engine.harness.recurring

        def come() -> None:
            came, others = 0, set[object]()
            # Hour by hour: a task may fire thousands of times in a day.
            for _ in range(_HOURS):
                now_ns = self.engine.clock.now_ns()
                until_ns = now_ns + duration_ns(_HOUR.total_seconds())
                for at_ns, fire in schedules.firings_between(now_ns, until_ns, self._record.source):
                    task = _task_of(fire)
                    if task in others:
                        continue
                    others.add(task)
                    for record in self._fired(at_ns, fire):
                        if call_text(record) != own:
                            self.ledger.claim(record)
                            continue
                        self._perform_child(record)
                        self.by_schedule = self.children[-1].run
                        others.discard(task)
                        came += 1
                    if came >= times:
                        return
                self._wait_until(until_ns)

        if times:
            self.engine.tracer.nested(come)

    def _empty_queue(self) -> None:
        self._perform_until(None)

    def _perform_until(self, until_ns: int | None, when: Occasion = "then") -> None:
        """Perform what the deliveries have enqueued, and what that enqueues, when it is due: up to a time."""
        most = MOST_CHILDREN if self._learns else 10 * MOST_CHILDREN
        while not self._watches and not self._shows_nothing():
            record = min(self._pending_children(), key=_due, default=None)
            if record is None or (until_ns is not None and _due(record)[0] > until_ns):
                return
            if len(self.children) == most:
                self._known.children.leave(
                    self._pending_children(), f"a clean run enqueues more than {MOST_CHILDREN} jobs"
                )
                if not self._learns:
                    self.refuse(
                        f"The job has enqueued more than {most} jobs, among them {record.name}, and one clean run "
                        f"enqueues fewer than {MOST_CHILDREN}."
                    )
                return
            if self._learns and self._recurs(record):
                self._known.children.leave(
                    [record], f"it has planned its next run {MOST_TURNS} times"
                )
            else:
                self._perform_child(record, when)

    def _recurs(self, record: JobRecord) -> bool:
        """Count a job that comes for later and alone of its name; return whether it does so too often."""
        if _due(record)[0] > self.engine.clock.now_ns():
            self._turns[record.name] += (
                sum(one.name == record.name for one in self._pending_children()) == 1
            )
        return self._turns[record.name] > MOST_TURNS

    def _pending_children(self) -> Iterator[JobRecord]:
        own, known = self._record, self._known.children
        for record in self.ledger.pending():
            is_child = record.sequence > own.sequence and not _is_same_job(record, own)
            if is_child and known.is_performed(record):
                yield record

    def _perform_child(self, record: JobRecord, when: Occasion = "then") -> None:
        act = self.sink.act_of(record)
        if act is not None:
            self._performed[id(act)] = record.name
        is_known = any(_is_same_job(record, done) for done, *_ in self.children)
        if is_known and (record.origin is REDELIVERY or (act is not None and act.key is not None)):
            # The same job once more: whether it may be delivered again is what a check of that job says.
            self.ledger.claim(record)
            return
        if self._learns:
            self.engine.scope.add(record.source.resolve(record.source.job_of(record)))
        self.ledger.claim(record)
        self._wait_until(record.envelope.due_ns or 0)
        # The clean run teaches what children do as well.
        run = self.begun_as(1 if self._learns else 2)
        self.children.append(Child(record, run, when))
        self.make(run, record, lines=False, limited=True)

    @property
    def failed_child(self) -> Child | None:
        """The first job that the job has enqueued and that has failed; None if none has."""
        # One that runs early may wait for what its parent commits: a later attempt, or a later job, finds it.
        failed = (child for child in self.children if child.run.failed and not child.is_early)
        return next(failed, None)

    # Processes

    def restart(self) -> None:
        """Let the following deliveries run in a new process, with fresh globals except those of the world."""
        if self._options.same_process:
            self.memory.free_locks()
            return
        self.end_processes()
        self.end_loops()
        self.memory.restart()

    def begin_process(self) -> int | None:
        return None if self._options.same_process else super().begin_process()

    def kill(self) -> Memory:
        """Kill the worker of the delivery that is being made; return its memory, for `unwind_in`.

        Its connections close, and its memory is gone.
        """
        frames = self._standing_in_blocks()
        self.kill_current()
        memory = self.memory.leave_dead(frames)
        self.restart()
        return memory

    def unwind_in(self, memory: Memory) -> None:
        """Let a killed delivery end what it began, in its own memory.

        Either the verdict is taken, or the state is compared with that before.
        """
        self.settled = True
        self.memory.switch_to(memory)

    def is_in_block(self) -> bool:
        """Return whether the delivery that is being made is inside a block that it has to leave."""
        return self._watches[-1].is_in_block()

    def switch_process(self, there: Memory | None) -> Memory | None:
        """Switch to a new process, or back to one that was left; return what switches back to the one left now.

        Nothing happens if all deliveries run in one.
        """
        if self._options.same_process:
            return None
        return self.memory.switch_to(there, self._standing_in_blocks())

    def _standing_in_blocks(self) -> list[FrameType]:
        return self._watches[-1].standing_in_blocks(sys._getframe(1)) if self._watches else []

    def would_wait(self) -> bool:
        """Return whether the suspended delivery holds a lock for which another one of its process waits."""
        return self._options.same_process and self.memory.any_lock_held()

    def add_waiting_delivery(self) -> Run:
        """Return a delivery that waited for the suspended one, and so has done nothing."""
        run = self.begun()
        run.spinning = True
        return run

    # Deliveries beside a suspended one

    def while_suspended(self, run: Callable[[], T]) -> T:
        """Call a function at a point of a delivery, in the base context and without its event loop."""
        with off_the_loop(), self.engine.watchdog.off_duty():
            return self._context.copy().run(run)

    def worker(self) -> Worker[Run]:
        """Return what makes deliveries beside a suspended one, as another process does."""
        if self._threads:

            def beats() -> int:
                return sum(watch.beats for watch in self._watches)

            return OwnThread(while_alive(beats, self._options.time_limit))
        return Worker(self.engine.tracer.nested)

    def in_base_context(self, run: Callable[[], Run]) -> Callable[[], Run]:
        """Return a function that calls another one in a copy of the base context."""
        context = self._context.copy()
        return lambda: context.run(run)

    def give_up(self, worker: Worker[Run]) -> None:
        """Go on although a delivery in another thread waits for a suspended one."""
        self.inconclusive = blocking_call(worker.identity)
        watch = self._watch_of(worker)
        if watch is not None:
            watch.give_up()
        self._given_up.append(worker)

    def give_way(self, worker: Worker[Run]) -> None:
        """Let a delivery in another thread go on waiting until the suspended one has released its lock."""
        if not self._options.same_process:
            self.inconclusive = blocking_call(worker.identity)
        watch = self._watch_of(worker)
        if watch is not None:
            watch.give_way(worker.pause)

    def _watch_of(self, worker: Worker[Run]) -> Watch | None:
        """Return the watch of a delivery; None if it has just come to its end."""
        watches = (watch for watch in reversed(self._watches) if watch.thread == worker.identity)
        return next(watches, None)

    # Observing

    def observed(self) -> dict[str, Any]:
        """Return the state of the world and the effects, in a form that can be compared."""
        renaming = self._renaming()
        found = {**self._shown(renaming), **self._calls(renaming)}
        return self._known.derived.applied(found, self.initial)

    def surroundings(self, memory: SharedMemory) -> Surroundings:
        """Return what is outside of the first delivery now."""
        run = self.runs[0]
        return surroundings_at(
            run,
            self.engine.clock.now_ns(),
            lambda: (self.observed(), self.account.unshown(self._renaming().of_call)),
            memory.content,
        )

    def observed_at_end(self) -> dict[str, Any]:
        """Return the state and the effects at the end, and what the job wrote that the world does not show.

        Stores are read last: only now is known what the snapshot reads.
        """
        # A delivery may be suspended here, inside of a hook, and the lines of other jobs are none of its own.
        self.engine.tracer.nested(self._empty_queue)
        renaming = self._renaming()
        shown = self._shown(renaming)
        if self.refusal is not None:
            # Nothing is compared, and a store of the refused delivery may not be there.
            return shown
        unshown = self.account.settle(renaming.of_call)
        found = {**shown, **unshown, **self._calls(renaming)}
        return self._known.derived.applied(found, self.initial)

    def trail(self) -> Counter[tuple[str, object]]:
        """Return the effects that were told, each with how often; threads promise no order."""
        runs = chain(self.runs, (child.run for child in self.children))
        acts = (act for run in runs for act in run.point_acts)
        return Counter(
            (act.kind, self.form_of(act.text))
            for act in acts
            if act is not None and act.tells_itself
        )

    def _shown(self, renaming: Renaming) -> dict[str, Any]:
        with self.account.during("snapshot"):
            return self._observed_by(renaming)

    def _told(self, name: str, value: Any, renaming: Renaming) -> Any:
        """Return a list without further records of a call that may happen again: they are that effect."""
        records = self.of_history.of(RECORDS, dict[int, tuple[str, object]])
        repeatable = self._options.repeatable
        if not (records and repeatable and isinstance(value, list | tuple)):
            return value
        told: list[Any] = []
        known: set[object] = set()
        for each in cast(Sequence[Any], value):
            kind, record = records.get(identity(each), ("", None))
            if record is each and repeatable.takes(kind, form := renaming.of_call(each)):
                if form in known:
                    repeatable.takes(name)  # Both names may be written.
                    continue
                known.add(form)
            told.append(each)
        return value if len(told) == len(value) else type(value)(told)

    def _calls(self, renaming: Renaming) -> dict[str, Any]:
        done: dict[str, Counter[Any]] = {}
        for act in self._effects_that_count():
            form = renaming.of_call(act.text if act.value is None else act.value)
            calls = done.setdefault(act.kind, Counter())
            # How often a job was enqueued shows in what it did.
            is_once = id(act) in self._performed or (
                bool(self._options.repeatable) and self._options.repeatable.takes(act.kind, form)
            )
            calls[form] = 1 if is_once else calls[form] + 1
        return {f"{kind} calls": dict(count) for kind, count in done.items()}

    def _effects_that_count(self) -> Iterator[Act]:
        """Yield the effects that count.

        These are not withdrawn enqueues, enqueues of jobs that were performed and seen, calls repeated with a
        known key, and values that were replaced.
        """
        # A job of which a clean run sees nothing may be lost, and nobody would see that either.
        known_children = Children() if self._learns else self._known.children
        unseen = known_children.unseen_in(self.children)
        last: dict[object, Act] = {}
        runs = chain(self.runs, (child.run for child in self.children))
        acts = [act for run in runs for act in run.acts]
        performed = {
            id(act) for act in acts if self._performed.get(id(act), "") not in {"", *unseen}
        }
        # The same job that is enqueued once more is dropped by its library.
        known = {(act.kind, repr(act.key)) for act in acts if id(act) in performed and act.key}
        # A later delivery sends another key with these, so that it identifies nothing.
        by_time = self.engine.of_search.of(KEYS_BY_TIME, set[str])
        for act in acts:
            is_withdrawn = any(act is withdrawn for withdrawn in self._withdrawn)
            if is_withdrawn or id(act) in performed:
                continue
            if act.sent_key is not None and place_of_key(act) in by_time:
                value = act.value if isinstance(act.value, tuple) else (act.value,)
                yield replace(act, sent_key=None, value=(*value, "its key goes by the time"))
                continue
            identified_by = (act.kind, repr(act.key))
            if act.slot is not None:
                last[act.kind, repr(act.slot)] = act
            elif act.key is None or identified_by not in known:
                known.add(identified_by)
                yield act
        for act in chain.from_iterable(acts() for acts in later_acts(self.of_history)):
            last[act.kind, repr(act.slot)] = act
        yield from last.values()


def _task_of(fire: Callable[[], object]) -> object:
    """Return what all firings of one task have in common: what is called, and with what but for the time."""
    call: Any = fire if isinstance(fire, partial) else partial(fire)
    return call.func, *(
        identity(part) for part in call.args if not isinstance(part, int | datetime)
    )


def _is_same_job(record: JobRecord, other: JobRecord) -> bool:
    """Return whether two records are of one job. Two libraries may number their jobs alike."""
    return record.job_id == other.job_id and record.source is other.source


def _due(record: JobRecord) -> tuple[int, int]:
    """Return when a job is due; of those that are due at once, the first comes first."""
    return record.envelope.due_ns or 0, record.sequence
