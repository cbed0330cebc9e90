"""What jobs do by urllib3, where no other library uses it for a request of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import urllib3
from urllib3.exceptions import MaxRetryError, NewConnectionError, ReadTimeoutError

from ....harness.records.patches import Patches
from ..wrapping import in_delivery
from .exchange import bytes_of, sending
from .request import HttpRequest

library: Final = "urllib3"


def install(patches: Patches) -> None:
    """Watch the requests of every pool; what a pool retries by itself is part of the request."""
    in_delivery(patches, urllib3.HTTPConnectionPool, "urlopen", _urlopen)


def _urlopen(
    current: object,
    urlopen: Callable[..., Any],
    pool: Any,
    method: str,
    url: str,
    body: Any = None,
    headers: Any = None,
    *args: Any,
    **rest: Any,
) -> Any:
    def sent() -> HttpRequest:
        given = pool.headers if headers is None else headers
        named = [(str(name), str(value)) for name, value in (given or {}).items()]
        whole = url if "://" in url else f"{pool.scheme}://{pool.host}:{pool.port}{url}"
        return HttpRequest.received(method, whole, named, bytes_of(body))

    def refused() -> Exception:
        retries = args[0] if args else rest.get("retries")
        make: Callable[..., Exception] = NewConnectionError
        error = make(pool, "[Errno 111] Connection refused")
        return error if retries is False else MaxRetryError(pool, url, error)

    def lost() -> Exception:
        return ReadTimeoutError(pool, url, "Read timed out.")

    with sending(sent, refused=refused, answer_lost=lost) as exchange:
        response = urlopen(pool, method, url, body, headers, *args, **rest)
        exchange.status = response.status
    return response
