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

from ..errors import ExplorationError, PoisonJob
from ..harness.bridge import Bridge
from ..harness.describe import short_repr
from ..harness.ledger import Ledger
from ..harness.performer import Performer
from ..harness.record import REDELIVERY, REMOVED, JobRecord
from .acts import watcher
from .entering import Snapshot, entered
from .history import DONE
from .machine_places import Interruption
from .machine_process import Processes
from .machine_run import MachineRun
from .machine_worker import Hanging
from .sameness import Chance, Renaming
from .scope import leaving_out
from .sink import ActSink
from .unwinding import isolated, let_go
from .watched_body import WatchedBody
from .watching import Run, Unwound, Watch

#: How long after one another a job is delivered again that ended badly, when nothing hinders it any more.
_GAPS: Final = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(hours=1),
)
#: So many deliveries, and a drain does not come to an end.
_DRAINED_AT_MOST: Final = 1_000


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
        return 0 if self.again else self.record._envelope.due_ns or 0


class Session:
    """The jobs of one example, and the world in which they are delivered."""

    def __init__(self, run: MachineRun) -> None:
        self._run = run
        self._chance = Chance(seed=1)
        self._labels: dict[tuple[Bridge, str], str] = {}
        self._numbers: Counter[str] = Counter()
        self._pending: list[Pending] = []
        self._done: dict[str, JobRecord] = {}
        self._runs: list[Run] = []
        self._refusal: str | None = None
        self._stack = ExitStack()
        #: How many lines the longest delivery had, and how many moments of effects another one.
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
        now_ns = self._run.clock.now_ns()
        return list(dict.fromkeys(item.label for item in self._waiting() if item.due_ns <= now_ns))

    @property
    def any_job(self) -> bool:
        """Whether a job was enqueued."""
        return bool(self._labels)

    @property
    def done(self) -> list[str]:
        """The labels of the jobs that are done."""
        return list(self._done)

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
        before = len(self._pending)
        enqueueing = target.bridge.enqueue(target.job, args, kwargs)
        if enqueueing is not None:
            self._in_process(lambda: self._performer().run(enqueueing))
        return self._pending[before].label if len(self._pending) > before else None

    def deliver(self, label: str, interruption: Interruption | None = None) -> Run:
        """Make the next delivery of a job that is due."""
        now_ns = self._run.clock.now_ns()
        items = [item for item in self._waiting() if item.label == label]
        due = next((item for item in items if item.due_ns <= now_ns), None)
        if due is None:
            why = "is not due yet: advance the clock first" if items else "is not pending"
            raise ExplorationError(f"{label} {why}. Due are: {', '.join(self.due) or 'none'}.")
        return self._deliver(due, interruption)[0]

    def deliver_again(self, label: str) -> Run:
        """Deliver a job once more that is done."""
        record = self._done.get(label)
        if record is None:
            raise ExplorationError(
                f"{label} is not done. Done are: {', '.join(self._done) or 'none'}."
            )
        item = Pending(label, record, again=True)
        self._pending.append(item)
        return self._deliver(item, None)[0]

    def kill(self) -> None:
        """Let the process die that makes a delivery: called at one of its points."""
        self._watch.kill()
        self._processes.suspend()

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
        for item in self._pending:
            item.failures = 0
        for _ in range(_DRAINED_AT_MOST):
            waiting = self._waiting()
            if not waiting:
                return
            item = min(waiting, key=lambda item: item.due_ns)
            self._run.clock.reach_ns(item.due_ns)
            run, following = self._deliver(item, None)
            after_each()
            if following is not None:
                self._wait_for(following, run)
        still = self._waiting()
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
        self._pending.remove(item)
        record = item.record._bridge.redeliver(item.record) if item.again else item.record
        self._ledger.claim(record)
        run = Run(len(self._runs) + 1)
        self._runs.append(run)
        self._in_process(lambda: self._make(run, record, interruption))
        self._note(run)
        if self._processes.killed:
            self.restart()
            failures = 0
        elif run.acknowledged:
            self._done[item.label] = item.record
            return run, None
        elif run.delivery is not None and run.delivery.next is not None:
            return run, None
        else:
            failures = item.failures + 1
        following = Pending(item.label, item.record, again=True, failures=failures)
        self._pending.append(following)
        return run, following

    def _in_process(self, run: Callable[[], object]) -> None:
        context = self._context.copy()
        try:
            self._processes.do(lambda: context.run(run))
        except Hanging as hang:
            self._watch.dead = True
            if self._run.searching:
                raise
            raise ExplorationError(str(hang)) from None

    def _make(self, run: Run, record: JobRecord, interruption: Interruption | None) -> None:
        reach = None if interruption is None else partial(interruption.reach, run)
        self._watch = watch = Watch(run, reach, self, rival=False)
        body = WatchedBody(watch, self._run.tracer)
        performer = self._performer()
        token = watcher.set(watch)
        try:
            run.delivery = isolated(lambda: performer.deliver(self._ledger, record, lambda _: body))
        except Unwound as death:
            let_go(death)
        finally:
            watcher.reset(token)
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
        effects = sum(act is not None for act in run.point_acts)
        self.most_effects = max(self.most_effects, effects)
        self.most_lines = max(self.most_lines, len(run.points) - effects)
        self._run.any_point = self._run.any_point or bool(run.points)
        self._run.any_change = self._run.any_change or any(run.point_acts)

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
        """Return False: a delivery that is suspended is dead, and its connections are closed."""
        return False

    def hear_again(self) -> None:
        """Hear lines again, where an exception ended it."""
        self._run.tracer.hear_again()

    # What is pending

    def _waiting(self) -> Sequence[Pending]:
        return [item for item in self._pending if item.again or item.record._state is not REMOVED]

    def _added(self, record: JobRecord) -> None:
        if record._origin is REDELIVERY:
            return
        body = record._bridge.job_of(record)
        if not isinstance(body, str):
            self._run.scopes.add(record._bridge.resolve(body))
        self._pending.append(Pending(self._label(record), record))

    def _label(self, record: JobRecord) -> str:
        key = record._bridge, record.job_id
        if key not in self._labels:
            name = self._run.short_name(record)
            self._numbers[name] += 1
            self._labels[key] = f"{name}#{self._numbers[name]}"
        return self._labels[key]
