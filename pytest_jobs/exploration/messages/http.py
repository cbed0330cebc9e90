"""What becomes of HTTP requests: those that only look, and those that have an effect."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

from ...harness.records.texts import short_repr
from ..engine.acts import Act, looking, note_effect, perform_act, perform_act_async, watcher
from ..engine.sources import reaching

#: Methods that have no effect, by their meaning.
_LOOKING: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "QUERY"))
#: Methods that have the same effect when they are repeated, by their meaning.
_REPEATABLE: Final = frozenset(("PUT", "DELETE"))
_KEY_HEADERS: Final = ("idempotency-key", "x-idempotency-key", "paypal-request-id")
_KEY_FIELDS: Final = ("idempotency_key", "idempotencyKey")
#: The same request is to be sent to another address.
_ELSEWHERE: Final = (307, 308)
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class HttpRequest:
    """A request that a job sent."""

    #: In capital letters.
    method: str
    #: The address without the query.
    url: str
    #: The names and values of the query, in order.
    query: tuple[tuple[str, str], ...] = ()
    #: The body, decoded: JSON as values, a form as pairs of names and values, text, or bytes.
    content: Any = None

    # Not fields: they differ between two requests that say the same.
    _headers: ClassVar[Mapping[str, str]] = {}
    _body: ClassVar[bytes] = b""

    @classmethod
    def received(
        cls, method: str, url: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> HttpRequest:
        """Make one of what was sent.

        Args:
            method: the method.
            url: the whole address.
            headers: names and values.
            body: the body.
        """
        lowered = {name.lower().replace("_", "-"): value for name, value in headers}
        parts = urlsplit(url)
        request = cls(
            method.upper(),
            f"{parts.scheme}://{_netloc(parts.scheme, parts.netloc)}{parts.path or '/'}",
            tuple(parse_qsl(parts.query, keep_blank_values=True)),
            _content(body, lowered.get("content-type", "")),
        )
        request.__dict__.update(_headers=lowered, _body=body)
        return request

    @property
    def host(self) -> str:
        """The host, and its port where that is not the usual one."""
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        """The path."""
        return urlsplit(self.url).path

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, their names in small letters."""
        return self._headers

    @property
    def body(self) -> bytes:
        """The body as it was sent."""
        return self._body

    @property
    def only_looks(self) -> bool:
        """Whether it has no effect, by the meaning of its method."""
        return self.method in _LOOKING

    @property
    def is_repeatable(self) -> bool:
        """Whether repeating it has no further effect, by the meaning of its method."""
        return self.method in _REPEATABLE

    @property
    def idempotency_key(self) -> str | None:
        """What its sender tells repetitions by; None for nothing.

        It is the header `Idempotency-Key`, or `X-Idempotency-Key` or `PayPal-Request-Id`, or a field
        `idempotency_key` or `idempotencyKey` of the body.
        """
        in_headers = (self._headers.get(name) for name in _KEY_HEADERS)
        fields = dict(self.content) if _has_fields(self.content) else {}
        in_body = (fields.get(name) for name in _KEY_FIELDS)
        return next((str(key) for key in (*in_headers, *in_body) if key), None)

    @property
    def said(self) -> tuple[Any, ...]:
        """What it says beside the key: two requests that say the same want the same."""
        content = self.content
        if isinstance(content, Mapping):
            content = {name: value for name, value in content.items() if name not in _KEY_FIELDS}
        elif _has_fields(content):
            content = tuple(pair for pair in content if pair[0] not in _KEY_FIELDS)
        return f"{self.method} {self.path}", self.query, content

    def __str__(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.query)
        text = f"{self.method} {self.path}{'?' if query else ''}{query}"
        return text if self.content is None else f"{text} {short_repr(self.content)}"


@dataclass(frozen=True)
class HttpResponse:
    """What a fake answers."""

    status: int = 200
    #: Bytes, text, or values for JSON; None for no body.
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_refusal(self) -> bool:
        """Whether it says that the request was not carried out."""
        return refuses(self.status)

    def encoded(self) -> tuple[list[tuple[str, str]], bytes]:
        """Return the headers and the body as they are sent."""
        kind, body = self._typed()
        headers = {name.lower(): value for name, value in self.headers.items()}
        if kind:
            headers.setdefault("content-type", kind)
        headers["content-length"] = str(len(body))
        return list(headers.items()), body

    def _typed(self) -> tuple[str, bytes]:
        if self.body is None:
            return "", b""
        if isinstance(self.body, bytes):
            return "application/octet-stream", self.body
        if isinstance(self.body, str):
            return "text/plain; charset=utf-8", self.body.encode()
        return "application/json", json.dumps(self.body).encode()


def refuses(status: int | None) -> bool:
    """Say whether an answer of some status says that the request was not carried out.

    An error of the server does not: it may have come after the effect.
    """
    return status is not None and (400 <= status < 500 or status in _ELSEWHERE)


def _netloc(scheme: str, netloc: str) -> str:
    """Return the host, without its port where that is the usual one, nor who asks."""
    host = netloc.rpartition("@")[2].lower()
    return host.removesuffix(f":{_PORTS.get(scheme)}")


def _content(body: bytes, kind: str) -> Any:
    if not body:
        return None
    if "json" in kind or body[:1] in (b"{", b"["):
        try:
            return json.loads(body)
        except ValueError:
            pass
    boundary = re.search(r'multipart/.*boundary="?([^";]+)', kind)
    if boundary is not None:
        # It is drawn anew for each request.
        body = body.replace(boundary[1].encode(), b"boundary")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return body
    if "x-www-form-urlencoded" in kind:
        return tuple(parse_qsl(text, keep_blank_values=True))
    return text


def _has_fields(content: Any) -> bool:
    if isinstance(content, Mapping):
        return True
    return isinstance(content, tuple) and all(
        isinstance(pair, tuple) and len(pair) == 2 for pair in content
    )


T = TypeVar("T")
Error = Callable[[], Exception]


@dataclass(eq=False)
class Exchange:
    """A request and its answer, between the library that sends it and the server, if that is a fake."""

    act: Act
    #: Whether a fake has answered it, and so knows what effect it had.
    known: bool = False


_exchange: ContextVar[Exchange | None] = ContextVar("pytest_jobs_http_exchange", default=None)


def hear(
    request: Callable[[], HttpRequest],
    do: Callable[[], T],
    *,
    refused: Error,
    answer_lost: Error,
    status: Callable[[T], int | None],
) -> T:
    """Send a request, and let the explorer know: for the sources of HTTP libraries.

    Args:
        request: tells what is sent.
        do: sends it, and returns the answer.
        refused: makes the library's error for a server that is not reached.
        answer_lost: makes its error for an answer that does not come.
        status: tells the status of an answer; None where it is not known yet.
    """
    if watcher.get() is None or _exchange.get() is not None:
        return do()
    sent = request()
    if sent.only_looks:
        with looking(), reaching(sent.host, str(sent)):
            return do()
    act = _act(sent, refused, answer_lost)

    def carry_out() -> T:
        with _exchanging(act) as exchange, reaching(sent.host, str(sent)):
            answer = do()
        if not exchange.known and not refuses(status(answer)):
            note_effect(act)
        return answer

    return perform_act(act, carry_out)


async def hear_async(
    request: Callable[[], Awaitable[HttpRequest]],
    do: Callable[[], Awaitable[T]],
    *,
    refused: Error,
    answer_lost: Error,
    status: Callable[[T], int | None],
) -> T:
    """Do the same where it is awaited; the arguments are those of `hear`."""
    if watcher.get() is None or _exchange.get() is not None:
        return await do()
    sent = await request()
    if sent.only_looks:
        with looking(), reaching(sent.host, str(sent)):
            return await do()
    act = _act(sent, refused, answer_lost)

    async def carry_out() -> T:
        with _exchanging(act) as exchange, reaching(sent.host, str(sent)):
            answer = await do()
        if not exchange.known and not refuses(status(answer)):
            note_effect(act)
        return answer

    return await perform_act_async(act, carry_out)


def answered_by_fake(*, took_effect: bool) -> None:
    """Let a fake say what came of the request that is being sent, also where it is sent several times."""
    exchange = _exchange.get()
    if exchange is None:
        return
    exchange.known = True
    if took_effect:
        # The fake knows which keys it remembers.
        note_effect(replace(exchange.act, key=None))


def refuse_replaced(owner: type, name: str, ours: object, text: str) -> None:
    """Refuse to go on when what hears of requests was replaced, so that they would not be heard of.

    Args:
        owner: the class in which it was placed.
        name: under which name.
        ours: what was placed there.
        text: what is called.
    """
    current = watcher.get()
    if current is not None and vars(owner).get(name) is not ours:
        current.outside(
            f"{text}, whose {owner.__name__}.{name} something replaced in the world, after the check began,"
        )


def bytes_of(body: Any) -> bytes:
    """Return a body as far as it can be read without using it up."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    if hasattr(body, "read") and hasattr(body, "seek"):
        place = body.tell()
        read = body.read()
        body.seek(place)
        return bytes_of(read)
    return b"(a stream)"


def _act(sent: HttpRequest, refused: Error, answer_lost: Error) -> Act:
    key: object = sent.idempotency_key
    if sent.is_repeatable:
        key = (sent.url, *sent.said)
    return Act(
        sent.host,
        str(sent),
        counts=False,
        value=sent.said,
        key=key,
        refused=refused,
        answer_lost=answer_lost,
    )


@contextmanager
def _exchanging(act: Act) -> Generator[Exchange, None, None]:
    exchange = Exchange(act)
    token = _exchange.set(exchange)
    try:
        yield exchange
    finally:
        _exchange.reset(token)
