"""What jobs do by the client of aiohttp."""

from __future__ import annotations

import errno
import functools
import json
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import yarl

from ....harness.records.patches import Patches
from ...messages.http import HttpRequest, bytes_of, hear_async, refuse_replaced

library: Final = "aiohttp"

_VERBS: Final = ("request", "post", "put", "patch", "delete")
_FORM: Final = "application/x-www-form-urlencoded"


def install(patches: Patches) -> None:
    """Hear of the requests of every session."""
    request = aiohttp.ClientSession._request

    @functools.wraps(request)
    async def heard(self: Any, method: str, address: Any, **options: Any) -> Any:
        async def sent() -> HttpRequest:
            return _request(self, method, address, options)

        return await hear_async(
            sent,
            lambda: request(self, method, address, **options),
            refused=lambda: _refused(address),
            answer_lost=lambda: aiohttp.ServerTimeoutError("Timeout on reading data from socket"),
            status=_first_status,
        )

    patches.set(aiohttp.ClientSession, "_request", heard)
    for verb in _VERBS:
        patches.set(aiohttp.ClientSession, verb, _checked(verb, heard))


def _checked(verb: str, ours: object) -> Any:
    """Return a method of sessions, refusing where a mock that came later would keep requests from us."""
    method = vars(aiohttp.ClientSession)[verb]

    @functools.wraps(method)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        refuse_replaced(aiohttp.ClientSession, "_request", ours, "aiohttp")
        return method(self, *args, **kwargs)

    return checked


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
    if options.get("json") is not None:
        return "application/json", json.dumps(options["json"], default=repr).encode()
    data = options.get("data")
    if isinstance(data, aiohttp.FormData):
        pairs = [(kept["name"], str(value)) for kept, _, value in data._fields]
        return _FORM, urlencode(pairs).encode()
    if isinstance(data, dict | list | tuple):
        return _FORM, urlencode(data).encode()
    return "", bytes_of(data)


def _first_status(response: Any) -> int:
    """Return the status with which the request itself was answered, before what it was led on to."""
    first = (response.history or [response])[0]
    status: int = first.status
    return status


def _refused(address: Any) -> Exception:
    url = yarl.URL(address)
    # What the error says is all that it needs of a connection.
    where: Any = SimpleNamespace(host=url.host, port=url.port, ssl=True, is_ssl=True)
    return aiohttp.ClientConnectorError(
        where, ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    )
