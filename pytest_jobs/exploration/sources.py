"""Which effect sources there are, and which are in use."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, Final, Protocol

from ..harness.records.patches import Patches
from .audience import current_audience


class EffectSource(Protocol):
    """Hears of what jobs do through one library, and tells it by `effects.perform_act`."""

    #: The name of the module that has to be imported for there to be anything to hear.
    library: str

    def install(self, patches: Patches) -> None:
        """Take the places in the library through which everything goes.

        Args:
            patches: replaces attributes, and puts them back when the exploration ends.
        """
        ...


#: The library, and the file under `effects` that hears of it.
_OWN: Final = {
    "aiohttp": "aiohttp",
    "aiosqlite": "aiosqlite",
    "http.client": "http_client",
    "httpx": "httpx",
    "psycopg": "psycopg",
    "requests": "requests",
    "smtplib": "mail",
    "redis": "redis",
    "sqlalchemy": "sqlalchemy",
    "sqlalchemy.orm": "sqlalchemy_sessions",
    "sqlite3": "sqlite",
    "subprocess": "commands",
    "urllib3": "urllib3",
    "django.db.backends.utils": "django",
    "django.core.mail": "django_mail",
    "asgiref.sync": "asgiref",
}
#: Libraries that keep nothing for a thread, and in which nobody waits for another delivery.
_PLAIN: Final = frozenset(("http.client", "smtplib", "sqlite3", "subprocess"))


class Sources:
    """The effect sources of one exploration: each comes into use when its library is imported."""

    def __init__(self, patches: Patches) -> None:
        """Begin with none.

        Args:
            patches: puts everything back.
        """
        self._patches = patches
        self._in_use: set[str] = set()
        self._waiting: dict[str, list[Callable[[], EffectSource]]] = {}
        for library, name in _OWN.items():
            self._wait_for(library, lambda name=name: _own(name))  # type: ignore[misc]
        for source in current_audience().sources():
            self._wait_for(source.library, lambda source=source: source)  # type: ignore[misc]

    def catch_up(self) -> bool:
        """Take into use those whose library has been imported by now; say whether there were any."""
        imported = [name for name in self._waiting if name in sys.modules]
        for library in imported:
            for source in self._waiting.pop(library):
                source().install(self._patches)
                self._in_use.add(library)
        return bool(imported)

    def may_bind_to_threads(self) -> bool:
        """Say whether a library is in use that may keep something for each thread, or wait for a lock."""
        return not self._in_use <= _PLAIN

    def _wait_for(self, library: str, source: Callable[[], EffectSource]) -> None:
        self._waiting.setdefault(library, []).append(source)


def _own(name: str) -> EffectSource:
    source: Any = importlib.import_module(f".effects.{name}", __package__)
    return source  # type: ignore[no-any-return]
