"""The actors that Periodiq, a scheduler for Dramatiq, sends again and again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

from dramatiq import Actor, Broker

from ..toolkit import minutes_between

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
