"""One search by a machine, or one script: what all its examples have in common."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, Self, TypeVar

from hypothesis import reject

from ...errors import CriterionError, ExplorationError
from ...harness.records.patches import Patches
from ...harness.records.progress import Work
from ...harness.records.record import JobRecord, Source
from ...harness.records.targets import Target
from ...harness.records.texts import short_name
from ..effects.doubles.kinds import kinds_of
from ..engine.engine import Engine
from ..engine.memory.places import Namespace
from ..engine.sameness.differences import not_fresh
from ..engine.scope import Scope
from ..histories.checked_job import open_search
from ..report.audience import current_audience, kept_state
from ..stores.account import Ignore


class Example(Protocol):
    """One world, and the jobs that are delivered in it; see `Session`."""

    def open(self) -> Self: ...

    def close(self) -> None: ...


E = TypeVar("E", bound=Example)


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
        """Open nothing yet.

        Args:
            options: the attributes of the class of the machine.
            examples: how many examples Hypothesis makes; None if it makes none, and there is one, a script.
        """
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
        self._example: Example | None = None
        self._make: Callable[[MachineRun], Example] | None = None
        self._initial: Mapping[str, Any] | None = None
        self._modules: list[Namespace] = []
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
            self.modules()
            _let_threads_share_connections(engine.patches)
            self._stack = stack.pop_all()

    def close(self) -> None:
        try:
            self.end()
        finally:
            self.engine.memory.put_back()
            self._stack.close()

    def begin(self, make: Callable[[MachineRun], E]) -> E:
        self.end()
        self._make = make
        self.work.step("")
        if self._initial is None:
            # A first world, to see in every further one whether it is fresh.
            make(self).open().close()
        self._example = example = make(self).open()
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
        if self._make is None or not memory.any_guess():
            return
        self._make(self).open().close()
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

    def modules(self) -> list[Namespace]:
        """Return the modules that may keep something for jobs: called before a world is built."""
        if len(sys.modules) != self._modules_of:
            self._modules = self.engine.scope.loaded_modules()
            self._modules_of = len(sys.modules)
            self.engine.memory.look_at(self._modules)
        return self._modules

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
