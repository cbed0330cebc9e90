"""One example of a machine: a world, the jobs that are pending in it, and their deliveries."""

from __future__ import annotations

import contextvars
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final, Self

from ...errors import ExplorationError, PoisonJob
from ...harness.records.record import REDELIVERY, REMOVED, JobRecord, Source
from ...harness.records.texts import short_repr
from ..engine.acts import Act
from ..engine.delivering import Deliveries, check_finished
from ..engine.memory.places import Namespace
from ..engine.points import Point
from ..engine.run import Run
from ..engine.watching import AtSome
from ..stores.account import Account, accounts
from .processes import Hanging, Processes
from .run import MachineRun


@dataclass
class Interruption:
    """Interrupts a delivery once, at a point."""

    is_at: Callable[[Point, Act | None], bool]
    #: Called at the point; returns the error to raise, or None.
    interrupt: Callable[[Point, Act | None], BaseException | None]
    #: None as long as the delivery has not come to it.
    point: Point | None = None

    def at_point(self, run: Run, index: int) -> BaseException | None:
        point, act = run.points[index], run.point_acts[index]
        if self.point is not None or not self.is_at(point, act):
            return None
        self.point = point
        return self.interrupt(point, act)


@dataclass(eq=False)
class Pending:
    label: str
    record: JobRecord
    #: Whether the payload was delivered before.
    again: bool = False
    #: How many deliveries in a row failed without being interrupted.
    failures: int = 0

    @property
    def due_ns(self) -> int:
        """When it is due, in nanoseconds since the epoch; 0 for at once."""
        return 0 if self.again else self.record.envelope.due_ns or 0


class Queue:
    """The deliveries that are to be made, each job by the label that steps use, such as `pay#2`."""

    def __init__(self, short_name: Callable[[JobRecord], str]) -> None:
        self._short_name = short_name
        self._labels: dict[tuple[Source, str], str] = {}
        self._numbers: Counter[str] = Counter()
        self.pending: list[Pending] = []
        self.done: dict[str, JobRecord] = {}
        #: How many records were added so far.
        self.added = 0

    @property
    def any_job(self) -> bool:
        return bool(self._labels)

    @property
    def waiting(self) -> Sequence[Pending]:
        """The deliveries that are to be made, whether due or not."""
        return [item for item in self.pending if item.again or item.record.state is not REMOVED]

    def due(self, now_ns: int) -> list[str]:
        return list(dict.fromkeys(item.label for item in self.waiting if item.due_ns <= now_ns))

    def take_due(self, label: str, now_ns: int) -> Pending:
        """Remove and return the next delivery of a job that is due; raise if there is none."""
        items = [item for item in self.waiting if item.label == label]
        due = next((item for item in items if item.due_ns <= now_ns), None)
        if due is None:
            why = "is not due yet: advance the clock first" if items else "is not pending"
            raise ExplorationError(
                f"{label} {why}. Due are: {', '.join(self.due(now_ns)) or 'none'}."
            )
        self.pending.remove(due)
        return due

    def once_more(self, label: str) -> Pending:
        """Return another delivery of a job that is done; raise if it is not."""
        record = self.done.get(label)
        if record is None:
            raise ExplorationError(
                f"{label} is not done. Done are: {', '.join(self.done) or 'none'}."
            )
        return Pending(label, record, again=True)

    def add(self, record: JobRecord) -> None:
        self.added += 1
        key = record.source, record.job_id
        if key not in self._labels:
            name = self._short_name(record)
            self._numbers[name] += 1
            self._labels[key] = f"{name}#{self._numbers[name]}"
        self.pending.append(Pending(self._labels[key], record))

    def again(self, item: Pending, failures: int) -> Pending:
        """Add another delivery of the same payload, and return it."""
        following = Pending(item.label, item.record, again=True, failures=failures)
        self.pending.append(following)
        return following


#: The time between the deliveries of a job that fails although nothing interrupts it.
_GAPS: Final = (timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(hours=1))
#: A drain that makes so many deliveries does not come to an end.
_DRAINED_AT_MOST: Final = 1_000


class Session(Deliveries):
    """A world, and the deliveries of several jobs in it, each in one of several processes."""

    def __init__(self, run: MachineRun) -> None:
        super().__init__(run.engine, run.options.owner.world, run.options.accept)
        self.title = "machine"
        self._run = run
        self.queue = Queue(run.short_name)
        self._stack = ExitStack()
        self._memory = run.engine.memory
        #: The names of the jobs that were delivered.
        self._delivered: set[str] = set()
        #: What it does to stores.
        self.account = Account(ignore=run.options.ignore, pattern=self._chance.pattern)
        #: How many lines, and how many points of effects, the longest complete deliveries had.
        self.most_lines = self.most_effects = 0

    def open(self) -> Self:
        """Build the world; raise if it is not fresh."""
        run = self._run
        self.engine.sources.catch_up()
        run.modules()
        with ExitStack() as stack:
            accounts.open(self.account, stack)
            self._enter_world(stack)
            self.account.note_built()
            self.ledger.listen(self._added)
            self._context = contextvars.copy_context()
            self._initial = self.observed()
            self._memory.begin(self.observed, used=self._used)
            self._memory.note_step()
            self._processes = Processes(self._memory, run.options.owner.time_limit)
            stack.callback(self._processes.end)
            # Before the killed deliveries go on to their end: what they enqueue is lost.
            stack.callback(self.ledger.die)
            run.check_fresh(self._initial)
            self._stack = stack.pop_all()
        return self

    def close(self) -> None:
        self._stack.close()

    def note_change(self) -> None:
        if not self._run.any_change:
            self._run.any_change = self.observed() != self._initial

    def check_stores(self) -> None:
        """Raise if a delivery wrote to a store that is the same for all examples."""
        self.account.look_through()
        self.account.check_bound()

    def state(self) -> Any:
        with self.account.during("snapshot"):
            return super().state()

    def observed(self) -> dict[str, Any]:
        with self.account.during("snapshot"):
            return super().observed()

    @property
    def due(self) -> list[str]:
        return self.queue.due(self.engine.clock.now_ns())

    # Steps

    def enqueue(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
        """Enqueue a job of the machine; return its label, or None if its library dropped it."""
        target = self._run.targets.get(name)
        if target is None:
            raise ExplorationError(
                f"{self._run.options.name} has no job {name!r}: it has {', '.join(self._run.targets)}."
            )
        before = self.queue.added
        enqueueing = target.bridge.enqueue(target.job, args, kwargs)
        if enqueueing is not None:
            self._in_process(lambda: self.finish_enqueueing(enqueueing))
        return self.queue.pending[-1].label if self.queue.added > before else None

    def deliver(self, label: str, interruption: Interruption | None = None) -> Run:
        item = self.queue.take_due(label, self.engine.clock.now_ns())
        return self._deliver(item, interruption)[0]

    def deliver_again(self, label: str) -> Run:
        return self._deliver(self.queue.once_more(label), None)[0]

    def kill(self) -> None:
        """Kill the process that makes a delivery: called at one of its points."""
        frames = self._watches[-1].standing_in_blocks(sys._getframe())
        self.kill_current()
        with self._memory.released(frames):
            self._processes.working.kill()

    def pause(self) -> bool:
        """Let a delivery stand still while another one is made: called at one of its points.

        Returns:
            Whether it is still alive afterwards.
        """
        watch = self._watches[-1]
        with self._memory.released(watch.standing_in_blocks(sys._getframe())):
            self._processes.working.pause()
        return not watch.dead

    def restart(self) -> None:
        with self._memory.step():
            self._restart()

    def _restart(self) -> None:
        self.end_processes()
        self.end_loops()
        self._processes.restart()

    def drain(self, after_each: Callable[[], object]) -> None:
        """Make all pending deliveries, in the order in which they are due, until there are none."""
        for item in self.queue.pending:
            item.failures = 0
        for _ in range(_DRAINED_AT_MOST):
            waiting = self.queue.waiting
            if not waiting:
                return
            item = min(waiting, key=lambda item: item.due_ns)
            self.queue.pending.remove(item)
            self.engine.clock.reach_ns(item.due_ns)
            run, following = self._deliver(item, None)
            after_each()
            if following is None:
                continue
            if following.failures == len(_GAPS):
                # What an earlier example has left in a store may be the reason.
                self.check_stores()
                raise PoisonJob(
                    f"{following.label} is never done: its last {len(_GAPS)} deliveries, with nothing to hinder "
                    f"them, ended with {short_repr(run.error)}. If it may end so, say "
                    f"`accept = ({type(run.error).__name__},)`."
                ) from run.error
            self.wait(_GAPS[following.failures - 1])
        still = self.queue.waiting
        if still:
            raise ExplorationError(
                f"After {_DRAINED_AT_MOST} more deliveries there are still jobs pending, {still[0].label} among "
                "them: a job most likely enqueues itself for ever. Let it come to an end in the world."
            )

    # Deliveries

    def _deliver(
        self, item: Pending, interruption: Interruption | None
    ) -> tuple[Run, Pending | None]:
        """Make a delivery; return it, and the delivery of the same payload that has to follow, if any."""
        with self._memory.step():
            if item.again:
                record = self.redelivered(item.record)
            else:
                record = item.record
                self.ledger.claim(record)
            run = self.begun()
            at_point = None if interruption is None else AtSome(partial(interruption.at_point, run))
            with self.account.during("delivery"):
                self._in_process(lambda: self.make(run, record, at_point))
            if self._processes.working.paused:
                self._let_overtake(item)
            self._note(run)
            name = item.label.partition("#")[0]
            if interruption is None and name not in self._delivered:
                # Another one may find the mark that this one has left.
                self._run.note_first(name, run.error if run.failed else None)
            self._delivered.add(name)
            if interruption is None and run.error is None:
                check_finished(run)
            return run, self._following(item, run)

    def _let_overtake(self, item: Pending) -> None:
        """Deliver a payload again while its first delivery is paused, and then let that one go on."""
        first = self._watches[-1]
        try:
            with self._processes.beside():
                try:
                    second, record = self.begun(), self.redelivered(item.record)
                    with self.account.during("delivery"):
                        self._in_process(lambda: self.make(second, record))
                    self._note(second)
                    # If it had to wait for the first one, it comes again later, as from a queue.
                    self._following(item, second)
                finally:
                    self.end_loops()
        except BaseException:
            first.die()
            raise
        finally:
            with self.account.during("delivery"):
                self._unless_hanging(self._processes.working.resume)

    def _following(self, item: Pending, run: Run) -> Pending | None:
        """Return the delivery of the same payload that has to follow one, if any."""
        failures = 0
        if self._processes.working.killed:
            self._restart()
        elif run.acknowledged:
            self.queue.done[item.label] = item.record
            return None
        elif run.delivery is not None and run.delivery.next is not None:
            return None
        elif not run.spinning:
            failures = item.failures + 1
        return self.queue.again(item, failures)

    def _in_process(self, run: Callable[[], object]) -> None:
        context = self._context.copy()
        self._unless_hanging(lambda: self._processes.working.do(lambda: context.run(run)))

    def _unless_hanging(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Hanging as hang:
            self._watches[-1].die()
            if self._run.searching:
                raise
            raise ExplorationError(str(hang)) from None

    def _note(self, run: Run) -> None:
        if self.refusal is not None:
            raise ExplorationError(self.refusal)
        self._run.performed += bool(run.points) or run.delivery is not None
        if run.delivery is not None:
            effects = sum(act is not None for act in run.point_acts)
            self.most_effects = max(self.most_effects, effects)
            self.most_lines = max(self.most_lines, len(run.points) - effects)
        self._run.any_point = self._run.any_point or bool(run.points)
        self._run.any_change = self._run.any_change or any(
            act.tells_itself for act in run.point_acts if act is not None
        )

    def _used(self) -> list[Namespace]:
        ran = {point.filename for run in self.runs for point in run.points}
        return self.engine.scope.used_by(ran)

    def _added(self, record: JobRecord) -> None:
        if record.origin is REDELIVERY:
            return
        body = record.source.job_of(record)
        if not isinstance(body, str):
            self._run.add_job(record.source.resolve(body))
        self.queue.add(record)
