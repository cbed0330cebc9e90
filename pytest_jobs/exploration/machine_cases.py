"""How the examples of a machine come by the run they are part of."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, cast

from hypothesis import Phase, currently_in_test_context, settings, strategies as st
from hypothesis.stateful import (
    INITIALIZE_RULE_MARKER,
    INVARIANT_MARKER,
    RULE_MARKER,
    TestCaseProperty,
)

from ..errors import DeclarationError, ExplorationError
from .entering import World
from .machine_run import MachineRun, Options
from .machine_worker import Hanging

#: The search that goes on, or the script that was begun and not torn down.
_current: ContextVar[MachineRun | None] = ContextVar("pytest_jobs_machine_run", default=None)


class TestCases(TestCaseProperty):
    """Gives each class of a machine a test case, which is one run for all examples."""

    __test__ = False

    def __get__(self, machine: Any, owner: Any = None) -> Any:
        """Return the test case of a class, the same each time."""
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
