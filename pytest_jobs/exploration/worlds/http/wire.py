"""HTTP as bytes: reading a request piece by piece, and writing its answer."""

from __future__ import annotations

import http.client
import io
from collections.abc import Callable
from typing import Any, Final

from ...effects.http.request import HttpRequest, HttpResponse

_END: Final = b"\r\n\r\n"
_WITHOUT_BODY: Final = (204, 304)


class Conversation:
    """One connection: it takes the bytes of a request, and gives those of the answer."""

    def __init__(
        self, address: Callable[[str], str], answer: Callable[[HttpRequest], HttpResponse]
    ) -> None:
        #: Returns the whole address of the target in the first line of a request.
        self._address = address
        self._answer = answer
        self._received = b""

    def feed(self, data: bytes) -> bytes | None:
        """Take some bytes, and return the answer when the request is complete."""
        self._received += data
        head, ended, body = self._received.partition(_END)
        if not ended:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = []
        for line in lines:
            name, _, value = line.partition(":")
            headers.append((name.strip().lower(), value.strip()))
        whole = _body(dict(headers), body)
        if whole is None:
            return None
        self._received = b""
        request = HttpRequest.received(method, self._address(target), headers, whole)
        return _written(self._answer(request), method)


class FakeSocket:
    """The socket of http.client: the answer is there by the time that the request is sent."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._answer = b""

    def sendall(self, data: Any) -> None:
        self._answer += self._conversation.feed(bytes(data)) or b""

    def makefile(self, *args: Any, **kwargs: Any) -> io.BytesIO:
        return io.BytesIO(self._answer)

    def settimeout(self, timeout: float | None) -> None:
        pass

    def shutdown(self, how: int) -> None:
        pass

    def close(self) -> None:
        pass


def _body(headers: dict[str, str], received: bytes) -> bytes | None:
    """Return the body of a request; None while a part is missing."""
    if "chunked" not in headers.get("transfer-encoding", ""):
        length = int(headers.get("content-length", 0))
        return received[:length] if len(received) >= length else None
    body = b""
    while True:
        size, ended, received = received.partition(b"\r\n")
        if not ended:
            return None
        length = int(size.partition(b";")[0], 16)
        if len(received) < length + 2:
            return None
        if not length:
            return body
        body += received[:length]
        received = received[length + 2 :]


def _written(response: HttpResponse, method: str) -> bytes:
    headers, body = response.encoded()
    reason = http.client.responses.get(response.status, "")
    lines = [f"HTTP/1.1 {response.status} {reason}", "connection: close"]
    bare = response.status in _WITHOUT_BODY
    lines += [f"{name}: {value}" for name, value in headers if not bare or name[:8] != "content-"]
    head = "\r\n".join(lines).encode("latin-1") + _END
    return head if bare or method == "HEAD" else head + body
