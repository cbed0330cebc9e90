"""What jobs do by requests."""

from __future__ import annotations

import functools
from typing import Any, Final

import requests

from ....harness.records.patches import Patches
from .exchange import bytes_of, header_text, sending
from .request import HttpRequest

library: Final = "requests"


def install(patches: Patches) -> None:
    """Watch what sessions send: `send` is also called where a mock replaces the adapters below it."""
    send = requests.Session.send

    @functools.wraps(send)
    def send_watched(
        self: requests.Session, request: requests.PreparedRequest, **kwargs: Any
    ) -> requests.Response:
        def sent() -> HttpRequest:
            headers: Any = request.headers or {}
            return HttpRequest.received(
                request.method or "GET",
                request.url or "",
                [(name, header_text(value)) for name, value in headers.items()],
                bytes_of(request.body),
            )

        with sending(
            sent,
            refused=lambda: requests.ConnectionError(
                "[Errno 111] Connection refused", request=request
            ),
            answer_lost=lambda: requests.ReadTimeout("Read timed out.", request=request),
        ) as exchange:
            response = send(self, request, **kwargs)
            exchange.status = (response.history or [response])[0].status_code
        return response

    patches.set(requests.Session, "send", send_watched)
