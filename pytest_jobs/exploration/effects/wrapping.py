"""Turning the calls of a method into effects, and giving each delivery its own: the tools of all sources.

A source is installed for a whole check, in which the test and its world use the same libraries. What differs in a
delivery goes through `in_check` or `OfDelivery`.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Coroutine, Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from ...harness.records.patches import Patches
from ..engine.acts import Watch, is_in_delivery, skippable, watcher
from ..engine.lines import call_traced, untraced

#: Returns the block in which a call runs, from the arguments of the call: `acting(act)` or `looking(busy)`.
BlockOf: TypeAlias = Callable[..., AbstractContextManager[object]]

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """An effect source of ours for one module."""

    library: str
    #: Gets the module as well.
    watch: Callable[[Patches, Any], object]
    idles: bool = False

    def install(self, patches: Patches) -> None:
        self.watch(patches, sys.modules[self.library])


def source_of(
    library: str, *, idles: bool = False
) -> Callable[[Callable[[Patches, Any], object]], Source]:
    """Let a function that patches a module be the source for it, in a file that has several sources."""
    return lambda watch: Source(library, watch, idles)


def of_history(owner: Hashable, make: Callable[[], T]) -> T:
    """Return what belongs to an owner in the history that runs here; something new where nobody watches."""
    current = watcher.get()
    return make() if current is None else current.of_history.of(owner, make)


def of_search(owner: Hashable, make: Callable[[], T]) -> T:
    """Return what belongs to an owner in the search that runs here; something new where nobody watches."""
    current = watcher.get()
    return make() if current is None else current.of_search.of(owner, make)


class OfDelivery(Generic[T]):
    """Something that each delivery of a check has of its own, as its process would."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: WeakKeyDictionary[Any, T] = WeakKeyDictionary()

    def mine(self) -> T:
        """Return that of the delivery that runs here. It is made at the first call."""
        current = watcher.get()
        if current not in self._made:
            self._made[current] = self._make()
        return self._made[current]

    def get(self) -> T | None:
        """Return that of the delivery that runs here; None outside of deliveries."""
        return self.mine() if is_in_delivery() else None

    def all(self) -> list[T]:
        """Return those of all deliveries that are still in use."""
        return list(self._made.values())


def no_block(*args: Any, **kwargs: Any) -> AbstractContextManager[None]:
    return nullcontext()


def in_check(do: Callable[..., T], elsewhere: Callable[..., T]) -> Callable[..., T]:
    """Return a function that is one in the deliveries of a check, and another one everywhere else.

    Args:
        do: is called with the same arguments within a delivery of a check.
        elsewhere: is called by the test, and by its world.
    """

    @functools.wraps(elsewhere)
    def call(*args: Any, **kwargs: Any) -> T:
        return (do if is_in_delivery() else elsewhere)(*args, **kwargs)

    return call


def replace_in_check(patches: Patches, owner: Any, name: str, do: Callable[..., Any]) -> None:
    """Let a method be another one in the deliveries of a check."""
    patches.set(owner, name, in_check(do, getattr(owner, name)))


def in_delivery(patches: Patches, owner: Any, name: str, do: Callable[..., Any]) -> None:
    """Replace a function, which may be a coroutine function, in deliveries that are watched.

    The replacement gets the watch, the genuine function, and the arguments of the call.
    """
    genuine = getattr(owner, name)

    @functools.wraps(genuine)
    def call(*args: Any, **kwargs: Any) -> Any:
        current = watcher.get()
        if current is None:
            return genuine(*args, **kwargs)
        return do(current, genuine, *args, **kwargs)

    @functools.wraps(genuine)
    async def call_async(*args: Any, **kwargs: Any) -> Any:
        return await call(*args, **kwargs)

    patches.set(owner, name, call_async if inspect.iscoroutinefunction(genuine) else call)


def before_calls(patches: Patches, owner: Any, name: str, note: Callable[..., object]) -> None:
    """Let each call of a function in a delivery be noted, or refused, before it is made.

    The note gets the watch of the delivery, and the arguments of the call. An older version of a library may lack
    the function.
    """

    def noted(current: Watch, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        note(current, *args, **kwargs)
        return function(*args, **kwargs)

    if callable(getattr(owner, name, None)):
        in_delivery(patches, owner, name, noted)


def after_calls(patches: Patches, owner: Any, name: str, note: Callable[..., object]) -> None:
    """Let each call of a function, wherever it is made, be noted when it has returned.

    The note gets what was returned, and the arguments of the call.
    """
    function = getattr(owner, name)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        returned = function(*args, **kwargs)
        note(returned, *args, **kwargs)
        return returned

    patches.set(owner, name, call)


def surround(patches: Patches, owner: Any, name: str, block_of: BlockOf) -> None:
    """Let each call of a method, which may be a coroutine method, run in a block.

    Args:
        patches: puts the method back, and knows the mocks of the test: see `BesideMocks`.
        owner: the class or module that has the method.
        name: the name of the method.
        block_of: returns the block of a call.
    """
    # What the test has put in the place of a class of a library may lack it: its calls are effects by themselves.
    if hasattr(owner, name):
        patches.set(owner, name, within(block_of, getattr(owner, name)))


def surround_awaited(patches: Patches, owner: Any, name: str, block_of: BlockOf) -> None:
    """Surround a method that returns an awaitable, although it may not look like a coroutine function.

    Those of a compiled module do not.
    """
    patches.set(owner, name, _within_awaited(block_of, getattr(owner, name)))


def within(block_of: BlockOf, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does the same as another, each call in a block of its own."""
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


def at_once(function: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., T]:
    """Return a function that does what a coroutine function does, if that waits for nothing.

    So blocking and awaited libraries have the same lines: what they differ in is `answer_of`.
    """

    @functools.wraps(function)
    @untraced
    def call(*args: Any, **kwargs: Any) -> T:
        try:
            function(*args, **kwargs).send(None)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        raise RuntimeError(f"{function.__name__} waits for something")

    return call


async def answer_of(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function of a library, wait for it if the library is awaited, and return what it returns."""
    # It may call the project, as a pool does that configures a connection.
    return await result_of(call_traced(function, *args, **kwargs))


async def result_of(returned: Any) -> Any:
    """Return what a call has returned, or what comes of it where that has to be awaited."""
    return await returned if inspect.isawaitable(returned) else returned
