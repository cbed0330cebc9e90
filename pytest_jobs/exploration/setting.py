"""What all histories of an exploration have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..harness.records.bridge import Bridge, DeliverySemantics
from ..harness.time.clock import VirtualClock
from ..harness.time.sleeps import SleepPatch
from .entering import World
from .lines import LineTracer
from .scope import Scope
from .sources import Sources

#: Bridges by which nothing is bound to a thread.
_PLAIN: Final = frozenset(("functions", "core"))


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all histories of an exploration have in common."""

    bridges: tuple[Bridge, ...]
    bridge: Bridge
    job: object
    world: World
    scope: Scope
    tracer: LineTracer
    clock: VirtualClock
    sleeps: SleepPatch
    sources: Sources
    accept: tuple[type[BaseException], ...] = ()
    same_process: bool = False
    #: Whether a job comes again only where the library would deliver it again.
    as_configured: bool = False
    #: How many deliveries are interrupted in one history.
    depth: int = 1
    #: Whether a worker that is killed is a process that really dies.
    forks: bool = False

    def needs_threads(self) -> bool:
        """Say whether a delivery beside another has to be in another thread.

        It has where something may be bound to a thread, or may have to be waited for.
        """
        return (
            self.depth > 1
            or self.bridge.name not in _PLAIN
            or self.sources.may_bind_to_threads()
            or self.scope.may_wait()
        )

    @property
    def semantics(self) -> DeliverySemantics:
        """What the library does with a job whose delivery fails, or whose worker dies."""
        return self.bridge.delivery_semantics(self.job)
