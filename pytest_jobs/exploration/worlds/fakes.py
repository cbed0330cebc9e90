"""Fakes of services: an object that stands in for a service, and records its calls."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from ...errors import ExplorationError
from ...harness.records.patches import Patches
from ..effects.doubles.clients import Keys, check_keys, owner_of
from ..effects.doubles.receiver import Place, Receiver
from ..engine.scope import leaving_out


class Fake(Receiver):
    """Records the calls of an object, and takes a call with a key that it knows for the same call."""

    answers_by_key = True


@contextmanager
def fake(
    owner: Any,
    attribute: str,
    target: object,
    *,
    name: str | None = None,
    key: Keys = None,
    remembers: timedelta | None = None,
    reads: Collection[str] | None = None,
    counts: bool = True,
) -> Generator[Fake, None, None]:
    """Replace a service by a stand-in for a block, and record its calls.

    Calls of methods are effects, also those of the attributes of the target, however deep, and of the
    clients that its methods return. Making an object of a class is none. A coroutine method is called when
    it is awaited. Setting an attribute is an effect; only its last value counts.

    Args:
        owner: the module or object that has the service.
        attribute: the attribute under which it has it; `messages.sender` for an attribute of an attribute.
        target: what answers: an object with the methods of the service, a class, a module or a function.
        name: how reports name the service; the attribute by default.
        key: the parameter that carries an idempotency key; a mapping if methods have different ones. By
            default all arguments count whose names are usual for it, such as `idempotency_key`. A call with a
            key that is known is answered as the first was, and has no effect. If it is another method or
            has other arguments, it raises ReusedKeyError, as services do.
        remembers: how long keys are known; None for ever.
        reads: the names of methods that only look things up, and of attributes whose values do not matter:
            they are not effects. By default the names of methods
            decide, such as `find_order` or `is_paid`; a check that passes lists those.
        counts: False for a service for which calling twice is as calling once: its calls are points, and are
            not counted.

    Returns:
        The fake; `.calls` are the calls that took effect.

    Raises:
        ExplorationError: when the owner has nothing of this name, or no method takes the key.
    """
    owner, attribute = owner_of(owner, attribute)
    if not hasattr(owner, attribute):
        raise ExplorationError(
            f"{owner!r} has no {attribute!r} to be faked: name the module that uses the service, and the name "
            "under which it does."
        )
    check_keys(target, key)
    leave_out = leaving_out.get()
    if leave_out is not None:
        leave_out(target)
    made = Fake(name or attribute, target, key=key, remembers=remembers, reads=reads, counts=counts)
    with Patches() as patches:
        patches.set(owner, attribute, made.proxy_of(Place(), target))
        yield made
