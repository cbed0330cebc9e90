"""What jobs do by httpx, through any transport."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import CodeType
from typing import Any, Final

import httpx

from ....harness.records.attributes import derived_from
from ....harness.records.patches import Patches
from ...engine.acts import watcher
from ...engine.run import Run
from .exchange import Exchange, keep_watching, sending
from .request import HttpRequest

library: Final = "httpx"

_SYNC: Final = "handle_request"
_ASYNC: Final = "handle_async_request"
_NETWORK: Final = (httpx.HTTPTransport, httpx.AsyncHTTPTransport)


def install(patches: Patches) -> None:
    """Watch the requests of all transports, those of tests included.

    A transport that passes requests to another one, to repeat them for example, is left alone: each request
    that it passes on is an effect of the other. So is one that calls an application in this process: what that
    does is what the job does.
    """
    _watch_all(patches, httpx.BaseTransport, _SYNC, _watched)
    _watch_all(patches, httpx.AsyncBaseTransport, _ASYNC, _watched_async)
    keep_watching(patches, httpx.Client, ["send"], httpx.HTTPTransport, _SYNC, _watched)
    keep_watching(
        patches, httpx.AsyncClient, ["send"], httpx.AsyncHTTPTransport, _ASYNC, _watched_async
    )


def _watch_all(patches: Patches, base: Any, name: str, watched: Callable[[Any], Any]) -> None:
    """Watch the transports that there are, and those that will be defined."""

    def watch(transport: type) -> None:
        handle = vars(transport).get(name)
        if handle is not None and (transport in _NETWORK or not _passes_on(handle)):
            patches.set(transport, name, watched(handle))

    for transport in derived_from(base):
        watch(transport)

    def init_subclass(cls: Any, /, **kwargs: Any) -> None:
        super(base, cls).__init_subclass__(**kwargs)
        watch(cls)

    patches.set(base, "__init_subclass__", classmethod(init_subclass))


def _passes_on(handle: Any) -> bool:
    """Say whether a transport passes requests to another one: its code names the method of transports."""
    while hasattr(handle, "__wrapped__"):
        handle = handle.__wrapped__

    def calls_transport(code: CodeType) -> bool:
        inner = (const for const in code.co_consts if isinstance(const, CodeType))
        return not {_SYNC, _ASYNC}.isdisjoint(code.co_names) or any(map(calls_transport, inner))

    code = getattr(handle, "__code__", None)
    return code is not None and calls_transport(code)


def _run_of(transport: object) -> Run | None:
    """Return the delivery that calls an application of this process by a transport; None for another one.

    The transports for ASGI and WSGI, and Starlette's, have the application as `app`.
    """
    current = watcher.get()
    if current is None or not callable(getattr(transport, "app", None)):
        return None
    return current.run


def _answered(
    run: Run, before: int, request: httpx.Request, response: httpx.Response
) -> httpx.Response:
    """Let a request to an application be an effect if that had none: it stands in for one of others."""
    if run.acted == before:
        with _sending(request) as exchange:
            exchange.status = response.status_code
    return response


def _watched(handle: Callable[[Any, httpx.Request], httpx.Response]) -> Any:
    @functools.wraps(handle)
    def handle_watched(self: Any, request: httpx.Request) -> httpx.Response:
        run = _run_of(self)
        if run is not None:
            before = run.acted
            return _answered(run, before, request, handle(self, request))
        with _sending(request) as exchange:
            response = handle(self, request)
            exchange.status = response.status_code
        return response

    return handle_watched


def _watched_async(handle: Callable[[Any, httpx.Request], Any]) -> Any:
    @functools.wraps(handle)
    async def handle_watched(self: Any, request: httpx.Request) -> httpx.Response:
        if watcher.get() is not None:
            # A body that is sent piece by piece can only be awaited.
            await request.aread()
        run = _run_of(self)
        if run is not None:
            before = run.acted
            return _answered(run, before, request, await handle(self, request))
        with _sending(request) as exchange:
            response: httpx.Response = await handle(self, request)
            exchange.status = response.status_code
        return response

    return handle_watched


def _sending(request: httpx.Request) -> AbstractContextManager[Exchange]:
    def sent() -> HttpRequest:
        # Does nothing after `aread`.
        request.read()
        return HttpRequest.received(
            request.method, str(request.url), request.headers.items(), request.content
        )

    return sending(
        sent,
        refused=lambda: httpx.ConnectError("[Errno 111] Connection refused", request=request),
        answer_lost=lambda: httpx.ReadTimeout("The read operation timed out", request=request),
    )
