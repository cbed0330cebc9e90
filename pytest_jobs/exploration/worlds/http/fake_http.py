"""A fake of all servers that are reached by HTTP."""

from __future__ import annotations

import inspect
import re
import threading
import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, TypeAlias

from ....errors import ExplorationError
from ....harness.records.patches import Patches
from ...effects.http.exchange import answered_by_fake, kind_of
from ...effects.http.request import HttpRequest, HttpResponse, refuses
from ...effects.wrapping import of_search
from ...engine.acts import KEYS_BY_TIME
from ...engine.scope import leaving_out
from .libraries import LateCertificates, stand_in

#: What is answered: a response; values for JSON, text or bytes, with status 200; or a status alone.
Answer: TypeAlias = "HttpResponse | Mapping[str, Any] | list[Any] | str | bytes | int | None"
Handler: TypeAlias = "Callable[[HttpRequest], Answer]"
Routes: TypeAlias = "Handler | Mapping[str, Answer | Handler]"

_METHOD: Final = re.compile(r"[A-Za-z]+$")
_MISUSED: Final = "This key was used before, for a request that said something else."


class Pattern:
    """A method and an address, such as `POST https://api.example.com/charges`.

    Without the method it matches all methods, without the host all hosts; `*` stands for any characters. The
    query does not matter.
    """

    def __init__(self, text: str) -> None:
        first, _, rest = text.partition(" ")
        method, address = (first.upper(), rest.strip()) if rest else ("", first)
        if not address.startswith(("/", "http://", "https://", "*")) or not (
            method == "" or _METHOD.match(method)
        ):
            raise ExplorationError(
                f"{text!r} is not a route: write a method and an address, as in 'POST /charges' or "
                "'POST https://api.example.com/charges'; `*` stands for any characters."
            )
        self._method = method
        self._whole = not address.startswith("/")
        if self._whole and address.count("/") == 2:
            address += "/"
        self._regex = re.compile(re.escape(address).replace(r"\*", ".*"))

    def matches(self, request: HttpRequest) -> bool:
        address = request.url if self._whole else request.path
        return self._method in ("", request.method) and bool(self._regex.fullmatch(address))


class FakeHttp:
    """Answers requests, and records them."""

    def __init__(self, routes: Routes, remembers: timedelta | None, reads: Collection[str]) -> None:
        self._handler = routes if callable(routes) else None
        self._routes: Mapping[str, Answer | Handler] = {} if callable(routes) else dict(routes)
        self._patterns = {text: Pattern(text) for text in self._routes}
        self._remembers = remembers
        self._reads = [Pattern(text) for text in reads]
        # Threads of a job may send at the same time. Like a server, one of them finds the key known.
        self._one_at_a_time = threading.RLock()
        #: By host and key: when the key was first used, the request, and the answer.
        self._answers: dict[tuple[str, str], tuple[float, HttpRequest, HttpResponse]] = {}
        self._unanswered: ExplorationError | None = None
        #: The requests that took effect, in order.
        self.received: list[HttpRequest] = []
        #: All requests, also those that only look and those that are repeated.
        self.log: list[HttpRequest] = []
        #: What was put last, by address; None where it was deleted.
        self.resources: dict[str, Any] = {}

    def answer(self, request: HttpRequest) -> HttpResponse:
        with self._one_at_a_time:
            self.log.append(request)
            try:
                response, takes_effect = self._answered(request)
            except ExplorationError as error:
                self._unanswered = self._unanswered or error
                raise
            if takes_effect:
                self.received.append(request)
            answered_by_fake(took_effect=takes_effect)
            return response

    def check_all_answered(self) -> None:
        """Raise the error of a request that was not answered, also where the job caught it."""
        if self._unanswered is not None:
            raise self._unanswered

    def _answered(self, request: HttpRequest) -> tuple[HttpResponse, bool]:
        kind = kind_of(request)
        if kind in ("read", "nothing") or any(one.matches(request) for one in self._reads):
            return self._by_route(request), False
        sent = request.idempotency_key
        # A later delivery sends another one, which identifies nothing.
        goes_by_time = request.place in of_search(KEYS_BY_TIME, set)
        key = None if sent is None or goes_by_time else (request.host, sent)
        if key is not None and key in self._answers:
            since, first, response = self._answers[key]
            age = time.time() - since
            if self._remembers is None or age < self._remembers.total_seconds():
                return _repeated(request, first, response), False
        response = self._by_route(request)
        if refuses(response.status):
            return response, False
        takes_effect = kind != "put" or request not in self.received
        if key is not None:
            self._answers[key] = time.time(), request, response
        if request.is_repeatable:
            self.resources[request.url] = request.content
        return response, takes_effect

    def _by_route(self, request: HttpRequest) -> HttpResponse:
        if self._handler is not None:
            answer = self._handler(request)
            if answer is None:
                raise ExplorationError(
                    f"{request.method} {request.url} was sent, and the function of fake_http returned None for "
                    "it: return an answer, as in `return {'id': 1}`, `return 204` or `return HttpResponse(...)`."
                )
            return _response(answer)
        for text, found in self._routes.items():
            if self._patterns[text].matches(request):
                return _response(found(request) if callable(found) else found)
        known = ", ".join(self._routes) or "none"
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
        f"{answer!r} is not an answer of fake_http: give an HttpResponse, values for JSON, text, bytes or a "
        "status."
    )


def _repeated(request: HttpRequest, first: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return the answer to a request with a key that is known, as Stripe gives it."""
    if (first.url, first.said) != (request.url, request.said):
        return HttpResponse(400, {"error": {"type": "idempotency_error", "message": _MISUSED}})
    return HttpResponse(
        response.status, response.body, {**response.headers, "Idempotent-Replayed": "true"}
    )


@contextmanager
def fake_http(
    routes: Routes, *, remembers: timedelta | None = None, reads: Collection[str] = ()
) -> Generator[FakeHttp, None, None]:
    """Stand in for all servers for a block, in httpx, requests, urllib3, aiohttp and http.client at once.

    A request with an idempotency key that is known is answered as the first was, and has no effect;
    one that says something else than the first is answered with status 400, as Stripe does. Answers
    with a status from 400 to 499 say that the request was not carried out, and are not remembered.

    Args:
        routes: what is answered, by method and address, such as `"POST /charges"` or
            `"GET https://api.example.com/charges/*"`: an `HttpResponse`, values for JSON, text,
            bytes, a status, or a function of the request that returns one of them. The first that
            fits counts. Or one such function for all requests.
        remembers: how long keys are known; None for ever.
        reads: the requests that only look things up although their method says otherwise, written
            as the routes are, such as `"POST /search"`.

    Returns:
        The fake: `.received` are the requests that took effect, `.log` are all of them, and
        `.resources` is what was put last, by address.

    Raises:
        ExplorationError: when a route is none, or a request was sent that nothing answers.
    """
    made = FakeHttp(routes, remembers, reads)
    leave_out = leaving_out.get()
    if leave_out is not None:
        for function in [routes] if callable(routes) else routes.values():
            if inspect.isroutine(function):
                leave_out(function)
    with Patches() as patches:
        stand_in(made.answer, patches)
        LateCertificates().install(patches)
        yield made
    made.check_all_answered()
