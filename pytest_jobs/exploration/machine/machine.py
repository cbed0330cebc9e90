"""`JobMachine`: searching for steps that break several jobs together."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ClassVar, Final, Literal, Self

from hypothesis import Phase, currently_in_test_context, settings, strategies as st
from hypothesis.stateful import (
    INITIALIZE_RULE_MARKER,
    INVARIANT_MARKER,
    RULE_MARKER,
    TestCaseProperty,
    precondition,
    rule,
)

from ...errors import DeclarationError, ExplorationError
from ...harness.records.texts import short_repr
from ..effects.doubles.kinds import CallKind, check_mocks
from ..engine.delivering import accepted
from ..report.audience import current_audience
from ..stores.account import Ignore
from .processes import Hanging
from .session import MachineRun, Options, Session
from .steps import DrawnPoint, MachineSteps

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
    invariants = [
        found
        for member in members
        if (found := getattr(member, INVARIANT_MARKER, None)) is not None
    ]
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
    own_rules = [
        found
        for member in members
        if (found := getattr(member, RULE_MARKER, getattr(member, INITIALIZE_RULE_MARKER, None)))
        and not _is_ours(found.function)
    ]
    if not machine.jobs and not own_rules:
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


class JobMachine(MachineSteps):
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

    _drawn_crash_at_effect = _interrupting("crash_at_effect", MachineSteps._crash, _MOMENT)
    _drawn_crash_at_line = _interrupting("crash_at_line", MachineSteps._crash, _LINE)
    _drawn_overlap_at_effect = _interrupting("overlap_at_effect", MachineSteps._overlap, _MOMENT)
    _drawn_overlap_at_line = _interrupting("overlap_at_line", MachineSteps._overlap, _LINE)
    _drawn_effect_fails = _interrupting("effect_fails", MachineSteps._effect_fails, _EFFECT)
    _drawn_reply_lost = _interrupting("reply_lost", MachineSteps._reply_lost, _EFFECT)

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


def _arguments(declared: Any) -> st.SearchStrategy[Any]:
    if isinstance(declared, st.SearchStrategy):
        return declared
    return st.fixed_dictionaries(
        {
            name: value if isinstance(value, st.SearchStrategy) else st.just(value)
            for name, value in declared.items()
        }
    )
