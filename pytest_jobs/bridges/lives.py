"""What workers start on an event loop, once, and end when the loop closes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

#: What was started.
W = TypeVar("W")


class Started(Generic[W]):
    """What was started for one store, by event loop and key."""

    def __init__(self) -> None:
        self.by_loop: WeakKeyDictionary[Any, dict[int, W]] = WeakKeyDictionary()


class Lives:
    """The lives of the workers of one bridge."""

    def __init__(self) -> None:
        # A generator that nobody keeps ends at once.
        self._lives: list[AsyncGenerator[Any, None]] = []

    async def started(
        self, started: Started[W], key: int, life: Callable[[], AsyncGenerator[W, None]]
    ) -> W:
        """Return what runs on the running event loop under a key, started if it is not.

        Args:
            started: what the present store has.
            key: stands for one worker.
            life: a generator that starts, yields what it has started, and ends it. A loop that closes ends all
                async generators.

        Raises:
            BaseException: the error of the start.
        """
        running = started.by_loop.setdefault(asyncio.get_running_loop(), {})
        if key not in running:
            begun = life()
            running[key] = await anext(begun)
            self._lives.append(begun)
        return running[key]

    def clear(self) -> None:
        """Leave the lives to their loops."""
        self._lives.clear()
