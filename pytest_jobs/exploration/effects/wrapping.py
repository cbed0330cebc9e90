"""Turning the calls of a method into acts: the tool of all sources."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

from ...harness.records.patches import Patches
from ..engine.acts import skippable
from ..engine.lines import call_traced, untraced

#: Returns the block in which a call runs, from the arguments of the call: `acting(act)` or `looking(busy)`.
BlockOf: TypeAlias = Callable[..., AbstractContextManager[object]]


def surround(patches: Patches, owner: Any, name: str, block_of: BlockOf) -> None:
    """Let each call of a method, which may be a coroutine method, run in a block.

    Args:
        patches: puts the method back, and knows the mocks of the test: see `BesideMocks`.
        owner: the class or module that has the method.
        name: the name of the method.
        block_of: returns the block of a call.
    """
    # What the test has put in the place of a class of a library may lack it: its calls are acts by themselves.
    if hasattr(owner, name):
        patches.set(owner, name, within(block_of, getattr(owner, name)))


def surround_awaited(patches: Patches, owner: Any, name: str, block_of: BlockOf) -> None:
    """Do the same for a method that returns an awaitable, although it may not look like a coroutine function.

    Those of a compiled module do not.
    """
    patches.set(owner, name, _within_awaited(block_of, getattr(owner, name)))


def within(block_of: BlockOf, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does the same as another, each call in a block of its own.

    Args:
        block_of: returns the block of a call.
        function: a function or a coroutine function.
    """
    if inspect.iscoroutinefunction(function):
        return _within_awaited(block_of, function)

    @functools.wraps(function)
    @untraced
    def call(*args: Any, **kwargs: Any) -> Any:
        with skippable(), block_of(*args, **kwargs):
            return call_traced(function, *args, **kwargs)
        return None

    return call


def _within_awaited(block_of: BlockOf, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with skippable(), block_of(*args, **kwargs):
            return await function(*args, **kwargs)
        return None

    return call
