"""The process of a killed delivery, which is that of the test: nothing of the delivery stays in force there."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ...harness.records.patches import Patches
from ..engine.acts import watcher
from ..engine.ending.patchers import Patchers
from ..engine.ending.process_state import ProcessState, SignalHandlers
from ..engine.memory.locks import Borrowed
from ..engine.scope import Scope
from ..engine.watching import Watch


class LiveProcess:
    """Takes back what a killed delivery has put in force without a block that ends it."""

    def __init__(self, patches: Patches) -> None:
        """Watch the signal handlers and the patchers from now on.

        Args:
            patches: puts everything back, after the last test.
        """
        self._handlers = SignalHandlers(patches, self._is_in_delivery)
        self._patchers = Patchers(patches, self._is_in_delivery)
        #: The watch of the delivery that is to be killed.
        self._watch: Watch | None = None

    def _is_in_delivery(self) -> bool:
        return self._watch is not None and watcher.get() is self._watch

    @contextmanager
    def delivery(self, watch: Watch, scope: Scope) -> Generator[None, None, None]:
        """Let a delivery be made in a block that is to be killed.

        Args:
            watch: watches it.
            scope: decides in which modules its locks are.
        """
        self._patchers.catch_up()
        self._watch = watch
        state, borrowed = ProcessState.taken(), Borrowed(scope.loaded_modules())
        try:
            yield
        finally:
            self._watch = None
            if watch.dead:
                state.put_back()
                self._handlers.renew()
                self._patchers.renew()
                borrowed.give_back(scope.loaded_modules())
            else:
                self._handlers.forget()
                self._patchers.forget()
