"""HTTP as bytes, for libraries that write them to a connection."""

from __future__ import annotations

import http.client
import io
from collections.abc import Callable
from typing import Any, Final

from ..http_messages import HttpRequest, HttpResponse

_END: Final = b"\r\n\r\n"
_WITHOUT_BODY: Final = (204, 304)


class Conversation:
    """Reads one request, piece by piece, and writes its answer."""

    def __init__(
        self, address: Callable[[str], str], answer: Callable[[HttpRequest], HttpResponse]
    ) -> None:
        """Begin one.

        Args:
            address: tells the whole address of what is asked for.
            answer: answers the request.
        """
        self._address = address
        self._answer = answer
        self._received = b""

    def feed(self, data: bytes) -> bytes | None:
        """Take in some bytes; return the answer when the request is complete."""
        self._received += data
        head, ended, body = self._received.partition(_END)
        if not ended:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = [_header(line) for line in lines]
        whole = _body(dict(headers), body)
        if whole is None:
            return None
        self._received = b""
        request = HttpRequest.received(method, self._address(target), headers, whole)
        return written(self._answer(request), method)


def written(response: HttpResponse, method: str) -> bytes:
    """Return an answer as it is sent."""
    headers, body = response.encoded()
    reason = http.client.responses.get(response.status, "")
    lines = [f"HTTP/1.1 {response.status} {reason}", "connection: close"]
    bare = response.status in _WITHOUT_BODY
    lines += [f"{name}: {value}" for name, value in headers if not bare or name[:8] != "content-"]
    head = "\r\n".join(lines).encode("latin-1") + _END
    return head if bare or method == "HEAD" else head + body


class FakeSocket:
    """What http.client takes for a socket: it is answered by the time that the request is sent."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._answer = b""

    def sendall(self, data: Any) -> None:
        """Take in what is sent."""
        self._answer += self._conversation.feed(bytes(data)) or b""

    def makefile(self, *args: Any, **kwargs: Any) -> io.BytesIO:
        """Return what reads the answer."""
        return io.BytesIO(self._answer)

    def settimeout(self, timeout: float | None) -> None:
        """Wait for nothing."""

    def shutdown(self, how: int) -> None:
        """End nothing."""

    def close(self) -> None:
        """Close nothing."""


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _body(headers: dict[str, str], received: bytes) -> bytes | None:
    """Return the body of a request; None while a part is missing."""
    if "chunked" in headers.get("transfer-encoding", ""):
        return _joined(received)
    length = int(headers.get("content-length", 0))
    return received[:length] if len(received) >= length else None


def _joined(chunked: bytes) -> bytes | None:
    body = b""
    while True:
        size, ended, chunked = chunked.partition(b"\r\n")
        if not ended:
            return None
        length = int(size.partition(b";")[0], 16)
        if len(chunked) < length + 2:
            return None
        if not length:
            return body
        body += chunked[:length]
        chunked = chunked[length + 2 :]
