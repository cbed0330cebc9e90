"""The databases of a test, which roll back what a killed delivery did not commit."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module

from ...harness.records.patches import Patches
from ..effects.rollback.connections import Library


class Databases:
    """The databases of a test. Each library is watched from the moment it is imported."""

    def __init__(self, patches: Patches) -> None:
        """Watch nothing yet.

        Args:
            patches: puts everything back.
        """
        self._patches = patches
        #: The module of a library, and what watches it.
        self._waiting = {
            "sqlite3": "sql.sqlite3:Connections",
            "psycopg": "sql.psycopg:Connections",
            "sqlalchemy.orm": "rollback.sqlalchemy:Sessions",
            "django.db.transaction": "rollback.django:Blocks",
        }
        self._watched: list[Library] = []

    def catch_up(self) -> None:
        """Watch the libraries that are imported by now."""
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
