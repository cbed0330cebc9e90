"""Turning the calls of a method into acts: the tool of all sources, and `wrap` for tests."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

from ...errors import ExplorationError
from ...harness.records.patches import Patches
from ...harness.records.texts import call_of
from ..engine.acts import Act, acting

#: Returns the block in which a call runs, from the arguments of the call: `acting(act)` or `looking(busy)`.
BlockOf: TypeAlias = Callable[..., AbstractContextManager[object]]


def surround(patches: Patches, owner: Any, name: str, block_of: BlockOf) -> None:
    """Let each call of a method, which may be a coroutine method, run in a block.

    Args:
        patches: puts the method back.
        owner: the class or module that has the method.
        name: the name of the method.
        block_of: returns the block of a call.
    """
    patches.set(owner, name, within(block_of, getattr(owner, name)))


def within(block_of: BlockOf, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does the same as another, each call in a block of its own.

    Args:
        block_of: returns the block of a call.
        function: a function or a coroutine function.
    """
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            with block_of(*args, **kwargs):
                return await function(*args, **kwargs)

        return call_async

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with block_of(*args, **kwargs):
            return function(*args, **kwargs)

    return call


@contextmanager
def wrap(owner: Any, name: str, *, key: str | None = None) -> Generator[None, None, None]:
    """Let each call of a method or function be an effect, for a block.

    It is called as before: use it for what works in a test, such as a client with a sandbox of its
    own. `fake` puts something in its place.

    Args:
        owner: the object, class or module that has it.
        name: the attribute under which it has it.
        key: the parameter that carries an idempotency key. A call with a key that was used before
            is the same call, and no second effect.

    Raises:
        ExplorationError: when the owner has nothing of this name that can be called, or it has no
            parameter of the name of the key.
    """
    function = getattr(owner, name, None)
    if not callable(function):
        raise ExplorationError(
            f"{owner!r} has no {name!r} to be called: name the object, class or module that has it, and the "
            "name of its method or function."
        )
    signature = inspect.signature(function)
    parameters = signature.parameters.values()
    if not (
        key is None
        or key in signature.parameters
        or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    ):
        raise ExplorationError(
            f"{name}{signature} has no parameter {key!r}, so no call has a key: name the one that carries it."
        )
    named = owner if hasattr(owner, "__name__") else type(owner)
    kind = str(named.__name__).rpartition(".")[2]
    takes_self = isinstance(owner, type) and not isinstance(
        inspect.getattr_static(owner, name), classmethod | staticmethod
    )

    def block_of(*args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        bound = signature.bind(*args, **kwargs)
        shown = args[1:] if takes_self else args
        used = None if key is None else bound.arguments.get(key, bound.kwargs.get(key))
        others = {word: value for word, value in kwargs.items() if used is None or word != key}
        value = (name, *shown, *sorted(others.items()))
        return acting(Act(kind, call_of(name, shown, kwargs), value=value, key=used))

    patches = Patches()
    patches.set(owner, name, within(block_of, function))
    try:
        yield
    finally:
        patches.restore()
