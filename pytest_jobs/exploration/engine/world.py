"""The world of a history, and the time and the garbage of it."""

from __future__ import annotations

import gc
import inspect
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from ...errors import ExplorationError


@contextmanager
def without_garbage_collection() -> Generator[None, None, None]:
    """Switch the garbage collector off for a block.

    It may run at any line, and would end what an earlier delivery left. An object that does something
    in its end, such as a pipeline of Redis, would then add an effect to the delivery that runs. Before
    Python 3.12 the collector may also run while a context variable is set; setting another one in the
    end of an object then damages the context.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


_HOUR: Final = timedelta(hours=1)
#: All deliveries of the clean runs lie within so long.
_SPAN: Final = timedelta(hours=4)


def time_until_no_midnight(now: datetime) -> timedelta:
    """Return how long to wait until no day ends within some hours, here or in UTC.

    Otherwise two clean runs of a job that writes the date would differ, if the tests run at night.
    """
    wait = timedelta(0)
    while True:
        begin, end = now + wait, now + wait + _SPAN
        is_one_day = begin.date() == end.date()
        if is_one_day and begin.astimezone().date() == end.astimezone().date():
            return wait
        wait += _HOUR


class TimeLimit:
    """Returns whether time is left. It counts seconds of computing, so that a busy machine takes none away."""

    __slots__ = ("_computed_by", "_passed_by")

    def __init__(self, seconds: float) -> None:
        self._passed_by = time.perf_counter() + seconds
        self._computed_by = time.process_time() + seconds

    def __call__(self) -> bool:
        # Asking for the time of computing is slow, and it cannot be longer than the time that has passed.
        return time.perf_counter() < self._passed_by or time.process_time() < self._computed_by


Snapshot: TypeAlias = Callable[[], Any]
World: TypeAlias = Callable[[], "AbstractContextManager[Snapshot] | Iterator[Snapshot]"]


def check_world(world: object) -> None:
    """Check that a world can be built again and again.

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
def open_world(world: World) -> Generator[Snapshot, None, None]:
    """Build a world for a block, and yield the function that returns its state.

    Raises:
        ExplorationError: when it builds no world, or gives no such function.
    """
    made: Any = world()
    if inspect.isgenerator(made):
        made = contextmanager(lambda generator: generator)(made)
    if not hasattr(made, "__enter__"):
        raise ExplorationError(
            f"world={world!r} returned {made!r}: it is a generator function that yields a snapshot callable once, "
            "or returns a context manager that gives one."
        )
    with made as snapshot:
        if not callable(snapshot):
            raise ExplorationError(
                f"The world gave {snapshot!r}, which is not a snapshot: yield a callable that returns the "
                "state, as "
                "in `yield lambda: {'payments': rows('payments')}`."
            )
        yield snapshot
