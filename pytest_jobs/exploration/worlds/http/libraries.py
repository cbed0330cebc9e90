"""The places in HTTP libraries where a fake takes the place of the network."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from ....harness.records.patches import Patches
from ...effects.http.http_client import address_of
from ...messages.http import HttpRequest, HttpResponse
from ..importing import when_imported
from .wire import Conversation, FakeSocket

Answering = Callable[[HttpRequest], HttpResponse]


def stand_in(answer: Answering, patches: Patches) -> None:
    """Let requests be answered, in the libraries that are imported and in those that will be.

    Args:
        answer: answers them.
        patches: puts everything back.
    """

    def in_connections(module: Any) -> None:
        _connect(patches, module.HTTPConnection, answer)
        _connect(patches, module.HTTPSConnection, answer)

    def in_httpcore(module: Any) -> None:
        patches.set(module.ConnectionPool, "handle_request", _pooled(answer))
        patches.set(module.AsyncConnectionPool, "handle_async_request", _pooled_async(answer))

    def in_aiohttp(module: ModuleType) -> None:
        from .aiohttp import connecting

        connector: Any = module
        patches.set(connector.TCPConnector, "_create_connection", connecting(answer))

    when_imported(
        {
            "http.client": in_connections,
            "urllib3.connection": in_connections,
            "httpcore": in_httpcore,
            "aiohttp.connector": in_aiohttp,
        },
        patches,
    )


def _connect(patches: Patches, kind: Any, answer: Answering) -> None:
    def connect(self: Any) -> None:
        self.sock = FakeSocket(Conversation(lambda target: address_of(self, target), answer))
        # What urllib3 asks before it sends anything over TLS.
        self.is_verified = True

    patches.set(kind, "connect", connect)


def _pooled(answer: Answering) -> Any:
    def handle_request(self: Any, request: Any) -> Any:
        return _response(answer(_request(request, b"".join(request.stream))))

    return handle_request


def _pooled_async(answer: Answering) -> Any:
    async def handle_async_request(self: Any, request: Any) -> Any:
        body = b"".join([part async for part in request.stream])
        return _response(answer(_request(request, body)))

    return handle_async_request


def _request(request: Any, body: bytes) -> HttpRequest:
    url = request.url
    port = "" if url.port is None else f":{url.port}"
    address = f"{url.scheme.decode()}://{url.host.decode()}{port}{url.target.decode()}"
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
    return HttpRequest.received(request.method.decode(), address, headers, body)


def _response(response: HttpResponse) -> Any:
    import httpcore

    headers, body = response.encoded()
    return httpcore.Response(
        response.status,
        headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        content=body,
    )
