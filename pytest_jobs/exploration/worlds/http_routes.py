"""Which answer a fake gives to which request."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeAlias

from ...errors import ExplorationError
from ..http_messages import HttpRequest, HttpResponse

#: What is answered: a response; values for JSON, text or bytes, with status 200; or a status alone.
Answer: TypeAlias = "HttpResponse | Mapping[str, Any] | list[Any] | str | bytes | int | None"
Handler: TypeAlias = "Callable[[HttpRequest], Answer]"
Routes: TypeAlias = "Handler | Mapping[str, Answer | Handler]"

_METHOD: Final = re.compile(r"[A-Za-z]+$")


class Pattern:
    """Says of requests whether they are of a method and an address."""

    def __init__(self, text: str) -> None:
        """Read a pattern.

        Args:
            text: a method and an address, such as `POST https://api.example.com/charges`. Without
                the method it holds for all methods, without the host for all hosts; `*` stands for
                any characters. The query is not looked at.

        Raises:
            ExplorationError: when it is none.
        """
        first, _, rest = text.partition(" ")
        method, address = (first.upper(), rest.strip()) if rest else ("", first)
        if not address.startswith(("/", "http://", "https://", "*")) or not (
            method == "" or _METHOD.match(method)
        ):
            raise ExplorationError(
                f"{text!r} is no route: write a method and an address, as in 'POST /charges' or "
                "'POST https://api.example.com/charges'; `*` stands for any characters."
            )
        self._method = method
        self._whole = not address.startswith("/")
        if self._whole and address.count("/") == 2:
            address += "/"
        self._regex = re.compile(re.escape(address).replace(r"\*", ".*"))

    def matches(self, request: HttpRequest) -> bool:
        """Say whether a request is of them."""
        address = request.url if self._whole else request.path
        return self._method in ("", request.method) and bool(self._regex.fullmatch(address))


class Router:
    """Finds the answer to a request."""

    def __init__(self, routes: Routes) -> None:
        self._handler = routes if callable(routes) else None
        self._routes = (
            [] if callable(routes) else [(Pattern(text), routes[text]) for text in routes]
        )
        self._names: Collection[str] = () if callable(routes) else tuple(routes)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to a request.

        Raises:
            ExplorationError: when there is none.
        """
        if self._handler is not None:
            answer = self._handler(request)
            if answer is None:
                raise ExplorationError(
                    f"{request.method} {request.url} was sent, and the function of fake_http returned None for "
                    "it: return an answer, as in `return {'id': 1}`, `return 204` or `return HttpResponse(...)`."
                )
            return _response(answer)
        for pattern, found in self._routes:
            if pattern.matches(request):
                return _response(found(request) if callable(found) else found)
        known = ", ".join(self._names) or "none"
        raise ExplorationError(
            f"{request.method} {request.url} was sent, and no route of fake_http answers it. The routes are: "
            f"{known}. Add one, as in fake_http({{'{request.method} {request.path}': {{'id': 1}}}})."
        )


def _response(answer: Any) -> HttpResponse:
    if isinstance(answer, HttpResponse):
        return answer
    if isinstance(answer, int) and not isinstance(answer, bool):
        return HttpResponse(answer)
    if answer is None or isinstance(answer, Mapping | list | tuple | str | bytes):
        return HttpResponse(200, answer)
    raise ExplorationError(
        f"{answer!r} is no answer of fake_http: give an HttpResponse, values for JSON, text, bytes or a status."
    )
