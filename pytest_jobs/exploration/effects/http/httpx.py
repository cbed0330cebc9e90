"""What jobs do by httpx, through whichever transport."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, Final

import httpx

from ....harness.records.patches import Patches
from ...messages.http import HttpRequest, hear, hear_async, refuse_replaced

library: Final = "httpx"

_SYNC: Final = "handle_request"
_ASYNC: Final = "handle_async_request"
_NETWORK: Final = (httpx.HTTPTransport, httpx.AsyncHTTPTransport)


def install(patches: Patches) -> None:
    """Hear of the requests of all transports, those of tests included.

    A transport that hands requests on to another is none of its own: what it repeats is heard.
    """
    _hear_of_all(patches, httpx.BaseTransport, _SYNC, _heard)
    _hear_of_all(patches, httpx.AsyncBaseTransport, _ASYNC, _heard_async)
    patches.set(httpx.Client, "send", _checked(httpx.Client, httpx.HTTPTransport, _SYNC))
    patches.set(
        httpx.AsyncClient, "send", _checked(httpx.AsyncClient, httpx.AsyncHTTPTransport, _ASYNC)
    )


def _take(patches: Patches, transport: type, name: str, make: Callable[[Any], Any]) -> None:
    handle = vars(transport).get(name)
    if handle is not None and (transport in _NETWORK or not _hands_on(handle)):
        patches.set(transport, name, make(handle))


def _hear_of_all(patches: Patches, base: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Hear of the transports that there are, and of those that will be."""
    for kind in _subclasses(base):
        _take(patches, kind, name, make)

    def init_subclass(cls: Any, /, **kwargs: Any) -> None:
        super(base, cls).__init_subclass__(**kwargs)
        _take(patches, cls, name, make)

    patches.set(base, "__init_subclass__", classmethod(init_subclass))


def _subclasses(base: Any) -> Iterator[type]:
    for kind in base.__subclasses__():
        yield kind
        yield from _subclasses(kind)


def _hands_on(handle: Any) -> bool:
    """Say whether a transport passes requests to another."""
    while hasattr(handle, "__wrapped__"):
        handle = handle.__wrapped__
    code = getattr(handle, "__code__", None)
    return code is not None and _calls_one(code)


def _calls_one(code: CodeType) -> bool:
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return not {_SYNC, _ASYNC}.isdisjoint(code.co_names) or any(map(_calls_one, inner))


def _heard(handle: Callable[[Any, httpx.Request], httpx.Response]) -> Any:
    @functools.wraps(handle)
    def heard(self: Any, request: httpx.Request) -> httpx.Response:
        def sent() -> HttpRequest:
            request.read()
            return _request(request)

        return hear(
            sent, lambda: handle(self, request), **_errors(request), status=lambda r: r.status_code
        )

    return heard


def _heard_async(handle: Callable[[Any, httpx.Request], Any]) -> Any:
    @functools.wraps(handle)
    async def heard(self: Any, request: httpx.Request) -> httpx.Response:
        async def sent() -> HttpRequest:
            await request.aread()
            return _request(request)

        answer: httpx.Response = await hear_async(
            sent, lambda: handle(self, request), **_errors(request), status=lambda r: r.status_code
        )
        return answer

    return heard


def _request(request: httpx.Request) -> HttpRequest:
    return HttpRequest.received(
        request.method, str(request.url), request.headers.items(), request.content
    )


def _errors(request: httpx.Request) -> dict[str, Callable[[], Exception]]:
    return {
        "refused": lambda: httpx.ConnectError("[Errno 111] Connection refused", request=request),
        "answer_lost": lambda: httpx.ReadTimeout("The read operation timed out", request=request),
    }


def _checked(client: type, transport: type, name: str) -> Any:
    """Return the method that sends, refusing where a mock that came later would keep requests from us."""
    send = vars(client)["send"]
    ours = vars(transport)[name]

    @functools.wraps(send)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        refuse_replaced(transport, name, ours, "httpx")
        return send(self, *args, **kwargs)

    return checked
