"""The brokers of the process, and the consumer of a worker that a test starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from dramatiq import Broker
from dramatiq.broker import Consumer

from ..applications import Applications


class Brokers(Applications[Broker]):
    """The brokers of the process, in the order in which they are asked for an actor by its name."""

    def __init__(self, named: Iterable[Any]) -> None:
        """Begin with the brokers that `jobs_apps` names."""
        super().__init__(
            named,
            Broker,
            wanted="a broker of dramatiq: name the broker that the actors are declared with",
            otherwise="the brokers of dramatiq",
            tasks_of=lambda broker: broker.actors,
        )

    def used(self) -> list[Broker]:
        """Return the brokers whose actors recur: those that are named, or else all."""
        return list(self.named) or self.every()


class IdleConsumer(Consumer):  # type: ignore[misc]
    """The consumer of a worker that runs inside a test: it gets no message, since the test performs them."""

    def __init__(self, is_idle: Callable[[], bool], timeout: int) -> None:
        """Wait for messages while a harness is open. When none is, the worker connects anew."""
        self._is_idle = is_idle
        self._timeout = timeout

    def __next__(self) -> None:
        if not self._is_idle():
            raise StopIteration
        time.sleep(self._timeout / 1000)
