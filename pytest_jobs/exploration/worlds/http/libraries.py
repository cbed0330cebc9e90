"""The places in HTTP libraries where a fake takes the place of the network."""

from __future__ import annotations

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
from .wire import Conversation, FakeSocket

Answering: TypeAlias = Callable[[HttpRequest], HttpResponse]


def stand_in(answer: Answering, patches: Patches) -> None:
    """Let requests be answered, in the libraries that are imported and in those that will be.

    http.client and urllib3 open a socket in `connect`; requests sends by urllib3. httpx sends by a pool of
    httpcore, so its own transports, which tests may replace, stay what they are. aiohttp opens its connections
    in `_create_connection` of the connector.
    """

    def connect(self: Any) -> None:
        self.sock = FakeSocket(Conversation(lambda target: address_of(self, target), answer))
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
        from .aiohttp import connecting

        patches.set(module.TCPConnector, "_create_connection", connecting(answer))

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
