"""What jobs do by urllib3, where that is not part of what another library does by it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import urllib3
from urllib3.exceptions import MaxRetryError, NewConnectionError, ReadTimeoutError

from ....harness.records.patches import Patches
from ...messages.http import HttpRequest, bytes_of, hear

library: Final = "urllib3"


def install(patches: Patches) -> None:
    """Hear of the requests of every pool; what it retries by itself is part of the request."""
    urlopen: Any = urllib3.HTTPConnectionPool.urlopen

    @functools.wraps(urlopen)
    def heard(
        self: Any,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        *args: Any,
        **rest: Any,
    ) -> Any:
        return hear(
            lambda: _request(self, method, url, body, headers),
            lambda: urlopen(self, method, url, body, headers, *args, **rest),
            refused=lambda: _refused(self, url, args[0] if args else rest.get("retries")),
            answer_lost=lambda: ReadTimeoutError(self, url, "Read timed out."),
            status=_status,
        )

    patches.set(urllib3.HTTPConnectionPool, "urlopen", heard)


def _request(pool: Any, method: str, url: str, body: Any, headers: Any) -> HttpRequest:
    given = pool.headers if headers is None else headers
    whole = url if "://" in url else f"{pool.scheme}://{pool.host}:{pool.port}{url}"
    named = [(str(name), str(value)) for name, value in (given or {}).items()]
    return HttpRequest.received(method, whole, named, bytes_of(body))


def _status(response: Any) -> int:
    status: int = response.status
    return status


def _refused(pool: Any, url: str, retries: object) -> Exception:
    make: Callable[..., Exception] = NewConnectionError
    error = make(pool, "[Errno 111] Connection refused")
    return error if retries is False else MaxRetryError(pool, url, error)
