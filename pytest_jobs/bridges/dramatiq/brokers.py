"""The brokers of the process, and the consumer of a worker that a test starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from dramatiq import Actor, Broker
from dramatiq.broker import Consumer

from ...errors import ApplicationError
from ..applications import Applications


class Brokers(Applications[Broker]):
    """The brokers of the process, in the order in which they are asked for an actor by its name."""

    def __init__(self, named: Iterable[Any]) -> None:
        """Begin with the brokers that `jobs_apps` names.

        Raises:
            ApplicationError: when one of them is not a broker.
        """
        super().__init__(map(_checked, named), lambda kinds: Broker in kinds)

    def actor(self, name: str) -> Actor[..., Any] | None:
        """Return the actor with a name.

        Raises:
            AmbiguousJobError: when two brokers that are asked together have actors of it.
        """
        return self.find(name, lambda broker: broker.actors.get(name))

    def used(self) -> list[Broker]:
        """Return the brokers whose actors recur: those that are named, or else all."""
        return list(self.named) or self.every()

    def names(self) -> set[str]:
        """Return the names of all actors."""
        return {name for broker in self.every() for name in broker.actors}

    def __str__(self) -> str:
        return super().__str__() or "the brokers of dramatiq"


def _checked(broker: Any) -> Broker:
    if not isinstance(broker, Broker):
        raise ApplicationError(
            f"{broker!r} is not a broker of dramatiq: name the broker that the actors are declared with."
        )
    return broker


class IdleConsumer(Consumer):  # type: ignore[misc]
    """The consumer of a worker that runs inside a test: it gets no message, since the test performs them."""

    def __init__(self, is_idle: Callable[[], bool], timeout: int) -> None:
        """Wait for messages.

        Args:
            is_idle: says whether a harness is still open. When it is not, the worker connects anew.
            timeout: how many milliseconds to wait.
        """
        self._is_idle = is_idle
        self._timeout = timeout

    def __next__(self) -> None:
        if not self._is_idle():
            raise StopIteration
        time.sleep(self._timeout / 1000)
