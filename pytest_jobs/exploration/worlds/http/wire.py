"""Not reading the certificates of authorities where no connection is made."""

from __future__ import annotations

import http.client
import io
import os
import ssl
from collections.abc import Callable
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from ....harness.records.patches import Patches
from ...messages.http import HttpRequest, HttpResponse

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


#: What reads certificates, without the context: that would keep it alive.
_Call: TypeAlias = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]

_LOADING: Final = ("load_verify_locations", "load_default_certs")
_USING: Final = ("wrap_socket", "wrap_bio", "get_ca_certs", "cert_store_stats")


class LateCertificates:
    """Has contexts read certificates when they are used, or when a block ends that they outlive.

    Reading them takes longer than all else in a history, and each new client does it.
    """

    def __init__(self) -> None:
        self._waiting: WeakKeyDictionary[ssl.SSLContext, list[_Call]] = WeakKeyDictionary()

    def install(self, patches: Patches) -> None:
        """Begin; what is put back ends it."""
        for name in _LOADING:
            patches.set(ssl.SSLContext, name, self._later(getattr(ssl.SSLContext, name)))
        for name in _USING:
            patches.set(ssl.SSLContext, name, self._first(getattr(ssl.SSLContext, name)))
        patches.undo_by(self._load_all)

    def _later(self, load: Callable[..., object]) -> Any:
        def later(context: ssl.SSLContext, *args: Any, **kwargs: Any) -> None:
            named = [value for value in (*args, *kwargs.values()) if isinstance(value, str)]
            if not all(map(os.path.exists, named)):
                # Raises what it has to.
                load(context, *args, **kwargs)
                return
            calls = self._waiting.setdefault(context, [])
            calls.append((load, args, kwargs))

        return later

    def _first(self, use: Callable[..., Any]) -> Any:
        def used(context: ssl.SSLContext, *args: Any, **kwargs: Any) -> Any:
            self._load(context)
            return use(context, *args, **kwargs)

        return used

    def _load(self, context: ssl.SSLContext) -> None:
        for load, args, kwargs in self._waiting.pop(context, []):
            load(context, *args, **kwargs)

    def _load_all(self) -> None:
        for context in list(self._waiting):
            self._load(context)
