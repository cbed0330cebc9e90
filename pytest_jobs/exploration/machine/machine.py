"""`JobMachine`: searching for steps that break several jobs together."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, ClassVar, Final, Literal, Self, TypeAlias

from hypothesis import Phase, currently_in_test_context, settings, strategies as st
from hypothesis.stateful import (
    INITIALIZE_RULE_MARKER,
    INVARIANT_MARKER,
    RULE_MARKER,
    RuleBasedStateMachine,
    TestCaseProperty,
    precondition,
    rule,
)

from ...errors import DeclarationError, ExplorationError
from ...harness.records.texts import short_repr
from ..effects.doubles.kinds import CallKind, check_mocks
from ..engine.acts import Act, Unwound
from ..engine.delivering import accepted
from ..engine.points import Point
from ..engine.run import Run
from ..report.audience import current_audience
from ..stores.account import Ignore
from .processes import Hanging
from .session import Interruption, MachineRun, Options, Session

#: The current search, or a script that has begun and was not torn down.
_current: ContextVar[MachineRun | None] = ContextVar("pytest_jobs_machine_run", default=None)


class TestCases(TestCaseProperty):
    """Gives each class of a machine its test case. One `MachineRun` serves all its examples."""

    __test__ = False

    def __get__(self, machine: Any, owner: Any = None) -> Any:
        owner = owner if machine is None else type(machine)
        if "_jobs_test_case" not in vars(owner):
            owner._jobs_test_case = _test_case(owner, super().__get__(None, owner))
        return owner._jobs_test_case


def checked_options(machine: type[Any]) -> Options:
    """Return the attributes of the class of a machine; raise if one is missing that a search needs."""
    name = machine.__name__
    members = [member for _, member in inspect.getmembers(machine)]
    invariants = [getattr(each, INVARIANT_MARKER, None) for each in members]
    invariants = [found for found in invariants if found is not None]
    if not callable(machine.world):
        raise DeclarationError(
            f"{name} has no world: say `world = ...`, a generator function that builds everything afresh and "
            "yields a callable which returns the state."
        )
    if not invariants and _is_ours(machine.settled):
        raise DeclarationError(
            f"{name} says nothing that has to hold, so nothing could be found: write an `@invariant()`, or a "
            "method `settled`."
        )
    markers = (RULE_MARKER, INITIALIZE_RULE_MARKER)
    rules = (getattr(each, marker, None) for each in members for marker in markers)
    if not machine.jobs and all(found is None or _is_ours(found.function) for found in rules):
        raise DeclarationError(
            f"{name} has no jobs: say `jobs = {{pay: {{'payment_id': st.integers(1, 2)}}}}`, or write rules that "
            "enqueue some."
        )
    for job, arguments in machine.jobs.items():
        if not isinstance(arguments, Mapping | st.SearchStrategy):
            raise DeclarationError(
                f"{name} gives {job!r} the arguments {arguments!r}: give it values or strategies by parameter "
                "name, or a strategy that draws all of them."
            )
    check_mocks(machine.mocks)
    return Options(machine, tuple(invariants), accepted(machine.accept), Ignore(machine.ignore))


def joined_run(machine: type[Any]) -> MachineRun:
    """Return the current search of a machine, or a new run for a script."""
    run = _current.get()
    if run is not None and run.searching and run.options.owner is machine:
        return run
    options = checked_options(machine)
    if currently_in_test_context():
        raise ExplorationError(
            f"{options.name} is run by Hypothesis without its test case, which alone sees whether any job was "
            f"performed: write `Test{options.name} = {options.name}.TestCase`, and for settings decorate the "
            f"class, or assign `{options.name}.TestCase.settings`."
        )
    _drop_abandoned()
    run = MachineRun(options)
    run.open()
    _current.set(run)
    current_audience().script = run
    return run


def leave(run: MachineRun, error: BaseException | None = None) -> None:
    """End the example of a run; close the run of a script."""
    try:
        run.end()
        if isinstance(error, Exception):
            run.check_guesses(error)
    finally:
        if not run.searching:
            if _current.get() is run:
                _current.set(None)
            if current_audience().script is run:
                current_audience().script = None
            run.close()


def _test_case(owner: type[Any], base: type[Any]) -> type[Any]:
    @functools.wraps(base.runTest)
    def runTest(self: Any) -> None:  # noqa: N802 - unittest calls it so
        _drop_abandoned()
        run = MachineRun(checked_options(owner), self.settings.max_examples)
        run.open()
        token = _current.set(run)
        try:
            with run.work:
                base.runTest(self)
            run.check_looked()
        except Hanging as hang:
            raise ExplorationError(str(hang)) from None
        finally:
            _current.reset(token)
            run.close()

    # The explain phase prints nothing for a machine, whose steps are not arguments. It made a search
    # twice as long, and seven times on Python 3.11.
    phases = [phase for phase in base.settings.phases if phase is not Phase.explain]
    members = {
        "__module__": owner.__module__,
        "__qualname__": base.__qualname__,
        "settings": settings(base.settings, phases=phases),
        "runTest": runTest,
    }
    return type(base.__name__, (base,), members)


def _is_ours(function: Any) -> bool:
    return bool(function.__module__.startswith(f"{__package__}."))


def _drop_abandoned() -> None:
    """Close a script that has failed, and so was never torn down."""
    run = _current.get()
    if run is not None and not run.searching:
        leave(run)


#: These lines run while a module is imported, under a lock that a killed worker would keep.
_IMPORTING: Final = "<module>"


@dataclass
class DrawnPoint:
    """A point by its kind and its position, since the points themselves are unknown before the delivery.

    Positions are counted from 1; 0 is at none.
    """

    kind: Literal["effect", "line"]
    position: int

    def is_at(self, point: Point, act: Act | None) -> bool:
        """Return whether this is the point. Called for each point in turn, until it is."""
        if (self.kind == "effect") != (act is not None) or point.function == _IMPORTING:
            return False
        self.position -= 1
        return self.position == 0


#: A point that was drawn, or the name by which a script calls it.
At: TypeAlias = DrawnPoint | str


def name_of(point: Point) -> str:
    """Return what scripts call a point: its text, its function, and how often it has come."""
    moment = "" if point.kind == "line" else f"{point.kind} "
    return f"{moment}{effect_name_of(point)}"


def effect_name_of(point: Point) -> str:
    """Return what scripts call the effect of a point: its name without `before` or `after`."""
    time = f", time {point.hit}" if point.hit > 1 else ""
    return f"{point.text} in {point.function}{time}"


#: Positions among the points of effects, and among the lines, are drawn up to these numbers while no
#: delivery has ended yet. Later they are drawn up to twice as many as the longest delivery had. They
#: are counted from 1. 0 interrupts nothing, so that Hypothesis shrinks to a plain delivery.
_EFFECTS: Final = 6
_LINES: Final = 16
_GAPS: Final = (1, 60, 3_600, 25 * 3_600, 40 * 24 * 3_600)


def _for_machine(strategy: Callable[[JobMachine], st.SearchStrategy[Any]]) -> Any:
    return st.runner().flatmap(strategy)


def _labels(labels: Callable[[Session], Collection[str]]) -> Any:
    return _for_machine(lambda machine: st.sampled_from(list(labels(machine._jobs_session))))


_DUE: Final = _labels(lambda session: session.due)
_DONE: Final = _labels(lambda session: session.done)
_EFFECT: Final = _for_machine(
    lambda machine: st.integers(0, machine._jobs_session.most_effects or _EFFECTS // 2)
)
_MOMENT: Final = _for_machine(
    lambda machine: st.integers(0, 2 * machine._jobs_session.most_effects or _EFFECTS)
)
_LINE: Final = _for_machine(
    lambda machine: st.integers(0, 2 * machine._jobs_session.most_lines or _LINES)
)
_any_due = precondition(lambda machine: bool(machine._jobs_session.due))


def _interrupting(
    name: str, step: Callable[[Any, str, DrawnPoint], None], position: st.SearchStrategy[int]
) -> Any:
    """Return a rule that interrupts a delivery at a position that is drawn."""
    kind: Literal["effect", "line"] = "line" if position is _LINE else "effect"

    def interrupt(machine: Any, job: str, position: int) -> None:
        step(machine, job, DrawnPoint(kind, position))

    # Hypothesis orders the rules by these names when it shrinks.
    interrupt.__name__ = f"_drawn_{name}"
    return _any_due(rule(job=_DUE, position=position)(interrupt))


class JobMachine(RuleBasedStateMachine):
    """Search for steps that break several jobs together, as a Hypothesis state machine.

    A subclass names the jobs and their world; `@invariant` and `settled` check what must always hold.
    Hypothesis enqueues jobs, performs them, makes their effects fail, kills their workers, delivers
    them again and twice at once, starts new processes and lets time pass, in any order. An example
    that fails is printed as a script that runs. Its steps name a job as `pay#2`, the second `pay` that
    was enqueued.

    Rules, invariants, preconditions and initializers of Hypothesis can be added. Jobs that they
    enqueue are pending as well.
    """

    #: Builds everything afresh and yields a callable that returns the state: as for `check_idempotent`.
    world: ClassVar[Any] = None
    #: The jobs, and the keyword arguments of each: values or strategies by name, or one strategy that
    #: draws all of them.
    jobs: ClassVar[Mapping[Any, Any]] = {}
    #: The applications of the job libraries, as for `open_jobs`, if no harness is open.
    apps: ClassVar[Iterable[object]] = ()
    #: Exceptions with which a delivery may end.
    accept: ClassVar[Collection[type[BaseException]]] = ()
    #: Modules, functions or classes whose lines count instead of the code of the project.
    trace: ClassVar[object] = None
    #: Modules, functions or classes that are one step.
    atomic: ClassVar[Iterable[object]] = ()
    #: What the calls of mocks are, by their names: as for `check_idempotent`.
    mocks: ClassVar[Mapping[str, CallKind]] = {}
    #: Names or patterns of stores, tables, keys and files that jobs write and the world neither makes nor binds:
    #: as for `check_idempotent`.
    ignore: ClassVar[Collection[str]] = ()
    #: A delivery that takes so many seconds of real time hangs.
    time_limit: ClassVar[float] = 30.0

    TestCase = TestCases()

    _jobs_session: Session
    _jobs_run: MachineRun

    def __init__(self) -> None:
        """Build the world.

        Raises:
            DeclarationError: when an attribute of the class is missing.
            ExplorationError: when the world is not fresh.
        """
        super().__init__()
        self._jobs_error = sys.exc_info()[1]
        self._jobs_step = ""
        self._jobs_run = joined_run(type(self))
        self._jobs_session = self._jobs_run.begin()

    def settled(self) -> None:
        """Check what has to hold when every job is done: to be overridden.

        It is called at the end of each example, after everything pending has been delivered without
        interruptions.
        """

    def teardown(self) -> None:
        """Drain, call `settled`, and throw the world away.

        An override must call this one. After a failure nothing is checked.

        Raises:
            PoisonJob: when a job is never done.
            ExplorationError: when a script performed nothing.
        """
        error = sys.exc_info()[1]
        failed = error is not self._jobs_error
        try:
            is_begun = not (self._jobs_run.searching and self._initialize_rules_to_run)
            if not failed and is_begun:
                self._jobs_session.drain(self._check_invariants)
                self._check_invariants()
                self.settled()
                self._jobs_session.note_change()
                self._jobs_session.check_stores()
                if not self._jobs_run.searching:
                    self._jobs_run.check_looked()
        except BaseException as failure:
            leave(self._jobs_run, failure)
            raise
        leave(self._jobs_run, error if failed else None)

    def __enter__(self) -> Self:
        """Use a script as a block; its world is thrown away at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drain and call `settled` unless the block fails, and throw the world away."""
        if error is None:
            self.teardown()
        else:
            leave(self._jobs_run, error)

    # Steps

    @property
    def state(self) -> Any:
        """The state of the world, as its snapshot callable returns it."""
        return self._jobs_session.state()

    def enqueue(self, job: str, /, *args: Any, **kwargs: Any) -> str | None:
        """Enqueue a job.

        Args:
            job: its name among `jobs`.
            args: its positional arguments.
            kwargs: its keyword arguments.

        Returns:
            Its label, for other steps; None if its library did not take it.

        Raises:
            ExplorationError: when the machine has no such job.
        """
        shown = [repr(job), *map(repr, args)]
        self._note_step("enqueue", *shown, *(f"{name}={value!r}" for name, value in kwargs.items()))
        return self._jobs_session.enqueue(job, args, kwargs)

    def perform(self, job: str) -> None:
        """Deliver a job that is due, without an interruption.

        Args:
            job: its label, such as `pay#2`.

        Raises:
            ExplorationError: when it is not pending, or not due.
        """
        self._note_step("perform", repr(job))
        self._note_error(self._jobs_session.deliver(job))

    def crash(self, job: str, at: str) -> None:
        """Deliver a job that is due, and kill its worker at a point. The job is pending again.

        Args:
            job: its label.
            at: the point, such as `db.commit() in pay`, before that line runs, or
                `after gateway: charge(7) in pay`.

        Raises:
            ExplorationError: when the delivery does not come to the point.
        """
        self._crash(job, at)

    def effect_fails(self, job: str, at: str) -> None:
        """Deliver a job that is due, and let an effect raise instead of happening.

        Args:
            job: its label.
            at: the effect, such as `gateway: charge(7) in pay`.

        Raises:
            ExplorationError: when the delivery does not come to the effect.
        """
        self._effect_fails(job, at)

    def reply_lost(self, job: str, at: str) -> None:
        """Deliver a job that is due, and let an effect happen and raise all the same.

        Args:
            job: its label.
            at: the effect.

        Raises:
            ExplorationError: when the delivery does not come to the effect, or it has no answer.
        """
        self._reply_lost(job, at)

    def overlap(self, job: str, at: str) -> None:
        """Deliver a job that is due, and at a point of that delivery a second time, from beginning to end.

        The second delivery runs in another process. If it finds a lock held, it is pending again.

        Args:
            job: its label.
            at: the point, as for `crash`.

        Raises:
            ExplorationError: when the first delivery does not come to the point, or both use one
                connection.
        """
        self._overlap(job, at)

    def deliver_again(self, job: str) -> None:
        """Deliver a job again that is done.

        Args:
            job: its label.

        Raises:
            ExplorationError: when it is not done.
        """
        self._note_step("deliver_again", repr(job))
        self._note_error(self._jobs_session.deliver_again(job))

    def restart(self) -> None:
        """Let the following deliveries run in a new process, which has nothing in memory yet."""
        self._note_step("restart")
        self._jobs_session.restart()

    def advance(self, seconds: float) -> None:
        """Let virtual time pass without a delivery.

        Args:
            seconds: how much.
        """
        self._note_step("advance", f"seconds={seconds!r}")
        self._jobs_session.wait(timedelta(seconds=seconds))

    def drain(self) -> None:
        """Deliver everything until nothing is pending, and check the invariants after each delivery.

        Raises:
            PoisonJob: when a job is never done.
            ExplorationError: when there is no end.
        """
        self._note_step("drain")
        self._jobs_session.drain(self._check_invariants)

    # Interrupting

    def _crash(self, job: str, at: At) -> None:
        def kill(point: Point, act: Act | None) -> BaseException:
            self._jobs_session.kill()
            return Unwound()

        self._interrupt("crash", job, at, kill)

    def _overlap(self, job: str, at: At) -> None:
        def pause(point: Point, act: Act | None) -> BaseException | None:
            return None if self._jobs_session.pause() else Unwound()

        self._interrupt("overlap", job, at, pause)

    def _effect_fails(self, job: str, at: At) -> None:
        self._fail("effect_fails", job, at, lambda act: act.refused, is_after=False)

    def _reply_lost(self, job: str, at: At) -> None:
        self._fail("reply_lost", job, at, lambda act: act.answer_lost, is_after=True)

    def _fail(
        self,
        step: str,
        job: str,
        at: At,
        error_of: Callable[[Act], Callable[[], Exception] | None],
        *,
        is_after: bool,
    ) -> None:
        def maker(point: Point, act: Act | None) -> Callable[[], Exception] | None:
            is_its_time = point.kind == ("after" if is_after else "before")
            return None if act is None or not is_its_time else error_of(act)

        def fail(point: Point, act: Act | None) -> BaseException | None:
            # Only here, since making the error of a database breaks its connection.
            make = maker(point, act)
            return None if make is None else make()

        self._interrupt(
            step, job, at, fail, effect_name_of, lambda point, act: maker(point, act) is not None
        )

    def _interrupt(
        self,
        step: str,
        job: str,
        at: At,
        interrupt: Callable[[Point, Act | None], BaseException | None],
        named: Callable[[Point], str] = name_of,
        counts: Callable[[Point, Act | None], bool] = lambda point, act: True,
    ) -> None:
        """Interrupt a delivery once, at a point.

        Args:
            step: what scripts call that.
            job: the label of the job.
            at: the point.
            interrupt: called there; returns the error to raise, or None.
            named: returns what scripts call a point.
            counts: returns whether a point can be chosen at all.
        """

        def is_at(point: Point, act: Act | None) -> bool:
            if not counts(point, act):
                return False
            return at.is_at(point, act) if isinstance(at, DrawnPoint) else named(point) == at

        # A position beyond the last point interrupts nothing, so the step is a plain `perform`.
        self._note_step("perform", repr(job))
        interruption = Interruption(is_at, interrupt)
        run = self._jobs_session.deliver(job, interruption)
        if interruption.point is not None:
            self._note_step(step, repr(job), f"at={named(interruption.point)!r}")
        elif not isinstance(at, DrawnPoint):
            came_to = "".join(f"\n  {name_of(point)}" for point in run.points)
            raise ExplorationError(
                f"{job} did not come to {at!r} in this step. It came to:{came_to or ' none'}"
            )
        self._note_error(run)

    # The rules that Hypothesis draws

    @precondition(lambda machine: bool(machine._jobs_run.targets))
    @rule(call=_for_machine(lambda machine: machine._calls()))
    def _drawn_enqueue(self, call: tuple[str, Mapping[str, Any]]) -> None:
        name, kwargs = call
        if not isinstance(kwargs, Mapping):
            raise DeclarationError(
                f"The strategy of {name} in `jobs` drew {short_repr(kwargs)}: draw the keyword arguments, as in "
                "`st.fixed_dictionaries({'payment_id': st.integers()})`."
            )
        self.enqueue(name, **kwargs)

    @_any_due
    @rule(job=_DUE)
    def _drawn_perform(self, job: str) -> None:
        self.perform(job)

    _drawn_crash_at_effect = _interrupting("crash_at_effect", _crash, _MOMENT)
    _drawn_crash_at_line = _interrupting("crash_at_line", _crash, _LINE)
    _drawn_overlap_at_effect = _interrupting("overlap_at_effect", _overlap, _MOMENT)
    _drawn_overlap_at_line = _interrupting("overlap_at_line", _overlap, _LINE)
    _drawn_effect_fails = _interrupting("effect_fails", _effect_fails, _EFFECT)
    _drawn_reply_lost = _interrupting("reply_lost", _reply_lost, _EFFECT)

    @precondition(lambda machine: bool(machine._jobs_session.done))
    @rule(job=_DONE)
    def _drawn_deliver_again(self, job: str) -> None:
        self.deliver_again(job)

    # The simplest rule for Hypothesis, since it draws nothing. It must always be possible: otherwise the
    # steps of a shrunk example would begin with failed choices, and be too long to be removed.
    @rule()
    def _drawn_restart(self) -> None:
        self.restart()

    @precondition(lambda machine: bool(machine._jobs_session.labels))
    @rule(seconds=st.sampled_from(_GAPS))
    def _drawn_advance(self, seconds: int) -> None:
        self.advance(seconds)

    def _calls(self) -> st.SearchStrategy[Any]:
        return st.one_of(
            [
                st.tuples(st.just(name), _arguments(type(self).jobs[target.job]))
                for name, target in self._jobs_run.targets.items()
            ]
        )

    # The script that is printed

    def _repr_step(self, rule: Any, data: Any, result: Any) -> str:
        """Return a step as the call that a script needs, rather than with the values that were drawn."""
        if rule.function.__module__ == __name__ and self._jobs_step:
            return f"state.{self._jobs_step}"
        return super()._repr_step(rule, data, result)

    def _note_step(self, step: str, *arguments: str) -> None:
        self._jobs_step = f"{step}({', '.join(arguments)})"

    def _note_error(self, run: Run) -> None:
        if run.error is not None:
            self._jobs_step += f"  # it raised {short_repr(run.error)}"

    def _check_invariants(self) -> None:
        for invariant in self._jobs_run.options.invariants:
            if all(met(self) for met in invariant.preconditions):
                invariant.function(self)


def _arguments(declared: Any) -> st.SearchStrategy[Any]:
    if isinstance(declared, st.SearchStrategy):
        return declared
    return st.fixed_dictionaries(
        {
            name: value if isinstance(value, st.SearchStrategy) else st.just(value)
            for name, value in declared.items()
        }
    )
