"""One example of a machine: a world, and the jobs that are pending in it."""

from __future__ import annotations

import contextvars
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import CodeType
from typing import Any, Final, Self

from ...errors import ExplorationError, PoisonJob
from ...harness.ledger.ledger import Ledger
from ...harness.records.record import REDELIVERY, REMOVED, JobRecord, Source
from ...harness.records.texts import short_repr
from ...harness.running.performer import Performer
from ..engine.acts import watcher
from ..engine.sameness import Chance, Renaming
from ..engine.scope import leaving_out
from ..engine.sink import ActSink
from ..engine.unwinding import isolated, let_go
from ..engine.watching import Run, Unwound, Watch, WatchedBody
from ..engine.world import Snapshot, entered, uncollected
from ..histories.history import DONE
from .places import Interruption
from .processes import Hanging, Processes
from .run import MachineRun


@dataclass(eq=False)
class Pending:
    """A delivery that is to be made."""

    label: str
    record: JobRecord
    #: Whether the payload was delivered before, so that this is a delivery of the same once more.
    again: bool = False
    #: How many deliveries in a row ended badly without being hindered.
    failures: int = 0

    @property
    def due_ns(self) -> int:
        """When it is due, in nanoseconds since the epoch; 0 for at once."""
        return 0 if self.again else self.record.envelope.due_ns or 0


class Queue:
    """Knows each job by a label, by which steps call it."""

    def __init__(self, short_name: Callable[[JobRecord], str]) -> None:
        """Begin with no job.

        Args:
            short_name: returns what steps call the job of a record, without its number.
        """
        self._short_name = short_name
        self._labels: dict[tuple[Source, str], str] = {}
        self._numbers: Counter[str] = Counter()
        self._pending: list[Pending] = []
        self._done: dict[str, JobRecord] = {}
        #: How many records were added so far.
        self.added = 0

    # Looking

    @property
    def any_job(self) -> bool:
        """Whether a job was enqueued."""
        return bool(self._labels)

    @property
    def done(self) -> list[str]:
        """The labels of the jobs that are done."""
        return list(self._done)

    @property
    def waiting(self) -> Sequence[Pending]:
        """The deliveries that are to be made, whether due or not."""
        return [item for item in self._pending if item.again or item.record.state is not REMOVED]

    @property
    def last_label(self) -> str:
        """The label of what was added last."""
        return self._pending[-1].label

    def due(self, now_ns: int) -> list[str]:
        """Return the labels of the jobs that are due at a time, in nanoseconds since the epoch."""
        return list(dict.fromkeys(item.label for item in self.waiting if item.due_ns <= now_ns))

    # Taking

    def take(self, item: Pending) -> None:
        """Take out a delivery that is about to be made."""
        self._pending.remove(item)

    def take_due(self, label: str, now_ns: int) -> Pending:
        """Take out the next delivery of a job that is due.

        Raises:
            ExplorationError: when there is none.
        """
        items = [item for item in self.waiting if item.label == label]
        due = next((item for item in items if item.due_ns <= now_ns), None)
        if due is None:
            why = "is not due yet: advance the clock first" if items else "is not pending"
            raise ExplorationError(
                f"{label} {why}. Due are: {', '.join(self.due(now_ns)) or 'none'}."
            )
        self.take(due)
        return due

    def once_more(self, label: str) -> Pending:
        """Return another delivery of a job that is done.

        Raises:
            ExplorationError: when it is not done.
        """
        record = self._done.get(label)
        if record is None:
            raise ExplorationError(
                f"{label} is not done. Done are: {', '.join(self._done) or 'none'}."
            )
        return Pending(label, record, again=True)

    # Putting

    def add(self, record: JobRecord) -> None:
        """Take in what was enqueued."""
        self.added += 1
        self._pending.append(Pending(self._label(record), record))

    def again(self, item: Pending, failures: int) -> Pending:
        """Let the payload of a delivery be delivered again; return that delivery."""
        following = Pending(item.label, item.record, again=True, failures=failures)
        self._pending.append(following)
        return following

    def finish(self, item: Pending) -> None:
        """Take note that a job is done."""
        self._done[item.label] = item.record

    def forgive(self) -> None:
        """Forget which deliveries ended badly."""
        for item in self._pending:
            item.failures = 0

    def _label(self, record: JobRecord) -> str:
        key = record.source, record.job_id
        if key not in self._labels:
            name = self._short_name(record)
            self._numbers[name] += 1
            self._labels[key] = f"{name}#{self._numbers[name]}"
        return self._labels[key]


#: How long after one another a job is delivered again that ended badly, when nothing hinders it any more.
_GAPS: Final = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(hours=1),
)
#: So many deliveries, and a drain does not come to an end.
_DRAINED_AT_MOST: Final = 1_000


class Session:
    """The jobs of one example, and the world in which they are delivered."""

    def __init__(self, run: MachineRun) -> None:
        self._run = run
        self._chance = Chance(seed=1)
        self._queue = Queue(run.short_name)
        self._runs: list[Run] = []
        #: What watches the delivery that is being made, after that of the one which is paused.
        self._watches: list[Watch] = []
        self._refusal: str | None = None
        self._stack = ExitStack()
        #: How many lines the longest delivery had that came to its end, and how many moments of effects another.
        self.most_lines = self.most_effects = 0

    def open(self) -> Self:
        """Build the world.

        Raises:
            ExplorationError: when it is not fresh.
        """
        run = self._run
        run.sources.catch_up()
        self._ledger = ledger = Ledger(run.clock)
        with ExitStack() as stack:
            stack.enter_context(uncollected())
            stack.enter_context(run.clock.excursion())
            for bridge in run.bridges:
                stack.enter_context(bridge.sandbox(ActSink(ledger)))
            stack.enter_context(self._chance.pinned())
            self._begin = run.clock.now()
            token = leaving_out.set(run.scopes.leave_out)
            try:
                self._snapshot: Snapshot = stack.enter_context(entered(run.options.world))
            finally:
                leaving_out.reset(token)
            ledger.listen(self._added)
            self._processes = Processes(run.modules(), self.observed, run.options.time_limit)
            stack.callback(lambda: self._processes.end(self._files()))
            stack.callback(ledger.die)
            self._context = contextvars.copy_context()
            self._initial = self.observed()
            run.check_fresh(self._initial)
            self._stack = stack.pop_all()
        return self

    def close(self) -> None:
        """Throw the world away, and with it what was killed in it."""
        self._stack.close()

    def note_change(self) -> None:
        """Let the run know whether anything happened."""
        if not self._run.any_change:
            self._run.any_change = self.observed() != self._initial

    # Looking

    @property
    def due(self) -> list[str]:
        """The labels of the jobs that are due."""
        return self._queue.due(self._run.clock.now_ns())

    @property
    def any_job(self) -> bool:
        """Whether a job was enqueued."""
        return self._queue.any_job

    @property
    def done(self) -> list[str]:
        """The labels of the jobs that are done."""
        return self._queue.done

    def state(self) -> Any:
        """Return the state as the world tells it."""
        return self._snapshot()

    def observed(self) -> dict[str, Any]:
        """Return it in a form that can be compared."""
        renaming = Renaming(self._chance, self._begin, self._run.clock.now())
        state = self._snapshot()
        named = state if isinstance(state, Mapping) else {"state": state}
        return {str(name): renaming.of(value) for name, value in named.items()}

    # Doing

    def enqueue(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
        """Enqueue a job of the machine; return its label, or None when its library dropped it."""
        target = self._run.targets.get(name)
        if target is None:
            raise ExplorationError(
                f"{self._run.options.name} has no job {name!r}: it has {', '.join(self._run.targets)}."
            )
        before = self._queue.added
        enqueueing = target.bridge.enqueue(target.job, args, kwargs)
        if enqueueing is not None:
            self._in_process(lambda: self._performer().run(enqueueing))
        return self._queue.last_label if self._queue.added > before else None

    def deliver(self, label: str, interruption: Interruption | None = None) -> Run:
        """Make the next delivery of a job that is due."""
        item = self._queue.take_due(label, self._run.clock.now_ns())
        return self._deliver(item, interruption)[0]

    def deliver_again(self, label: str) -> Run:
        """Deliver a job once more that is done."""
        return self._deliver(self._queue.once_more(label), None)[0]

    def kill(self) -> None:
        """Let the process die that makes a delivery: called at one of its points."""
        self._watches.pop().kill()
        self._processes.suspend()

    def pause(self) -> bool:
        """Let a delivery stand still while another is made: called at one of its points.

        Returns:
            Whether it is alive still.
        """
        watch = self._watches[-1]
        self._processes.pause()
        return not watch.dead

    def restart(self) -> None:
        """Let what follows happen in a new process."""
        self._processes.restart(self._files())

    def advance(self, gap: timedelta) -> None:
        """Let time pass."""
        self._run.clock.advance_ns(int(gap.total_seconds() * 1e9))

    def drain(self, after_each: Callable[[], object]) -> None:
        """Deliver everything that is pending, in the order in which it is due, until nothing is.

        Args:
            after_each: called after each delivery.

        Raises:
            PoisonJob: when a job is never done.
            ExplorationError: when there is no end.
        """
        self._queue.forgive()
        for _ in range(_DRAINED_AT_MOST):
            waiting = self._queue.waiting
            if not waiting:
                return
            item = min(waiting, key=lambda item: item.due_ns)
            self._queue.take(item)
            self._run.clock.reach_ns(item.due_ns)
            run, following = self._deliver(item, None)
            after_each()
            if following is not None:
                self._wait_for(following, run)
        still = self._queue.waiting
        if still:
            raise ExplorationError(
                f"After {_DRAINED_AT_MOST} more deliveries there are still jobs pending, {still[0].label} among "
                "them: a job most likely enqueues itself for ever. Let it come to an end in the world."
            )

    def _wait_for(self, following: Pending, run: Run) -> None:
        if following.failures == len(_GAPS):
            raise PoisonJob(
                f"{following.label} is never done: its last {len(_GAPS)} deliveries, with nothing to hinder them, "
                f"ended with {short_repr(run.error)}. If it may end so, say "
                f"`accept = ({type(run.error).__name__},)`."
            ) from run.error
        self.advance(_GAPS[following.failures - 1])

    # The deliveries

    def _deliver(
        self, item: Pending, interruption: Interruption | None
    ) -> tuple[Run, Pending | None]:
        """Make a delivery; return it, and the one of the same payload that has to follow, if any."""
        record = self._redelivered(item) if item.again else item.record
        self._ledger.claim(record)
        run = self._begun()
        self._in_process(lambda: self._make(run, record, interruption))
        if self._processes.paused:
            self._let_overtake(item)
        self._note(run)
        return run, self._following(item, run)

    def _let_overtake(self, item: Pending) -> None:
        """Deliver a payload once more while its delivery is paused, and let that one go on."""
        first = self._watches[-1]
        try:
            with self._processes.beside(self._files):
                second, record = self._begun(), self._redelivered(item)
                self._ledger.claim(record)
                self._in_process(lambda: self._make(second, record, None))
                self._note(second)
                # Where it had to wait for the first, it comes again later, as from a queue.
                self._following(item, second)
        except BaseException:
            first.dead = True
            raise
        finally:
            self._await(self._processes.resume)

    def _following(self, item: Pending, run: Run) -> Pending | None:
        """Return the delivery of the same payload that has to follow one, if any."""
        failures = 0
        if self._processes.killed:
            self.restart()
        elif run.acknowledged:
            self._queue.finish(item)
            return None
        elif run.delivery is not None and run.delivery.next is not None:
            return None
        elif not run.spinning:
            failures = item.failures + 1
        return self._queue.again(item, failures)

    def _begun(self) -> Run:
        run = Run(len(self._runs) + 1)
        self._runs.append(run)
        return run

    def _redelivered(self, item: Pending) -> JobRecord:
        return item.record.source.redeliver(item.record)

    def _in_process(self, run: Callable[[], object]) -> None:
        context = self._context.copy()
        self._await(lambda: self._processes.do(lambda: context.run(run)))

    def _await(self, end: Callable[[], object]) -> None:
        try:
            end()
        except Hanging as hang:
            self._watches[-1].dead = True
            if self._run.searching:
                raise
            raise ExplorationError(str(hang)) from None

    def _make(self, run: Run, record: JobRecord, interruption: Interruption | None) -> None:
        reach = None if interruption is None else partial(interruption.reach, run)
        watch = Watch(run, reach, self, rival=bool(self._watches))
        self._watches.append(watch)
        body = WatchedBody(watch, self._run.tracer)
        performer = self._performer()
        token = watcher.set(watch)
        try:
            run.delivery = isolated(lambda: performer.deliver(self._ledger, record, lambda _: body))
        except Unwound as death:
            run.spinning = watch.spinning
            let_go(death)
        finally:
            watcher.reset(token)
            if watch in self._watches:
                self._watches.remove(watch)
            watch.close_connections()
            performer.close()
        self._take_outcome(run)

    def _take_outcome(self, run: Run) -> None:
        if run.delivery is None:
            return
        run.error = run.delivery.error
        accepted = isinstance(run.error, self._run.options.accept)
        run.acknowledged = (
            run.delivery.status in DONE or run.delivery.handled or accepted
        ) and run.delivery.next is None
        if run.error is not None:
            # Its frames hold connections.
            run.error.__traceback__ = None

    def _note(self, run: Run) -> None:
        if self._refusal is not None:
            raise ExplorationError(self._refusal)
        self._run.performed += bool(run.points) or run.delivery is not None
        if run.delivery is not None:
            effects = sum(act is not None for act in run.point_acts)
            self.most_effects = max(self.most_effects, effects)
            self.most_lines = max(self.most_lines, len(run.points) - effects)
        self._run.any_point = self._run.any_point or bool(run.points)
        self._run.any_change = self._run.any_change or any(
            act.tells_itself for act in run.point_acts if act is not None
        )

    def _files(self) -> set[str]:
        return {point.filename for run in self._runs for point in run.points}

    def _performer(self) -> Performer:
        return Performer(self._run.clock, self._run.sleeps, ())

    # What watches ask

    def refuse(self, why: str) -> None:
        """Note that nothing can be shown."""
        self._refusal = self._refusal or why

    def wants(self, code: CodeType) -> bool:
        """Say whether the lines of some code are points."""
        return self._run.scopes.wants(code)

    def is_shared(self, connection: object) -> bool:
        """Say whether a delivery that is paused holds a connection; those of the dead are closed."""
        return any(watch.holds(connection) for watch in self._watches[:-1])

    def hear_again(self) -> None:
        """Hear lines again, where an exception ended it."""
        self._run.tracer.hear_again()

    def _added(self, record: JobRecord) -> None:
        if record.origin is REDELIVERY:
            return
        body = record.source.job_of(record)
        if not isinstance(body, str):
            self._run.scopes.add(record.source.resolve(body))
        self._queue.add(record)
