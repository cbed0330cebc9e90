"""What jobs do by urllib3, where no other library uses it for a request of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import urllib3
from urllib3.exceptions import MaxRetryError, NewConnectionError, ReadTimeoutError

from ....harness.records.patches import Patches
from .exchange import bytes_of, sending
from .request import HttpRequest

library: Final = "urllib3"


def install(patches: Patches) -> None:
    """Watch the requests of every pool; what a pool retries by itself is part of the request."""
    urlopen: Any = urllib3.HTTPConnectionPool.urlopen

    @functools.wraps(urlopen)
    def urlopen_watched(
        self: Any,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        *args: Any,
        **rest: Any,
    ) -> Any:
        def sent() -> HttpRequest:
            given = self.headers if headers is None else headers
            named = [(str(name), str(value)) for name, value in (given or {}).items()]
            whole = url if "://" in url else f"{self.scheme}://{self.host}:{self.port}{url}"
            return HttpRequest.received(method, whole, named, bytes_of(body))

        def refused() -> Exception:
            retries = args[0] if args else rest.get("retries")
            make: Callable[..., Exception] = NewConnectionError
            error = make(self, "[Errno 111] Connection refused")
            return error if retries is False else MaxRetryError(self, url, error)

        with sending(
            sent,
            refused=refused,
            answer_lost=lambda: ReadTimeoutError(self, url, "Read timed out."),
        ) as exchange:
            response = urlopen(self, method, url, body, headers, *args, **rest)
            exchange.status = response.status
        return response

    patches.set(urllib3.HTTPConnectionPool, "urlopen", urlopen_watched)
