"""Entering a world."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

from ..errors import ExplorationError

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
