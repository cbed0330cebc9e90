"""What jobs do by requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import requests

from ....harness.records.patches import Patches
from ..wrapping import in_delivery
from .exchange import bytes_of, header_text, sending
from .request import HttpRequest

library: Final = "requests"


def install(patches: Patches) -> None:
    """Watch what sessions send: `send` is also called where a mock replaces the adapters below it."""
    in_delivery(patches, requests.Session, "send", _send)


def _send(
    current: object,
    send: Callable[..., requests.Response],
    session: requests.Session,
    request: requests.PreparedRequest,
    **kwargs: Any,
) -> Any:
    def sent() -> HttpRequest:
        headers: Any = request.headers or {}
        named = [(name, header_text(value)) for name, value in headers.items()]
        method, url = request.method or "GET", request.url or ""
        return HttpRequest.received(method, url, named, bytes_of(request.body))

    with sending(
        sent,
        refused=lambda: requests.ConnectionError("[Errno 111] Connection refused", request=request),
        answer_lost=lambda: requests.ReadTimeout("Read timed out.", request=request),
    ) as exchange:
        # A double may give something that has only what the job asks it for.
        response: Any = send(session, request, **kwargs)
        first = (*(getattr(response, "history", None) or ()), response)[0]
        exchange.status = getattr(first, "status_code", None)
    return response
