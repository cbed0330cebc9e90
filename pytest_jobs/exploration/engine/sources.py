"""Which effect sources there are, and which are in use."""

from __future__ import annotations

import contextvars
import importlib
import ipaddress
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol

from ...harness.records.patches import Patches
from .acts import watcher
from .audience import current_audience

#: What is being sent to a server that may not be reached; None where all may be.
_far: ContextVar[str | None] = ContextVar("pytest_jobs_far", default=None)


class RealServers:
    """The hosts that may be reached, beside this machine."""

    def __init__(self) -> None:
        self._allowed: list[str] = []

    @contextmanager
    def allowed(self, hosts: tuple[str, ...]) -> Generator[None, None, None]:
        """Let some hosts be reached, for a block."""
        before = list(self._allowed)
        self._allowed += hosts
        try:
            yield
        finally:
            self._allowed = before

    def may_reach(self, host: str) -> bool:
        """Say whether a host may be reached; its port does not matter."""
        return host in self._allowed or host.partition(":")[0] in self._allowed


#: In an object rather than a ContextVar, since the deliveries begin in other contexts than the world.
_real_servers = RealServers()


def reach(*hosts: str) -> AbstractContextManager[None]:
    """Let the requests and mails of jobs reach real servers, for a block: a sandbox of a service.

    Each history sends them again. Servers on this machine need no leave.

    Args:
        hosts: their names, as they stand in the addresses.
    """
    return _real_servers.allowed(hosts)


@contextmanager
def reaching(host: str, text: str) -> Generator[None, None, None]:
    """Refuse in a block that a host is reached that is neither of this machine nor allowed.

    Args:
        host: its name, as the job says it.
        text: what is sent to it.
    """
    if watcher.get() is None or _far.get() is not None or _real_servers.may_reach(host):
        yield
        return
    token = _far.set(f"{text} to the real {host}")
    try:
        yield
    finally:
        _far.reset(token)


def connecting(address: Any) -> None:
    """Hear that a socket is being connected, also within an act."""
    text, current = _far.get(), watcher.get()
    if text is not None and current is not None and not _is_near(address):
        # Not as a part of the act, which would be let through.
        contextvars.Context().run(
            current.outside,
            f"{text} (which `fake_http` and `fake_mail` stand in for; `effects.reach` lets it through)",
        )


def _is_near(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return bool(address[0] == "localhost")


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


#: The library, and the module of `effects` that is its source, or has it after a colon.
_OWN: Final = {
    "aiohttp": "http.aiohttp",
    "aiosqlite": "aiosqlite",
    "http.client": "http.http_client",
    "httpx": "http.httpx",
    "psycopg": "psycopg",
    "requests": "http.requests",
    "smtplib": "mail",
    "redis": "redis.clients",
    "sqlalchemy": "sqlalchemy",
    "sqlalchemy.orm": "sqlalchemy:sessions",
    "sqlite3": "sqlite",
    "subprocess": "subprocess",
    "urllib3": "http.urllib3",
    "django.db.backends.utils": "django",
    "django.core.mail": "mail:django",
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
    module, _, attribute = name.partition(":")
    source: Any = importlib.import_module(f"..effects.{module}", __package__)
    return getattr(source, attribute) if attribute else source  # type: ignore[no-any-return]
