"""`wrap`: a service that works in a test, the calls of which are effects."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from typing import Any

from ....errors import ExplorationError
from ....harness.records.patches import Patches
from .clients import Keys, check_keys, is_client, is_function, owner_of
from .receiver import Asked, Place, Receiver


@contextmanager
def wrap(
    owner: Any,
    attribute: str,
    *,
    name: str | None = None,
    key: Keys = None,
    reads: Collection[str] | None = None,
    counts: bool = True,
) -> Generator[None, None, None]:
    """Let each call of a function, or of the methods of an object or class, be an effect, for a block.

    It is called as before: use it for what works in a test, such as a client with a sandbox of its
    own. `fake` puts something in its place.

    Args:
        owner: the object, class or module that has it.
        attribute: the attribute under which it has it; `messages.create` for an attribute of an attribute.
        name: how reports name the service; by default the class or module that has a function, or the
            attribute.
        key: the parameter that carries an idempotency key; a mapping if methods have different ones. By
            default all arguments count whose names are usual for it, such as `idempotency_key`. A call with a
            key that was used before is the same call, and no second effect. If it is another method or
            has other arguments, it raises ReusedKeyError, as services do.
        reads: the names of methods that only look things up, and of attributes whose values do not matter:
            they are not effects. By default the names of the methods of an object
            decide, such as `find_order` or `is_paid`; a check that passes lists those.
        counts: False for a service for which calling twice is as calling once: its calls are points, and are
            not counted.

    Raises:
        ExplorationError: when the owner has nothing of this name that can be called, or nothing there has a
            parameter of the name of the key.
    """
    owner, attribute = owner_of(owner, attribute)
    found: Any = getattr(owner, attribute, None)
    if not is_client(found, returned=False):
        raise ExplorationError(
            f"{owner!r} has no {attribute!r} to be called: name the object, class or module that has it, and the "
            "name of its method, function or client."
        )
    check_keys(found, key)
    if is_function(found):
        named = owner if hasattr(owner, "__name__") else type(owner)
        receiver = Receiver(
            name or str(named.__name__).rpartition(".")[2],
            found,
            key=key,
            reads=reads or (),
            counts=counts,
        )
        put: object = calling(receiver, Place(attribute), owner, attribute, found)
    else:
        receiver = Receiver(name or attribute, found, key=key, reads=reads, counts=counts)
        put = receiver.proxy_of(Place(), found)
    with Patches() as patches:
        patches.set(owner, attribute, put)
        yield


def calling(
    receiver: Receiver, place: Place, owner: Any, attribute: str, function: Callable[..., Any]
) -> Callable[..., Any]:
    """Return a function that calls another one as an effect. In a class it is a method as before."""
    is_in_class = isinstance(owner, type)
    static = inspect.getattr_static(owner, attribute) if is_in_class else None
    takes_self = is_in_class and not isinstance(static, classmethod | staticmethod)

    def call(*args: Any, **kwargs: Any) -> Any:
        # A call on the class itself has none.
        if takes_self and args and isinstance(args[0], owner):
            own = functools.partial(function, args[0])
            return receiver.call(Asked(place, own, args[1:], kwargs))
        return receiver.call(Asked(place, function, args, kwargs))

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            return await call(*args, **kwargs)

        return call_async
    called = functools.wraps(function)(call)
    # Without this a static method would get the object, or its class, as its first argument.
    return called if takes_self or not is_in_class else staticmethod(called)
