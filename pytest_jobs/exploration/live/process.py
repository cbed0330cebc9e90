"""The process and the databases of a killed delivery, which are those of the test: nothing of it is left there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module

from ...harness.records.patches import Patches
from ..effects.sql.basis.transactions import Library
from ..engine.acts import watcher
from ..engine.ending.patchers import Patchers
from ..engine.ending.process_state import ProcessState, SignalHandlers
from ..engine.memory.locks import Borrowed
from ..engine.scope import Scope
from ..engine.watching import Watch


class LiveProcess:
    """Takes back what a killed delivery has put in force without a block that ends it."""

    def __init__(self, patches: Patches) -> None:
        """Watch the signal handlers and the patchers from now on."""
        self._handlers = SignalHandlers(patches, self._is_in_delivery)
        self._patchers = Patchers(patches, self._is_in_delivery)
        #: The watch of the delivery that is to be killed.
        self._watch: Watch | None = None

    def _is_in_delivery(self) -> bool:
        return self._watch is not None and watcher.get() is self._watch

    @contextmanager
    def delivery(self, watch: Watch, scope: Scope) -> Generator[None, None, None]:
        """Let a delivery be made in a block that is to be killed."""
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


class Databases:
    """The databases of a test. Each library is watched from the moment it is imported."""

    def __init__(self, patches: Patches) -> None:
        self._patches = patches
        #: The module of a library, and what watches it.
        self._waiting = {
            "sqlite3": "sql.sqlite3:Connections",
            "psycopg": "sql.psycopg:Connections",
            "sqlalchemy.orm": "sqlalchemy:OpenSessions",
            "django.db.transaction": "django:Blocks",
        }
        self._watched: list[Library] = []

    def catch_up(self) -> None:
        for imported in [name for name in self._waiting if name in sys.modules]:
            module, _, name = self._waiting.pop(imported).partition(":")
            library = getattr(import_module(f"..effects.{module}", __package__), name)
            self._watched.append(library(self._patches))

    @contextmanager
    def delivery(self, is_dead: Callable[[], bool]) -> Generator[None, None, None]:
        """Roll back the transactions that begin in a block, if the delivery in it is dead at its end."""
        deliveries = [library.begin() for library in self._watched]
        try:
            yield
        finally:
            for delivery in deliveries:
                delivery.ended(dead=is_dead())
