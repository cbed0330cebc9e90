"""What jobs do by requests."""

from __future__ import annotations

import functools
from typing import Any, Final

import requests

from ....harness.records.patches import Patches
from ...messages.http import HttpRequest, bytes_of, hear

library: Final = "requests"


def install(patches: Patches) -> None:
    """Hear of what sessions send, through whichever adapter, also where a mock replaces it."""
    send = requests.Session.send

    @functools.wraps(send)
    def heard(
        self: requests.Session, request: requests.PreparedRequest, **kwargs: Any
    ) -> requests.Response:
        return hear(
            lambda: _request(request),
            lambda: send(self, request, **kwargs),
            refused=lambda: requests.ConnectionError(
                "[Errno 111] Connection refused", request=request
            ),
            answer_lost=lambda: requests.ReadTimeout("Read timed out.", request=request),
            status=_first_status,
        )

    patches.set(requests.Session, "send", heard)


def _request(request: requests.PreparedRequest) -> HttpRequest:
    headers: Any = request.headers or {}
    return HttpRequest.received(
        request.method or "GET",
        request.url or "",
        [(name, _text(value)) for name, value in headers.items()],
        bytes_of(request.body),
    )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _first_status(response: requests.Response) -> int:
    """Return the status with which the request itself was answered, before what it was led on to."""
    return (response.history or [response])[0].status_code
