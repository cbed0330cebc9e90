"""What jobs do by http.client, and so by urllib.request and the libraries that are built on it."""

from __future__ import annotations

import errno
import http.client
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import looking
from ...engine.sources import guarded_host
from ..wrapping import in_delivery, surround
from .exchange import bytes_of, header_text, sending
from .request import HttpRequest

library: Final = "http.client"


def install(patches: Patches) -> None:
    """Watch the requests of every connection: each has its effect when it is sent.

    `request` does not wait for the answer, so its status is never known here.
    """
    in_delivery(patches, http.client.HTTPConnection, "request", _request)
    surround(patches, http.client.HTTPConnection, "connect", _connecting)


def _request(
    current: object,
    request: Callable[..., None],
    connection: Any,
    method: str,
    url: str,
    body: Any = None,
    headers: Any = None,
    **rest: Any,
) -> None:
    given = headers or {}

    def sent() -> HttpRequest:
        named = [(str(name), header_text(value)) for name, value in given.items()]
        return HttpRequest.received(method, address_of(connection, url), named, bytes_of(body))

    def refused() -> Exception:
        return ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    with sending(sent, refused=refused, answer_lost=lambda: TimeoutError("timed out")):
        request(connection, method, url, body, given, **rest)


def address_of(connection: Any, url: str) -> str:
    """Return the whole address of what is requested over a connection."""
    if "://" in url:
        return url
    scheme = "https" if connection.default_port == 443 else "http"
    host = connection._tunnel_host or connection.host
    port = connection._tunnel_port if connection._tunnel_host else connection.port
    return f"{scheme}://{host}:{port}{url}"


@contextmanager
def _connecting(connection: Any) -> Generator[None, None, None]:
    with looking(), guarded_host(connection.host, "a connection"):
        yield
