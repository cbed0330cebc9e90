"""Drivers of databases that are written in C: Python has no audit event for what they send."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, Final

from ...harness.records.patches import Patches
from ..engine.acts import watcher


class Driver:
    """The source for a driver that nobody sees: a delivery that uses it by itself is refused.

    Within a statement or a connection of Django or SQLAlchemy it is a part of that.
    """

    def __init__(self, library: str, *names: str) -> None:
        """Install nothing yet.

        Args:
            library: the module.
            names: its functions that reach the server.
        """
        self.library = library
        self._names = names

    def install(self, patches: Patches) -> None:
        module: Any = sys.modules[self.library]
        for name in self._names:
            genuine = getattr(module, name, None)
            if callable(genuine):
                patches.set(module, name, self._refusing(name, genuine))

    def _refusing(self, name: str, genuine: Callable[..., Any]) -> Callable[..., Any]:
        text = f"{self.library}.{name}"

        @functools.wraps(genuine)
        def call(*args: Any, **kwargs: Any) -> Any:
            current = watcher.get()
            if current is not None:
                current.outside(text)
            return genuine(*args, **kwargs)

        return call


psycopg2: Final = Driver("psycopg2", "connect")
pyodbc: Final = Driver("pyodbc", "connect")
pymssql: Final = Driver("pymssql", "connect")
oracledb: Final = Driver("oracledb", "connect", "create_pool")
