"""Which real servers a job may reach while it is explored."""

from __future__ import annotations

import contextvars
import ipaddress
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from .acts import watcher

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
