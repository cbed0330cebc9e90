"""The job that a check delivers, and how it is to be delivered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...errors import CriterionError
from ...harness.records.bridge import DeliverySemantics
from ...harness.records.targets import Target
from ..effects.doubles.call_kinds import CallKind, CallKinds
from ..effects.of_tests.stubs import Stubs
from ..engine.engine import Engine
from ..engine.world import World
from ..stores.account import Ignore, follow_files
from ..stores.open_connections import follow_connections
from .plans import AnyHistory
from .repeatable import Repeatable

#: Bridges that keep nothing for each thread.
_PLAIN: Final = frozenset(("functions", "core"))


@dataclass(frozen=True, kw_only=True)
class Options:
    """The parameters of `check_idempotent`, which describes them."""

    world: World
    names: tuple[AnyHistory, ...]
    at_least_once: Collection[str] = ()
    repeatable: Repeatable
    accept: tuple[type[BaseException], ...]
    others: Sequence[Callable[[], object]] = ()
    ignore: Ignore
    trace: object
    atomic: Iterable[object]
    #: What the calls of mocks are, by their names.
    mocks: Mapping[str, CallKind]
    same_process: bool = False
    every_line: bool = False
    depth: int = 1
    #: Whether a job is delivered again only if its library would do so.
    as_configured: bool = False
    time_limit: float
    allow_partial: bool = False
    #: Whether the test has picked some histories by their names, so that each must have something to try.
    by_name: bool
    #: Returns the error for a clean run that does nothing that is compared; None for the usual one.
    nothing_seen: Callable[[], str] | None = None
    #: Whether it is one of `--jobs-audit`, which tries another test when a job is idle, without its histories.
    is_audit: bool = False

    def check_used(self) -> None:
        """Check that each name that may happen again is that of something."""
        self.repeatable.check_used()


def open_search(engine: Engine, mocks: Mapping[str, CallKind]) -> None:
    """Start the engine of a search, in which the calls of doubles are effects and stores are followed."""
    engine.start()
    engine.of_search.of(CallKinds, lambda: CallKinds(mocks))
    engine.when_built.append(Stubs(engine).stand_in)
    follow_files()
    follow_connections(engine.of_search.undo_by)


def target_of(engine: Engine, job: Any) -> Target:
    """Return a job of a library, or a function as a job; raise if it is neither."""
    target = engine.harness.targets.find(job)
    if target is not None:
        return target
    if not callable(job) or isinstance(job, type):
        raise CriterionError(
            f"{job!r} is not a job or a function: pass a task of a captured library, a Job class, or a function."
        )
    return engine.add_function(job)


@dataclass(frozen=True)
class CheckedJob:
    """The job of one check."""

    target: Target
    options: Options
    engine: Engine

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def semantics(self) -> DeliverySemantics:
        """What the library does with the job if a delivery fails, or if its worker dies."""
        return self.target.bridge.delivery_semantics(self.target.job)

    def needs_threads(self) -> bool:
        """Return whether overlapping deliveries need threads of their own.

        They do if something may be kept for each thread, or if one may have to wait for the other.
        """
        return (
            self.options.depth > 1
            or self.target.bridge.name not in _PLAIN
            or self.engine.sources.may_bind_to_threads()
            or self.engine.scope.may_wait()
        )
