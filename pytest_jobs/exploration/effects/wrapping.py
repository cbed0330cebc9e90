"""What jobs do by the methods of an object."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from ...errors import ExplorationError
from ...harness.records.patches import Patches
from ...harness.records.texts import call_of
from ..engine.acts import Act, perform_act, perform_act_async


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
    if key is not None and not _takes(signature, key):
        raise ExplorationError(
            f"{name}{signature} has no parameter {key!r}, so no call has a key: name the one that carries it."
        )
    patches = Patches()
    patches.set(owner, name, _heard(owner, name, function, signature, key))
    try:
        yield
    finally:
        patches.restore()


def _heard(
    owner: Any, name: str, function: Any, signature: inspect.Signature, key: str | None
) -> Any:
    kind = _kind(owner)
    takes_self = isinstance(owner, type) and not isinstance(
        inspect.getattr_static(owner, name), classmethod | staticmethod
    )

    def act(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Act:
        given = signature.bind(*args, **kwargs)
        shown = args[1:] if takes_self else args
        used = None if key is None else given.arguments.get(key, given.kwargs.get(key))
        others = {word: value for word, value in kwargs.items() if used is None or word != key}
        value = (name, *shown, *sorted(others.items()))
        return Act(kind, call_of(name, shown, kwargs), value=value, key=used)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def heard_async(*args: Any, **kwargs: Any) -> Any:
            return await perform_act_async(act(args, kwargs), lambda: function(*args, **kwargs))

        return heard_async

    @functools.wraps(function)
    def heard(*args: Any, **kwargs: Any) -> Any:
        return perform_act(act(args, kwargs), lambda: function(*args, **kwargs))

    return heard


def _takes(signature: inspect.Signature, key: str) -> bool:
    return key in signature.parameters or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values()
    )


def _kind(owner: Any) -> str:
    named = owner if hasattr(owner, "__name__") else type(owner)
    return str(named.__name__).rpartition(".")[2]
