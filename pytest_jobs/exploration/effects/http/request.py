"""HTTP requests as jobs send them, and responses as fakes answer them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal
from urllib.parse import parse_qsl, urlsplit

from ....harness.records.texts import short_repr

#: Methods that have no effect, by their meaning.
_LOOKING: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "QUERY"))
#: Methods that have the same effect when they are repeated, by their meaning.
_REPEATABLE: Final = frozenset(("PUT", "DELETE"))
#: `Idempotency-Key`, also as `Idempotence-Key` or `Cko-Idempotency-Key`; PayPal has another name.
_KEY_HEADER: Final = re.compile(r"idempoten|^paypal-request-id$")
_KEY_FIELDS: Final = ("idempotency_key", "idempotencyKey")
#: Redirects after which the client sends the same request, method and body, to another address.
_ELSEWHERE: Final = (307, 308)
#: What is posted there is a question.
_READING: Final = re.compile(r"/(oauth2?(/v[\d.]+)?/token|_m?search|_count)/?$")
#: The push gateway of Prometheus, and the series of Datadog.
_METRICS: Final = re.compile(r"/metrics/job/|/api/v\d/series/?$")
#: How a document of GraphQL begins, and an operation in it that changes something.
_GRAPHQL: Final = re.compile(r"\s*(#.*\s*)*((query|fragment)\b[^{}]*)?\{")
_MUTATION: Final = re.compile(r"^\s*mutation\b", re.MULTILINE)
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
        """Make a request from its parts, as they are sent.

        Args:
            method: the method.
            url: the whole address.
            headers: names and values.
            body: the body.
        """
        lowered = {name.lower().replace("_", "-"): value for name, value in headers}
        parts = urlsplit(url)
        # Without the name and password of the sender, and without the usual port.
        host = parts.netloc.rpartition("@")[2].lower()
        host = host.removesuffix(f":{_PORTS.get(parts.scheme)}")
        request = cls(
            method.upper(),
            f"{parts.scheme}://{host}{parts.path or '/'}",
            tuple(parse_qsl(parts.query, keep_blank_values=True)),
            _decoded(body, lowered.get("content-type", "")),
        )
        request.__dict__.update(_headers=lowered, _body=body)
        return request

    @property
    def host(self) -> str:
        """The host, and its port where that is not the usual one."""
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        """The path of the address."""
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
        """Whether repeating it has no further effect: by its method, or as its body names documents by ids."""
        return self.method in _REPEATABLE or (
            self.path.endswith("/_bulk") and _names_documents(self._body)
        )

    @property
    def place(self) -> str:
        """How a test names it: its host, method and path, as in `auth.example POST /oauth/token`."""
        return f"{self.host} {self.method} {self.path}"

    @property
    def custom(self) -> Literal["read", "nothing"] | None:
        """What its address or its body says and its method does not: a question or a metric; None for neither."""
        if self.method != "POST":
            return None
        if _METRICS.search(self.path):
            return "nothing"
        if _READING.search(self.path):
            return "read"
        query = self.content.get("query") if isinstance(self.content, Mapping) else None
        asks = isinstance(query, str) and _GRAPHQL.match(query) and not _MUTATION.search(query)
        return "read" if asks else None

    @property
    def idempotency_key(self) -> str | None:
        """The key by which the server recognises a repetition; None without one.

        It is a header with `idempoten` in its name, or `PayPal-Request-Id`, or a field `idempotency_key` or
        `idempotencyKey` of the body.
        """
        in_headers = (value for name, value in self._headers.items() if _KEY_HEADER.search(name))
        fields = dict(self.content) if _has_fields(self.content) else {}
        in_body = (fields.get(name) for name in _KEY_FIELDS)
        return next((str(key) for key in (*in_headers, *in_body) if key), None)

    @property
    def said(self) -> tuple[Any, ...]:
        """What it asks for, without the key: two requests with the same key must agree in this."""
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
    """The answer of a fake."""

    status: int = 200
    #: Bytes, text, or values for JSON; None for no body.
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[list[tuple[str, str]], bytes]:
        """Return the headers and the body as they are sent."""
        if self.body is None:
            kind, body = "", b""
        elif isinstance(self.body, bytes):
            kind, body = "application/octet-stream", self.body
        elif isinstance(self.body, str):
            kind, body = "text/plain; charset=utf-8", self.body.encode()
        else:
            kind, body = "application/json", json.dumps(self.body).encode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        if kind:
            headers.setdefault("content-type", kind)
        headers["content-length"] = str(len(body))
        return list(headers.items()), body


def refuses(status: int | None) -> bool:
    """Say whether a status says that the request was not carried out.

    An error of the server does not: it may have come after the effect.
    """
    return status is not None and (400 <= status < 500 or status in _ELSEWHERE)


def _decoded(body: bytes, kind: str) -> Any:
    if not body:
        return None
    if "json" in kind or body[:1] in (b"{", b"["):
        try:
            return json.loads(body)
        except ValueError:
            pass
    boundary = re.search(r'multipart/.*boundary="?([^";]+)', kind)
    if boundary is not None:
        # A client draws a new boundary for each request.
        body = body.replace(boundary[1].encode(), b"boundary")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return body
    if "x-www-form-urlencoded" in kind:
        return tuple(parse_qsl(text, keep_blank_values=True))
    return text


def _names_documents(body: bytes) -> bool:
    """Return whether each action of a bulk request of Elasticsearch sets or removes a document by its id."""
    try:
        lines = [json.loads(line) for line in body.splitlines() if line]
        while lines:
            ((action, about),) = lines.pop(0).items()
            document = {} if action == "delete" else lines.pop(0)
            if "_id" not in about or (action == "update" and "script" in document):
                return False
    except (ValueError, AttributeError, IndexError, TypeError):
        return False
    return True


def _has_fields(content: Any) -> bool:
    if isinstance(content, Mapping):
        return True
    return isinstance(content, tuple) and all(
        isinstance(pair, tuple) and len(pair) == 2 for pair in content
    )
