"""A search by a machine, or a script, and its examples: each a world, and the deliveries in it."""

from __future__ import annotations

import contextvars
import inspect
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final, Self

from hypothesis import reject

from ...errors import CriterionError, ExplorationError, PoisonJob
from ...harness.records.patches import Patches
from ...harness.records.progress import Work
from ...harness.records.record import REDELIVERY, REMOVED, JobRecord, Source
from ...harness.records.targets import Target
from ...harness.records.texts import short_name, short_repr
from ..effects.doubles.kinds import kinds_of
from ..engine.acts import Act
from ..engine.delivering import Deliveries, check_finished
from ..engine.engine import Engine
from ..engine.memory.places import Namespace
from ..engine.points import Point
from ..engine.run import Run
from ..engine.sameness.differences import not_fresh
from ..engine.scope import Scope
from ..engine.watching import AtSome
from ..histories.checked_job import open_search
from ..report.audience import current_audience, kept_state
from ..stores.account import Account, Ignore, accounts
from .processes import Hanging, Processes


@dataclass(frozen=True)
class Options:
    """The class of a machine, which has the options, and those of them that were checked and read."""

    owner: Any
    invariants: tuple[Any, ...]
    accept: tuple[type[BaseException], ...]
    ignore: Ignore

    @property
    def name(self) -> str:
        return str(self.owner.__name__)


class MachineRun:
    """Keeps the engine open for one example after another, and remembers what was seen in them."""

    def __init__(self, options: Options, examples: int | None = None) -> None:
        """Open nothing yet. Hypothesis makes so many examples; None if there is only one, a script."""
        self.options = options
        self.searching = examples is not None
        #: Has a step for each example.
        self.work = Work(options.name, "examples", examples)
        #: How many deliveries ran the body of a job.
        self.performed = 0
        #: Whether a delivery came to a point at which it could have been killed.
        self.any_point = False
        #: Whether a delivery had an effect, or the state changed.
        self.any_change = False
        #: By the names of jobs: None as soon as one succeeded at a first delivery that nothing disturbed, and the
        #: error of such a delivery before.
        self._first: dict[str, BaseException | None] = {}
        self._example: Session | None = None
        self._initial: Mapping[str, Any] | None = None
        self._modules_of = 0
        self._stack = ExitStack()

    def open(self) -> None:
        with ExitStack() as stack:
            owner = self.options.owner
            scope = Scope(owner.world, owner.trace, owner.atomic)
            self.engine = engine = stack.enter_context(
                Engine.opened(
                    scope,
                    current_audience().sources(),
                    tuple(owner.apps),
                    kept=kept_state(),
                    time_limit=owner.time_limit,
                )
            )
            targets = [self._target(job) for job in owner.jobs]
            self._name(targets)
            for target in targets:
                scope.add(target.bridge.resolve(target.job))
            open_search(engine, owner.mocks)
            self.look_at_modules()
            _let_threads_share_connections(engine.patches)
            self._stack = stack.pop_all()

    def close(self) -> None:
        try:
            self.end()
        finally:
            self.engine.memory.put_back()
            self._stack.close()

    def begin(self) -> Session:
        """Begin an example."""
        self.end()
        self.work.step("")
        if self._initial is None:
            # A first world, to see in every further one whether it is fresh.
            Session(self).open().close()
        self._example = example = Session(self).open()
        return example

    def end(self) -> None:
        example, self._example = self._example, None
        if example is not None:
            example.close()

    def note_first(self, name: str, error: BaseException | None) -> None:
        """Note how the first delivery of a job ended that nothing disturbed."""
        self._first[name] = error if self._first.get(name, error) is not None else None

    def check_guesses(self, error: Exception) -> None:
        """Raise if an example that is over failed because its world was taken for memory of a process.

        A search goes on, and knows better now.
        """
        memory = self.engine.memory
        if self._initial is None or not memory.any_guess():
            return
        Session(self).open().close()
        if not memory.guessed_wrongly:
            return
        if self.searching:
            reject()
        raise ExplorationError(
            f"The world makes {', '.join(memory.guessed_wrongly)} anew, and its state does not show that. So the "
            "script has taken it for something that a process keeps in memory, and a new process began without "
            "it. The failure shows nothing: let the state show it."
        ) from error

    def check_looked(self) -> None:
        """Raise if the search has shown nothing: no job was performed, or nothing of it was seen."""
        name = self.options.name
        if not self.performed:
            raise ExplorationError(
                f"{name} never performed a job, so it shows nothing: give `jobs` arguments that can be drawn, "
                "or write rules that enqueue, and preconditions that can be met."
            )
        for job, error in self._first.items():
            if error is not None:
                raise ExplorationError(
                    f"{job} never succeeded at a first delivery that nothing disturbed: it failed with {error!r}. "
                    f"So nothing shows how its work ends well. Make the world such that {job} succeeds, or say "
                    f"accept = ({type(error).__name__},) if it may end so."
                ) from error
        if not self.any_change:
            raise ExplorationError(
                f"{name} performed jobs {self.performed} times, and they changed nothing that the world shows and "
                "did nothing that is heard of: the state that the world yields has to show their work."
            )
        if not self.any_point:
            raise ExplorationError(
                f"{name} performed jobs {self.performed} times, and no line and no effect of them is one at which "
                "they could be killed: their code is installed, or all of it is `atomic`. Name it in `trace`."
            )
        if self.searching:
            kinds_of(self.engine.of_search).check_all_used()
            self.options.ignore.check_used()

    def check_fresh(self, initial: Mapping[str, Any]) -> None:
        """Raise if the state of a new world is not that of the first one."""
        if self._initial is None:
            self._initial = initial
        if initial != self._initial:
            raise not_fresh(self._initial, initial)

    def short_name(self, record: JobRecord) -> str:
        """Return the name by which steps call the job of a record, without its number."""
        return self._names.get((record.source, record.name), short_name(record.name))

    def look_at_modules(self) -> None:
        """Look at the modules that may keep something for jobs: called before a world is built."""
        if len(sys.modules) != self._modules_of:
            modules = self.engine.scope.loaded_modules()
            self._modules_of = len(sys.modules)
            self.engine.memory.look_at(modules)

    def add_job(self, body: Callable[..., Any]) -> None:
        """Trace the function of a job that was enqueued."""
        if self.engine.scope.add(body):
            self._modules_of = 0

    def _name(self, targets: list[Target]) -> None:
        taken = Counter(short_name(target.name) for target in targets)
        self.targets: dict[str, Target] = {}
        for target in targets:
            short = short_name(target.name)
            name = short if taken[short] == 1 else target.name
            if name in self.targets:
                raise CriterionError(
                    f"Two jobs of {self.options.name} are named {name!r}: give one of them another name."
                )
            self.targets[name] = target
        self._names: dict[tuple[Source, str], str] = {
            (target.bridge, target.name): name for name, target in self.targets.items()
        }

    def _target(self, job: Any) -> Target:
        targets = self.engine.harness.targets
        target = targets.find(job)
        if target is not None:
            return target
        is_function = inspect.isroutine(job) or isinstance(job, partial)
        if not is_function or targets.find(getattr(job, "__self__", None)):
            # Raises the error that says what a job is.
            return targets.get(job)
        return self.engine.add_function(job)


def _let_threads_share_connections(patches: Patches) -> None:
    """Let jobs use a connection of the world. They run in other threads, but one at a time."""
    import sqlite3
    from sqlite3 import dbapi2

    connect: Callable[..., Any] = sqlite3.connect

    def shared(*args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("check_same_thread", False)
        return connect(*args, **kwargs)

    patches.set(sqlite3, "connect", shared)
    patches.set(dbapi2, "connect", shared)


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
        #: By the source and the id of a job: the label that steps use, such as `pay#2`.
        self.labels: dict[tuple[Source, str], str] = {}
        self._numbers: Counter[str] = Counter()
        self._pending: list[Pending] = []
        #: The jobs that are done, by their labels.
        self.done: dict[str, JobRecord] = {}
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
        run.look_at_modules()
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
        self.account.check_bound()

    def state(self) -> Any:
        with self.account.during("snapshot"):
            return super().state()

    def observed(self) -> dict[str, Any]:
        with self.account.during("snapshot"):
            return super().observed()

    @property
    def _waiting(self) -> Sequence[Pending]:
        """The deliveries that are to be made, whether due or not."""
        return [item for item in self._pending if item.again or item.record.state is not REMOVED]

    @property
    def due(self) -> list[str]:
        now_ns = self.engine.clock.now_ns()
        return list(dict.fromkeys(item.label for item in self._waiting if item.due_ns <= now_ns))

    # Steps

    def enqueue(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
        """Enqueue a job of the machine; return its label, or None if its library dropped it."""
        target = self._run.targets.get(name)
        if target is None:
            raise ExplorationError(
                f"{self._run.options.name} has no job {name!r}: it has {', '.join(self._run.targets)}."
            )
        before = len(self._pending)
        enqueueing = target.bridge.enqueue(target.job, args, kwargs)
        if enqueueing is not None:
            self._in_process(lambda: self.finish_enqueueing(enqueueing))
        return self._pending[-1].label if len(self._pending) > before else None

    def deliver(self, label: str, interruption: Interruption | None = None) -> Run:
        """Make the next delivery of a job that is due; raise if there is none."""
        now_ns = self.engine.clock.now_ns()
        items = [item for item in self._waiting if item.label == label]
        due = next((item for item in items if item.due_ns <= now_ns), None)
        if due is None:
            why = "is not due yet: advance the clock first" if items else "is not pending"
            raise ExplorationError(f"{label} {why}. Due are: {', '.join(self.due) or 'none'}.")
        self._pending.remove(due)
        return self._deliver(due, interruption)[0]

    def deliver_again(self, label: str) -> Run:
        """Deliver a job that is done; raise if it is not."""
        record = self.done.get(label)
        if record is None:
            raise ExplorationError(
                f"{label} is not done. Done are: {', '.join(self.done) or 'none'}."
            )
        return self._deliver(Pending(label, record, again=True), None)[0]

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
        for item in self._pending:
            item.failures = 0
        for _ in range(_DRAINED_AT_MOST):
            waiting = self._waiting
            if not waiting:
                return
            item = min(waiting, key=lambda item: item.due_ns)
            self._pending.remove(item)
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
        for still in self._waiting:
            raise ExplorationError(
                f"After {_DRAINED_AT_MOST} more deliveries there are still jobs pending, {still.label} among "
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
            self.done[item.label] = item.record
            return None
        elif run.delivery is not None and run.delivery.next is not None:
            return None
        elif not run.spinning:
            failures = item.failures + 1
        following = Pending(item.label, item.record, again=True, failures=failures)
        self._pending.append(following)
        return following

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
        key = record.source, record.job_id
        if key not in self.labels:
            name = self._run.short_name(record)
            self._numbers[name] += 1
            self.labels[key] = f"{name}#{self._numbers[name]}"
        self._pending.append(Pending(self.labels[key], record))
