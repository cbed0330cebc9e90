"""What jobs do by the client of aiohttp."""

from __future__ import annotations

import errno
import functools
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import yarl

from ....harness.records.patches import Patches
from .exchange import bytes_of, keep_watching, sending
from .request import HttpRequest

library: Final = "aiohttp"

_VERBS: Final = ("request", "get", "head", "options", "post", "put", "patch", "delete")
_FORM: Final = "application/x-www-form-urlencoded"


def install(patches: Patches) -> None:
    """Watch the requests of every session, at `_request`, which all its verbs call.

    Mocks replace `_request` as well, before the check or in a world; what they answer is the answer of a server.
    """
    session = aiohttp.ClientSession

    patches.undo_by(functools.partial(setattr, session, "_request", session._request))
    session._request = _watched(session._request)  # type: ignore[method-assign]
    keep_watching(patches, session, _VERBS, session, "_request", _watched)


def _watched(request: Callable[..., Any]) -> Any:
    @functools.wraps(request)
    async def request_watched(self: Any, method: str, address: Any, **options: Any) -> Any:
        def refused() -> Exception:
            url = yarl.URL(address)
            # The error reads only these attributes of a connection.
            where: Any = SimpleNamespace(host=url.host, port=url.port, ssl=True, is_ssl=True)
            return aiohttp.ClientConnectorError(
                where, ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
            )

        with sending(
            lambda: _request(self, method, address, options),
            refused=refused,
            answer_lost=lambda: aiohttp.ServerTimeoutError("Timeout on reading data from socket"),
        ) as exchange:
            response: Any = await request(self, method, address, **options)
            first = (*(getattr(response, "history", None) or ()), response)[0]
            exchange.status = getattr(first, "status", None)
        return response

    return request_watched


def _request(session: Any, method: str, address: Any, options: dict[str, Any]) -> HttpRequest:
    url = session._build_url(address)
    if options.get("params"):
        url = url.update_query(options["params"])
    named = {**session.headers, **dict(options.get("headers") or {})}
    headers = {str(name).lower(): str(value) for name, value in named.items()}
    kind, body = _body(options)
    if kind:
        headers.setdefault("content-type", kind)
    return HttpRequest.received(method, str(url), headers.items(), body)


def _body(options: dict[str, Any]) -> tuple[str, bytes]:
    """Return the content type and the body that aiohttp will make of the options of a request."""
    if options.get("json") is not None:
        return "application/json", json.dumps(options["json"], default=repr).encode()
    data = options.get("data")
    if isinstance(data, aiohttp.FormData):
        pairs = [(kept["name"], str(value)) for kept, _, value in data._fields]
        return _FORM, urlencode(pairs).encode()
    if isinstance(data, dict | list | tuple):
        return _FORM, urlencode(data).encode()
    return "", bytes_of(data)
