"""What jobs do by http.client, and so by urllib.request and the libraries that are built on it."""

from __future__ import annotations

import errno
import functools
import http.client
import os
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import looking
from ...engine.sources import reaching
from ...messages.http import HttpRequest, bytes_of, hear

library: Final = "http.client"


def install(patches: Patches) -> None:
    """Hear of the requests of every connection: each has its effect when it is sent."""
    request = http.client.HTTPConnection.request

    @functools.wraps(request)
    def heard(
        self: Any, method: str, url: str, body: Any = None, headers: Any = None, **rest: Any
    ) -> None:
        given = headers or {}
        hear(
            lambda: _request(self, method, url, body, given),
            lambda: request(self, method, url, body, given, **rest),
            refused=_refused,
            answer_lost=lambda: TimeoutError("timed out"),
            status=lambda _: None,
        )

    patches.set(http.client.HTTPConnection, "request", heard)
    connect = http.client.HTTPConnection.connect

    @functools.wraps(connect)
    def connected(self: Any) -> None:
        with looking(), reaching(self.host, "a connection"):
            connect(self)

    patches.set(http.client.HTTPConnection, "connect", connected)


def address_of(connection: Any, url: str) -> str:
    """Return the whole address of what is asked for over a connection."""
    if "://" in url:
        return url
    scheme = "https" if connection.default_port == 443 else "http"
    host = connection._tunnel_host or connection.host
    port = connection._tunnel_port if connection._tunnel_host else connection.port
    return f"{scheme}://{host}:{port}{url}"


def _request(connection: Any, method: str, url: str, body: Any, headers: Any) -> HttpRequest:
    named = [(str(name), _text(value)) for name, value in headers.items()]
    return HttpRequest.received(method, address_of(connection, url), named, bytes_of(body))


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _refused() -> Exception:
    return ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
