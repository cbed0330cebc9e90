"""Searching for the steps that lead several jobs astray together."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ClassVar, Final, Self, cast

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
from ..engine.world import World
from .interruptions import DrawnPoint
from .processes import Hanging
from .run import MachineRun, Options
from .session import Session
from .steps import MachineSteps

#: The search that goes on, or the script that was begun and not torn down.
_current: ContextVar[MachineRun | None] = ContextVar("pytest_jobs_machine_run", default=None)


class TestCases(TestCaseProperty):
    """Gives each class of a machine a test case, which is one run for all examples."""

    __test__ = False

    def __get__(self, machine: Any, owner: Any = None) -> Any:
        owner = owner if machine is None else type(machine)
        if "_jobs_test_case" not in vars(owner):
            owner._jobs_test_case = _test_case(owner, super().__get__(None, owner))
        return owner._jobs_test_case


def checked_options(machine: type[Any]) -> Options:
    """Return what the class of a machine says.

    Raises:
        DeclarationError: when that is too little to find anything.
    """
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
    return Options(
        machine,
        cast(World, machine.world),
        tuple(machine.jobs),
        tuple(invariants),
        tuple(machine.apps),
        tuple(machine.accept),
        machine.trace,
        machine.atomic,
        machine.time_limit,
    )


def taken_part(machine: type[Any]) -> MachineRun:
    """Return the search that a machine is part of, or a run for a script alone.

    Raises:
        DeclarationError: when the class says too little to find anything.
        ExplorationError: when Hypothesis runs the machine, and no test case of ours does.
    """
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
    run = MachineRun(options, searching=False)
    run.open()
    _current.set(run)
    return run


def leave(run: MachineRun) -> None:
    """End the part that a machine takes in a run."""
    try:
        run.end()
    finally:
        if not run.searching:
            if _current.get() is run:
                _current.set(None)
            run.close()


def _test_case(owner: type[Any], base: type[Any]) -> type[Any]:
    @functools.wraps(base.runTest)
    def runTest(self: Any) -> None:  # noqa: N802 - unittest calls it so
        _drop_abandoned()
        run = MachineRun(checked_options(owner), searching=True)
        run.open()
        token = _current.set(run)
        try:
            base.runTest(self)
            run.check_looked()
        except Hanging as hang:
            raise ExplorationError(str(hang)) from None
        finally:
            _current.reset(token)
            run.close()

    # What Hypothesis does to explain a failure prints nothing for a machine, whose steps are no
    # arguments, and it was seen to make a search twice as long, and on Python 3.11 seven times.
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
    """Close a script that failed, and so was never torn down."""
    run = _current.get()
    if run is not None and not run.searching:
        leave(run)


#: Positions among the moments of effects, and among the lines, are drawn up to here while no delivery
#: has come to its end, and up to twice as many as one had from then on. They are counted from 1, and
#: 0 hinders nothing, so that Hypothesis comes to a plain delivery when it makes an example shorter.
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


class JobMachine(MachineSteps):
    """Search for steps that lead several jobs astray together, as a Hypothesis state machine.

    A subclass says which jobs there are, in what world, and by `@invariant` and `settled` what has
    to hold. Hypothesis enqueues jobs, performs them, makes their effects fail, kills their workers,
    delivers them again and twice at once, starts new processes and lets time pass, in any order. What
    fails is printed as a script that runs: steps name a job as `pay#2`, the second `pay` that was
    enqueued.

    Rules, invariants, preconditions and initializers of Hypothesis can be added. What they enqueue
    is pending as well.
    """

    #: Builds everything afresh and yields a callable that returns the state: as for `check_idempotent`.
    world: ClassVar[Any] = None
    #: The jobs that are enqueued, and their keyword arguments: by name, values or strategies; or one
    #: strategy that draws all of them.
    jobs: ClassVar[Mapping[Any, Any]] = {}
    #: The applications of the job libraries, as for `open_jobs`, where no harness is open.
    apps: ClassVar[Iterable[object]] = ()
    #: Exceptions with which a delivery may end.
    accept: ClassVar[Collection[type[BaseException]]] = ()
    #: Modules, functions or classes whose lines count, instead of the code of the project.
    trace: ClassVar[object] = None
    #: Modules, functions or classes that are one step.
    atomic: ClassVar[Iterable[object]] = ()
    #: Seconds of real time after which a delivery is taken to hang.
    time_limit: ClassVar[float] = 30.0

    TestCase = TestCases()

    def __init__(self) -> None:
        """Build the world.

        Raises:
            DeclarationError: when the class says too little to find anything.
            ExplorationError: when the world is not fresh.
        """
        super().__init__()
        self._jobs_error = sys.exc_info()[1]
        self._jobs_told = ""
        self._jobs_run = taken_part(type(self))
        self._jobs_session = self._jobs_run.begin(Session)

    def settled(self) -> None:
        """Check what has to hold when every job is done: to be overridden.

        It is called at the end of each example, when everything that was pending has been delivered
        with nothing to hinder it.
        """

    def teardown(self) -> None:
        """Drain, check what is settled, and throw the world away.

        An override calls this one. After a failure nothing is checked.

        Raises:
            PoisonJob: when a job is never done.
            ExplorationError: when a script performed nothing.
        """
        try:
            if sys.exc_info()[1] is self._jobs_error and self._is_initialized():
                self._jobs_session.drain(self._check_invariants)
                self._check_invariants()
                self.settled()
                self._jobs_session.note_change()
                if not self._jobs_run.searching:
                    self._jobs_run.check_looked()
        finally:
            leave(self._jobs_run)

    def __enter__(self) -> Self:
        """Use a script as a block, at whose end the world is thrown away."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Check what is settled, unless the block fails, and throw the world away."""
        if error is None:
            self.teardown()
        else:
            leave(self._jobs_run)

    # What Hypothesis draws

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

    @_any_due
    @rule(job=_DUE, position=_MOMENT)
    def _drawn_crash_at_effect(self, job: str, position: int) -> None:
        self._crash(job, DrawnPoint("effect", position))

    @_any_due
    @rule(job=_DUE, position=_LINE)
    def _drawn_crash_at_line(self, job: str, position: int) -> None:
        self._crash(job, DrawnPoint("line", position))

    @_any_due
    @rule(job=_DUE, position=_MOMENT)
    def _drawn_overlap_at_effect(self, job: str, position: int) -> None:
        self._overlap(job, DrawnPoint("effect", position))

    @_any_due
    @rule(job=_DUE, position=_LINE)
    def _drawn_overlap_at_line(self, job: str, position: int) -> None:
        self._overlap(job, DrawnPoint("line", position))

    @_any_due
    @rule(job=_DUE, position=_EFFECT)
    def _drawn_effect_fails(self, job: str, position: int) -> None:
        self._effect_fails(job, DrawnPoint("effect", position))

    @_any_due
    @rule(job=_DUE, position=_EFFECT)
    def _drawn_reply_lost(self, job: str, position: int) -> None:
        self._reply_lost(job, DrawnPoint("effect", position))

    @precondition(lambda machine: bool(machine._jobs_session.done))
    @rule(job=_DONE)
    def _drawn_deliver_again(self, job: str) -> None:
        self.deliver_again(job)

    # The first of the rules for Hypothesis, since it draws nothing. If it were not possible always, the
    # steps of an example that is made shorter would begin with vain choices, and be too long to go.
    @rule()
    def _drawn_restart(self) -> None:
        self.restart()

    @precondition(lambda machine: machine._jobs_session.any_job)
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

    # Telling

    def _repr_step(self, rule: Any, data: Any, result: Any) -> str:
        """Return a step as the call that does the same, whatever was drawn for it."""
        if rule.function.__module__ == __name__ and self._jobs_told:
            return f"state.{self._jobs_told}"
        return super()._repr_step(rule, data, result)

    def _is_initialized(self) -> bool:
        return not (self._jobs_run.searching and self._initialize_rules_to_run)


def _arguments(declared: Any) -> st.SearchStrategy[Any]:
    if isinstance(declared, st.SearchStrategy):
        return declared
    return st.fixed_dictionaries(
        {
            name: value if isinstance(value, st.SearchStrategy) else st.just(value)
            for name, value in declared.items()
        }
    )
