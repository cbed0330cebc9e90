"""What all examples of one search by a machine have in common."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from ...errors import CriterionError, ExplorationError
from ...harness.jobs import current_jobs
from ...harness.open_harness import open_harnesses
from ...harness.records.bridge import Bridge
from ...harness.records.patches import Patches
from ...harness.records.record import JobRecord, Source
from ...harness.records.targets import Target
from ...harness.records.texts import short_name
from ..effects.audit import audit_hook
from ..engine.functions import FunctionBridge
from ..engine.lines import line_tracer
from ..engine.sameness import differences
from ..engine.scope import Scopes
from ..engine.sources import Sources
from ..engine.threads import follow
from ..engine.unwinding import hearing_nothing_of
from ..engine.watching import Unwound
from ..engine.world import World, until_quiet

if TYPE_CHECKING:
    from ...harness.open_harness import OpenHarness


class Example(Protocol):
    """One world, and what happens in it."""

    def open(self) -> Self:
        """Build the world."""
        ...

    def close(self) -> None:
        """Throw it away."""
        ...


E = TypeVar("E", bound=Example)


@dataclass(frozen=True)
class Options:
    """What the class of a machine says."""

    owner: type
    world: World
    jobs: Collection[object]
    invariants: tuple[Any, ...]
    apps: Iterable[object] = ()
    accept: tuple[type[BaseException], ...] = ()
    trace: object = None
    atomic: Iterable[object] = ()
    time_limit: float = 30.0

    @property
    def name(self) -> str:
        """The name of the class."""
        return self.owner.__name__


class MachineRun:
    """Holds the harness and the tracer for one example after the other, and what was seen in them."""

    def __init__(self, options: Options, *, searching: bool) -> None:
        """Begin with nothing.

        Args:
            options: what the class of the machine says.
            searching: whether Hypothesis makes the examples; otherwise there is one, a script.
        """
        self.options = options
        self.searching = searching
        #: How many deliveries ran the body of a job.
        self.performed = 0
        #: Whether a delivery had a point at which it could have been killed.
        self.any_point = False
        #: Whether a delivery did anything that is heard of, or the state changed.
        self.any_change = False
        self._example: Example | None = None
        self._initial: Mapping[str, Any] | None = None
        self._modules: list[ModuleType] = []
        self._modules_of = (0, 0)
        self._stack = ExitStack()

    def open(self) -> None:
        """Bring the jobs in, and hear of lines and effects."""
        with ExitStack() as stack:
            harness = self._harness(stack)
            self.clock = harness.clock
            self.sleeps = harness.performer.sleeps
            targets = [self._target(job, harness, stack) for job in self.options.jobs]
            self._name(targets)
            self.bridges: tuple[Bridge, ...] = tuple(
                dict.fromkeys((*harness.bridges, *(target.bridge for target in targets)))
            )
            self.scopes = Scopes(self.options.world, self.options.trace, self.options.atomic)
            for target in targets:
                self.scopes.add(target.bridge.resolve(target.job))
            self.tracer = line_tracer(self.scopes)
            self._hear(stack)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Leave nothing behind."""
        try:
            self.end()
        finally:
            self._stack.close()

    def begin(self, make: Callable[[MachineRun], E]) -> E:
        """Begin an example, in a world that is compared with the first."""
        self.end()
        if self._initial is None:
            make(self).open().close()
        self._example = example = make(self).open()
        return example

    def end(self) -> None:
        """End the example that was begun, if one was."""
        example, self._example = self._example, None
        if example is not None:
            example.close()

    def check_looked(self) -> None:
        """Refuse to pass when nothing was looked at.

        Raises:
            ExplorationError: when no job was performed, or nothing of it was seen.
        """
        name = self.options.name
        if not self.performed:
            raise ExplorationError(
                f"{name} never performed a job, so it shows nothing: give `jobs` arguments that can be drawn, "
                "or write rules that enqueue, and preconditions that can be met."
            )
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

    def check_fresh(self, initial: Mapping[str, Any]) -> None:
        """Compare the state of a world that was just entered with that of the first.

        Raises:
            ExplorationError: when they differ.
        """
        if self._initial is None:
            self._initial = initial
        if initial != self._initial:
            name, one, two = differences(self._initial, initial)[0]
            raise ExplorationError(
                f"The world is not fresh: {name} is {one!r} when it is entered for the first time, and {two!r} "
                "when it is entered again. Build everything inside the world, each time anew."
            )

    def short_name(self, record: JobRecord) -> str:
        """Return what steps call the job of a record, without its number."""
        return self._names.get((record.source, record.name), short_name(record.name))

    def modules(self) -> list[ModuleType]:
        """Return the modules whose globals may be those of jobs."""
        loaded = len(sys.modules), len(self.scopes._scopes)
        if loaded != self._modules_of:
            self._modules, self._modules_of = self.scopes.loaded_modules(), loaded
        return self._modules

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

    def _harness(self, stack: ExitStack) -> OpenHarness:
        if open_harnesses.any_open():
            return current_jobs()
        from ...bridges.opening import open_jobs

        return stack.enter_context(open_jobs(apps=self.options.apps))

    def _hear(self, stack: ExitStack) -> None:
        patches = Patches()
        stack.callback(patches.restore)
        self.sources = Sources(patches)
        self.sources.catch_up()
        follow(patches)
        _let_threads_share_connections(patches)
        audit_hook.install()
        stack.enter_context(hearing_nothing_of(Unwound))
        stack.enter_context(self.clock.excursion())
        self.clock.freeze()
        self.clock.advance_ns(int(until_quiet(self.clock.now()).total_seconds() * 1e9))
        self.tracer.open()
        stack.callback(self.tracer.close)

    def _target(self, job: Any, harness: OpenHarness, stack: ExitStack) -> Target:
        target = harness.targets.find(job)
        if target is not None:
            return target
        if not _is_function(job) or harness.targets.find(getattr(job, "__self__", None)):
            return harness.targets.get(job)
        bridge = FunctionBridge(job)
        bridge.install(harness.ledger, lambda: 0.0)
        stack.callback(bridge.uninstall)
        return Target(bridge, job, bridge.identify(job) or "")


def _is_function(job: object) -> bool:
    return inspect.isroutine(job) or isinstance(job, partial)


def _let_threads_share_connections(patches: Patches) -> None:
    """Let a connection of the world be used by jobs: they have threads of their own, one at a time."""
    import sqlite3
    from sqlite3 import dbapi2

    connect: Callable[..., Any] = sqlite3.connect

    def shared(*args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("check_same_thread", False)
        return connect(*args, **kwargs)

    patches.set(sqlite3, "connect", shared)
    patches.set(dbapi2, "connect", shared)
