"""The part of a search that stays the same for all its deliveries: clock, traced code, effect sources."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from types import ModuleType
from typing import Any, Final

from ...bridges.opening import open_jobs
from ...bridges.toolkit import LibraryBridge
from ...harness.open_harness import OpenHarness, open_harnesses
from ...harness.records.bridge import Sink
from ...harness.records.patches import Patches
from ...harness.records.targets import Target
from ...harness.running.direct_calls import direct_calls
from .acts import (
    SourceState,
    Unwound,
    is_dead,
    is_in_delivery,
    lengthened,
    note_look,
    watcher,
)
from .ending.leaving import Leaving
from .ending.patchers import Patchers
from .ending.process_state import ProcessState, SignalHandlers, follow_imports
from .functions import FunctionBridge
from .lines import LineHook, line_tracer
from .memory.processes import ProcessMemory
from .sameness.chance import Chance
from .scope import Scope
from .sources import EffectSource, Sources
from .threads import follow
from .unwinding import quiet_libraries, silenced
from .watchdog import Watchdog
from .world import time_until_no_midnight

#: How much later than the test a search begins, so that a time which a fixture has just stored is past then.
_LATER: Final = timedelta(minutes=1)


class Engine:
    """Lets the deliveries of one search be watched.

    Each call of `check_idempotent` or `check_handoff` opens one. It uses the harness of the test, or opens one.
    """

    def __init__(
        self,
        harness: OpenHarness,
        scope: Scope,
        stack: ExitStack,
        sources: Iterable[EffectSource],
        kept: SourceState,
        time_limit: float,
    ) -> None:
        self._stack = stack
        #: Replaces attributes until the search ends.
        self.patches = Patches()
        self.harness = harness
        self.clock = harness.clock
        self.sleeps = harness.performer.sleeps
        #: Bridges to plain functions, which only this search knows.
        self._functions: list[FunctionBridge] = []
        #: Where the histories that are open draw random bytes from; each but the last is suspended.
        self._chances: list[Chance] = []
        self.scope = scope
        #: What lasts as long as the session; outside of one it ends with the search.
        self.kept = kept
        # The code of libraries and of the project is asked about in each search.
        self.tracer = line_tracer(scope, kept.of(Leaving, Leaving))
        self.tracer.hook_here = _hook_here
        self.sources = Sources(self.patches, self.kept, sources, scope.loaded_modules)
        #: What effect sources keep as long as the search lasts.
        self.of_search = SourceState()
        #: Called with each world that was just built, what observes it, and the state of its history; what is
        #: undone there comes before the world is torn down.
        self.when_built: list[Callable[[ExitStack, Callable[[], object], SourceState], object]] = []
        self.watchdog = Watchdog(time_limit, Unwound)
        self._patchers = Patchers(self.patches, is_in_delivery)
        #: What processes keep.
        self.memory = ProcessMemory(
            scope.modules, scope.may_wait, scope.leaves_out, self._renew_process
        )

    @classmethod
    @contextmanager
    def opened(
        cls,
        scope: Scope,
        sources: Iterable[EffectSource],
        *,
        kept: SourceState | None,
        time_limit: float,
    ) -> Generator[Engine, None, None]:
        """Prepare a search for a block.

        Args:
            scope: decides whose lines are points.
            sources: the effect sources that the project declares.
            kept: what effect sources keep for the session; None if there is none.
            time_limit: how many seconds one delivery may compute.
        """
        with ExitStack() as stack:
            harness = open_harnesses.innermost_or_none()
            if harness is None:
                harness = stack.enter_context(open_jobs()).harness
            if kept is None:
                kept = SourceState()
                stack.callback(kept.end)
            yield cls(harness, scope, stack, sources, kept, time_limit)

    def add_function(self, function: Any) -> Target:
        """Return a plain function as a job, with a bridge of its own."""
        bridge = FunctionBridge(function, lambda value: self.scope.is_double(type(value)))
        bridge.install(self.harness.ledger, lambda: 0.0)
        self._stack.callback(bridge.uninstall)
        self._functions.append(bridge)
        return Target(bridge, function, bridge.identify(function) or "")

    def sandboxed(self, sink: Sink) -> AbstractContextManager[None]:
        """Let all jobs be reported to another sink for a block."""
        return self.harness.bridges.sandboxed(sink, self._functions)

    def draw_from(self, chance: Chance, stack: ExitStack) -> None:
        """Take all random bytes of this process from a source, also those of `uuid`, and seed `random`."""
        self._chances.append(chance)
        stack.callback(self._chances.remove, chance)
        chance.begin(stack)

    def _pin_chance(self) -> None:
        # Once a search, although each history has a source of its own, since patching takes time.
        drawn = os.urandom

        def urandom(size: int, /) -> bytes:
            return self._chances[-1].urandom(size) if self._chances else drawn(size)

        self.patches.set(os, "urandom", urandom)
        self.patches.set(random, "_urandom", urandom)

    def served(self, *, heard: bool) -> list[object]:
        """Return what the servers of the job libraries would keep now: locks, batches, results.

        Args:
            heard: those of the bridges that tell when they are asked, or of the others.
        """
        return [
            getattr(bridge, "served", None)
            for bridge in self.harness.bridges
            if getattr(bridge, "tells_when_asked", False) is heard
        ]

    def _note_import(self, module: ModuleType) -> None:
        # Functions import late to break cycles. A guard in such a module was set by the first run and seen by all
        # later deliveries, so that the check compared nothing with nothing.
        if is_in_delivery() and self.scope.may_use(module):
            self.memory.note_import(module)

    def _renew_process(self, is_end: bool) -> None:
        """Let a new process begin, or the last one end: nothing of the deliveries before is in force."""
        self._signal_handlers.renew()
        self._patchers.catch_up()
        if is_end:
            self._patchers.renew()

    def start(self) -> None:
        """Patch the libraries, stop the clock, and trace lines, until the block ends."""
        stack, clock = self._stack, self.clock
        stack.callback(self.of_search.end)
        stack.callback(self.patches.restore)
        # Once a search and not once a history: it has 625 numbers.
        stack.callback(random.setstate, random.getstate())
        before = ProcessState.taken()
        self._signal_handlers = SignalHandlers(self.patches, is_in_delivery)
        stack.callback(self._renew_process, True)
        stack.callback(before.put_back, recursion_limit=False)
        self._pin_chance()
        self.patches.set(LibraryBridge, "when_asked", staticmethod(note_look))
        follow_imports(self.patches, self._note_import)
        self.sources.catch_up()
        follow(self.patches)
        stack.enter_context(silenced(is_dead))
        # The calls of a world build the world: by none of them a test reaches a job.
        stack.enter_context(direct_calls.seen_by(None))
        stack.enter_context(quiet_libraries())
        stack.enter_context(clock.excursion())
        # What a test has chosen, as by `freeze_time`, may be the only second at which the job has something to do.
        self.time_is_chosen = clock.origin_ns is None
        clock.freeze()
        later = timedelta(0) if self.time_is_chosen else _LATER
        wait = later + time_until_no_midnight(clock.now() + later)
        clock.advance_ns(int(wait.total_seconds() * 1e9))
        stack.enter_context(
            self.sleeps.passing_time(
                lambda ns: clock.advance_ns(lengthened(ns)), is_in_delivery, stands_still=True
            )
        )
        self.tracer.open()
        stack.callback(self.tracer.close)
        stack.enter_context(self.watchdog.on_duty())


def _hook_here() -> LineHook | None:
    current = watcher.get()
    return None if current is None else current.hook_here()
