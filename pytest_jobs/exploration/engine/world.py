"""What all histories of an exploration have in common."""

from __future__ import annotations

import gc
import inspect
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from ...errors import ExplorationError
from ...harness.records.bridge import Bridge, DeliverySemantics
from ...harness.time.clock import VirtualClock
from ...harness.time.sleeps import SleepPatch
from .lines import LineTracer
from .scope import Scope
from .sources import Sources


@contextmanager
def uncollected() -> Generator[None, None, None]:
    """Leave garbage alone for a block.

    What an earlier delivery left has its end wherever the collector happens to run, and what it does
    in its end, as a pipeline of Redis does, would be heard as an act of the delivery that runs then.
    Before Python 3.12 it may also run while a context variable is set, and loses or destroys the
    context when another one is set in such an end.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


_HOUR: Final = timedelta(hours=1)
#: The clean runs lie so far apart at most, and so do the deliveries of one that fails.
_SPAN: Final = timedelta(hours=4)


def until_quiet(now: datetime) -> timedelta:
    """Return how long to wait until no day ends for some hours, here or in UTC.

    Otherwise it would depend on the hour at which the tests run whether a job that writes a date
    comes out alike twice.
    """
    wait = timedelta(0)
    while _ends_a_day(now + wait):
        wait += _HOUR
    return wait


def _ends_a_day(begin: datetime) -> bool:
    end = begin + _SPAN
    return begin.date() != end.date() or begin.astimezone().date() != end.astimezone().date()


class TimeLimit:
    """Says whether time is left: seconds of computing, which a busy machine does not take away."""

    __slots__ = ("_computed_by", "_passed_by")

    def __init__(self, seconds: float) -> None:
        """Begin to count.

        Args:
            seconds: how many there are.
        """
        self._passed_by = time.perf_counter() + seconds
        self._computed_by = time.process_time() + seconds

    def __call__(self) -> bool:
        """Say whether there is time left."""
        # Before so much time has passed, so much cannot have been computed; and the system is slow to tell.
        return time.perf_counter() < self._passed_by or time.process_time() < self._computed_by


Snapshot: TypeAlias = Callable[[], Any]
World: TypeAlias = Callable[[], "AbstractContextManager[Snapshot] | Iterator[Snapshot]"]


def check_world(world: object) -> None:
    """Check that a world can be entered again and again.

    Raises:
        ExplorationError: when it cannot.
    """
    if hasattr(world, "__enter__") or inspect.isgenerator(world):
        raise ExplorationError(
            f"world={world!r} is entered once only, and each history needs a world of its own: write the function "
            "that makes it, as in world=shop, without parentheses."
        )
    if not callable(world):
        raise ExplorationError(
            f"world={world!r} makes no world: write a generator function that yields a snapshot callable once, or "
            "a function that returns a context manager which gives one."
        )


@contextmanager
def entered(world: World) -> Generator[Snapshot, None, None]:
    """Build a world for a block, and give what tells its state.

    Raises:
        ExplorationError: when it is no world, or tells nothing.
    """
    made: Any = world()
    if inspect.isgenerator(made):
        made = _as_block(made)
    if not hasattr(made, "__enter__"):
        raise ExplorationError(
            f"world={world!r} returned {made!r}: it is a generator function that yields a snapshot callable once, "
            "or returns a context manager that gives one."
        )
    with made as snapshot:
        if not callable(snapshot):
            raise ExplorationError(
                f"The world gave {snapshot!r}, which is no snapshot: yield a callable that returns the state, as "
                "in `yield lambda: {'payments': rows('payments')}`."
            )
        yield snapshot


@contextmanager
def _as_block(generator: Generator[Any, Any, Any]) -> Generator[Any, None, None]:
    yield from generator


#: Bridges by which nothing is bound to a thread.
_PLAIN: Final = frozenset(("functions", "core"))


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all histories of an exploration have in common."""

    bridges: tuple[Bridge, ...]
    bridge: Bridge
    job: object
    world: World
    scope: Scope
    tracer: LineTracer
    clock: VirtualClock
    sleeps: SleepPatch
    sources: Sources
    accept: tuple[type[BaseException], ...] = ()
    same_process: bool = False
    #: Whether a job comes again only where the library would deliver it again.
    as_configured: bool = False
    #: How many deliveries are interrupted in one history.
    depth: int = 1

    def needs_threads(self) -> bool:
        """Say whether a delivery beside another has to be in another thread.

        It has where something may be bound to a thread, or may have to be waited for.
        """
        return (
            self.depth > 1
            or self.bridge.name not in _PLAIN
            or self.sources.may_bind_to_threads()
            or self.scope.may_wait()
        )

    @property
    def semantics(self) -> DeliverySemantics:
        """What the library does with a job whose delivery fails, or whose worker dies."""
        return self.bridge.delivery_semantics(self.job)
