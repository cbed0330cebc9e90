"""Fakes of services: an object that stands in for a service, and records its calls."""

from __future__ import annotations

import copy
import inspect
import threading
import time
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from ...errors import ExplorationError
from ...harness.records.patches import Patches
from ...harness.records.texts import call_of
from ..engine.acts import Act, acting, note_effect
from ..engine.scope import leaving_out


class Fake:
    """Records the calls of an object, and takes a call with a key that it knows for the same call."""

    def __init__(
        self,
        name: str,
        target: object,
        key: str | None,
        remembers: timedelta | None,
        reads: Collection[str],
    ) -> None:
        self._name = name
        self._reads = frozenset(reads)
        self._target = target
        self._key = key
        self._remembers = remembers
        # Threads of a job may call at the same time. Like a service, one of them finds the key known.
        self._one_at_a_time = threading.RLock()
        #: When each key was first used, and the answer.
        self._answers: dict[object, tuple[float, object]] = {}
        #: Each call that took effect: its name, and its arguments, the key left out.
        self.calls: list[tuple[Any, ...]] = []

    def call(self, name: str, method: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call a method of the target, unless a call with the same key was made before."""
        key = None if self._key is None else kwargs.get(self._key)
        if key is None and self._key is not None and args:
            with suppress(TypeError, ValueError):
                key = inspect.signature(method).bind(*args, **kwargs).arguments.get(self._key)
        shown = {word: value for word, value in kwargs.items() if word != self._key}
        made = (name, *args, *sorted(shown.items()))
        # It does not count by itself: only here is known whether the call took effect.
        act = Act(self._name, call_of(name, args, kwargs), counts=False, value=made)
        with acting(act), self._one_at_a_time:
            if key is not None and key in self._answers:
                since, answer = self._answers[key]
                age = time.time() - since
                if self._remembers is None or age < self._remembers.total_seconds():
                    return copy.deepcopy(answer)
            result = method(*args, **kwargs)
            self.calls.append(made)
            note_effect(act)
            if key is not None:
                self._answers[key] = (time.time(), result)
            return result


class _Proxy:
    """What the application finds where the service was."""

    def __init__(self, fake: Fake, target: object) -> None:
        # By __dict__, since attributes that the application sets go to the target.
        self.__dict__["_pytest_jobs_fake"] = fake
        self.__dict__["_pytest_jobs_target"] = target

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._pytest_jobs_target, name)
        fake: Fake = self._pytest_jobs_fake
        if name.startswith("_") or name in fake._reads or not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            return fake.call(name, found, args, kwargs)

        return call

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._pytest_jobs_target, name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        fake: Fake = self._pytest_jobs_fake
        target: Any = self._pytest_jobs_target
        return fake.call(fake._name, target, args, kwargs)


@contextmanager
def fake(
    owner: Any,
    name: str,
    target: object,
    *,
    key: str | None = None,
    remembers: timedelta | None = None,
    reads: Collection[str] = (),
) -> Generator[Fake, None, None]:
    """Replace a service by a stand-in for a block, and record its calls.

    Args:
        owner: the module or object that has the service.
        name: the attribute under which it has it.
        target: what answers: an object with the methods of the service, or a function.
        key: the parameter that carries an idempotency key. A call with a key that is known is
            answered as the first was, and has no effect.
        remembers: how long keys are known; None for ever.
        reads: the names of methods that only look things up: calls of them are not effects.

    Returns:
        The fake; `.calls` are the calls that took effect.

    Raises:
        ExplorationError: when the owner has nothing of this name.
    """
    if not hasattr(owner, name):
        raise ExplorationError(
            f"{owner!r} has no {name!r} to be faked: name the module that uses the service, and the name under "
            "which it does."
        )
    leave_out = leaving_out.get()
    if leave_out is not None:
        leave_out(target)
    made = Fake(name, target, key, remembers, reads)
    patches = Patches()
    patches.set(owner, name, _Proxy(made, target))
    try:
        yield made
    finally:
        patches.restore()
