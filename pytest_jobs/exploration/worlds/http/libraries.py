"""The places in HTTP libraries where a fake takes the place of the network, and HTTP as bytes."""

from __future__ import annotations

import asyncio
import http.client
import io
import os
import ssl
import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from ....bridges.libraries.capture import ImportWatch
from ....harness.records.patches import Patches
from ...effects.http.http_client import address_of
from ...effects.http.request import HttpRequest, HttpResponse

_END: Final = b"\r\n\r\n"
_WITHOUT_BODY: Final = (204, 304)


Answering: TypeAlias = Callable[[HttpRequest], HttpResponse]


def stand_in(answer: Answering, patches: Patches) -> None:
    """Let requests be answered, in the libraries that are imported and in those that will be.

    http.client and urllib3 open a socket in `connect`; requests sends by urllib3. httpx sends by a pool of
    httpcore, so its own transports, which tests may replace, stay what they are. aiohttp opens its connections
    in `_create_connection` of the connector.
    """

    def connect(self: Any) -> None:
        self.sock = _FakeSocket(_Conversation(lambda target: address_of(self, target), answer))
        # urllib3 asks for this before it sends anything over TLS.
        self.is_verified = True

    def in_connections(module: Any) -> None:
        patches.set(module.HTTPConnection, "connect", connect)
        patches.set(module.HTTPSConnection, "connect", connect)

    def handle_request(self: Any, request: Any) -> Any:
        return _to_httpcore(answer(_from_httpcore(request, b"".join(request.stream))))

    async def handle_async_request(self: Any, request: Any) -> Any:
        body = b"".join([part async for part in request.stream])
        return _to_httpcore(answer(_from_httpcore(request, body)))

    def in_httpcore(module: Any) -> None:
        patches.set(module.ConnectionPool, "handle_request", handle_request)
        patches.set(module.AsyncConnectionPool, "handle_async_request", handle_async_request)

    def in_aiohttp(module: Any) -> None:
        patches.set(module.TCPConnector, "_create_connection", _connecting(answer))

    modules: dict[str, Callable[[Any], None]] = {
        "http.client": in_connections,
        "urllib3.connection": in_connections,
        "httpcore": in_httpcore,
        "aiohttp.connector": in_aiohttp,
    }
    for name in modules.keys() & sys.modules.keys():
        modules[name](sys.modules[name])
    later = {name: name for name in modules.keys() - sys.modules.keys()}
    watch = ImportWatch(later, lambda name: modules[name](sys.modules[name]))
    sys.meta_path.insert(0, watch)
    patches.undo_by(lambda: sys.meta_path.remove(watch))


def _from_httpcore(request: Any, body: bytes) -> HttpRequest:
    url = request.url
    port = "" if url.port is None else f":{url.port}"
    address = f"{url.scheme.decode()}://{url.host.decode()}{port}{url.target.decode()}"
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
    return HttpRequest.received(request.method.decode(), address, headers, body)


def _to_httpcore(response: HttpResponse) -> Any:
    import httpcore

    headers, body = response.encoded()
    return httpcore.Response(
        response.status,
        headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        content=body,
    )


def _connecting(answer: Callable[[HttpRequest], HttpResponse]) -> Any:
    async def create_connection(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        protocol = self._factory()
        origin = request.url.origin()

        def address(target: str) -> str:
            return target if "://" in target else f"{origin}{target}"

        protocol.connection_made(_Transport(protocol, _Conversation(address, answer)))
        return protocol

    return create_connection


class _Transport(asyncio.Transport):
    """Takes what a protocol writes, and gives it the answer."""

    def __init__(self, protocol: Any, conversation: _Conversation) -> None:
        super().__init__()
        self._protocol = protocol
        self._conversation = conversation
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        try:
            answer = self._conversation.feed(bytes(data))
        except Exception as error:
            # Raised here, it would come to the job as a broken connection.
            self._protocol.set_exception(error)
            return
        if answer is not None:
            asyncio.get_running_loop().call_soon(self._protocol.data_received, answer)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    # The whole answer was read already, so there is nothing to pause.
    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class _Conversation:
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


class _FakeSocket:
    """The socket of http.client: the answer is there by the time that the request is sent."""

    def __init__(self, conversation: _Conversation) -> None:
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


#: A call that reads certificates, without its context: the context would keep itself alive.
_Call: TypeAlias = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]

_LOADING: Final = ("load_verify_locations", "load_default_certs")
_USING: Final = ("wrap_socket", "wrap_bio", "get_ca_certs", "cert_store_stats")


class LateCertificates:
    """Lets contexts of TLS read certificates when they use them, or at the end of a block that they outlive.

    Reading them takes longer than all the rest of a history, and every new client does it.
    """

    def __init__(self) -> None:
        self._waiting: WeakKeyDictionary[ssl.SSLContext, list[_Call]] = WeakKeyDictionary()

    def install(self, patches: Patches) -> None:
        for name in _LOADING:
            patches.set(ssl.SSLContext, name, self._later(getattr(ssl.SSLContext, name)))
        for name in _USING:
            patches.set(ssl.SSLContext, name, self._first(getattr(ssl.SSLContext, name)))
        patches.undo_by(lambda: [*map(self._load, list(self._waiting))])

    def _later(self, load: Callable[..., object]) -> Any:
        """Return a method that only notes what to load."""

        def later(context: ssl.SSLContext, *args: Any, **kwargs: Any) -> None:
            files = [value for value in (*args, *kwargs.values()) if isinstance(value, str)]
            if all(map(os.path.exists, files)):
                self._waiting.setdefault(context, []).append((load, args, kwargs))
            else:
                # Raises the error of a missing file where it belongs.
                load(context, *args, **kwargs)

        return later

    def _first(self, use: Callable[..., Any]) -> Any:
        """Return a method that loads what was noted, and then does what it did."""

        def used(context: ssl.SSLContext, *args: Any, **kwargs: Any) -> Any:
            self._load(context)
            return use(context, *args, **kwargs)

        return used

    def _load(self, context: ssl.SSLContext) -> None:
        for load, args, kwargs in self._waiting.pop(context, []):
            load(context, *args, **kwargs)
