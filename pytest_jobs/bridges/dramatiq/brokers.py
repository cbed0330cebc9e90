"""The brokers of the process, the consumer of a worker that a test starts, and what Periodiq sends."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

from dramatiq import Actor, Broker
from dramatiq.broker import Consumer

from ..applications import Applications
from ..toolkit import minutes_between


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


_SECOND_NS: Final = 1_000_000_000


def firings(
    brokers: Iterable[Broker], after_ns: int, until_ns: int
) -> Iterator[tuple[int, Callable[[], object], Actor[..., Any]]]:
    """Yield when Periodiq sends which actor in a span, what sends it, and the actor."""
    # Without it no actor has the option `periodic`.
    periodiq: Any = sys.modules.get("periodiq")
    if periodiq is None:
        return
    actors = [
        actor
        for broker in brokers
        for actor in broker.actors.values()
        if "periodic" in actor.options
    ]
    for at_ns in minutes_between(after_ns, until_ns) if actors else ():
        now = periodiq.pendulum.from_timestamp(
            at_ns // _SECOND_NS, tz=periodiq.pendulum.local_timezone()
        )
        for actor in actors:
            if actor.options["periodic"].validate(now):
                scheduler = periodiq.Scheduler([actor])
                yield at_ns, partial(scheduler.send_actors, [actor], now), actor
