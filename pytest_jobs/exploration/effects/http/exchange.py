"""A request between the library that sends it and the server: its effect, and whether it took effect."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import Act, acting, looking, note_effect, refuse_delivery, watcher
from ...engine.sources import guarded_host
from ..doubles.call_kinds import CallKind, CallKinds
from ..wrapping import of_search, surround
from .request import HttpRequest, refuses


@dataclass(eq=False)
class Exchange:
    """A request and its answer."""

    #: None where the request is not an effect: it only looks, or nobody watches.
    act: Act | None = None
    #: The status of the answer to the request itself, before any redirect; None where it is not known.
    status: int | None = None
    #: Whether a fake has answered, which knows by itself what took effect.
    is_with_fake: bool = False


_NEVER_ANSWERED: Final = (
    "The clean run did not send it: give the double an answer to it too, since a delivery that finds the "
    "work of an earlier one may send other requests."
)
_ANSWERED_BEFORE: Final = (
    "Each history and each delivery sends it again: let the double answer as often as it is asked "
    "(is_reusable=True of pytest-httpx, repeat=True of aioresponses, allow_playback_repeats=True of vcrpy, no "
    "OrderedRegistry of responses), or begin it in the world."
)
_exchange: ContextVar[Exchange | None] = ContextVar("pytest_jobs_http_exchange", default=None)


@contextmanager
def sending(
    request: Callable[[], HttpRequest],
    *,
    refused: Callable[[], Exception],
    answer_lost: Callable[[], Exception],
) -> Generator[Exchange, None, None]:
    """Surround the sending of a request: for the sources of HTTP libraries.

    Args:
        request: returns what is sent.
        refused: makes the library's error for a server that is not reached.
        answer_lost: makes its error for an answer that does not come.

    Returns:
        The exchange, which takes the status of the answer.
    """
    if watcher.get() is None or _exchange.get() is not None:
        # The second: a library sends this as a part of the request of another library.
        yield Exchange()
        return
    sent = request()
    kind = kind_of(sent)
    if kind in ("read", "nothing"):
        with looking(), guarded_host(sent.host, str(sent)), _answering(sent):
            yield Exchange()
        return
    own = sent.idempotency_key
    # Repeating a PUT or a DELETE has no further effect, as if it had a key.
    key = (sent.url, *sent.said) if kind == "put" else own
    act = Act(
        sent.host,
        str(sent),
        counts=False,
        value=sent.said,
        key=key,
        sent_key=None if kind == "put" else own,
        refused=refused,
        answer_lost=answer_lost,
    )
    with acting(act):
        exchange = Exchange(act)
        token = _exchange.set(exchange)
        try:
            with guarded_host(sent.host, str(sent)), _answering(sent):
                yield exchange
        finally:
            _exchange.reset(token)
        if not exchange.is_with_fake and not refuses(exchange.status):
            note_effect(act)


@contextmanager
def _answering(sent: HttpRequest) -> Generator[None, None, None]:
    """Fail the check if a double has no answer to a request: the verdict would be about the double, not the job.

    The job may rely on that in its first delivery: so tests play a server that is down.
    """
    current = watcher.get()
    places: dict[str, bool] = of_search("answered", dict)
    try:
        yield
    except Exception as error:
        said = str(error)
        # It names the request, as no library does whose connection fails. A mock that answers from a list is at
        # its end.
        names_request = sent.method in said and sent.url.rstrip("/") in said
        if current is not None and (names_request or isinstance(error, StopIteration)):
            if current.undisturbed:
                places.setdefault(sent.place, False)
            if places.get(sent.place, True):
                _refuse(sent, error, was_answered=sent.place in places)
        raise
    places[sent.place] = True


def _refuse(sent: HttpRequest, error: Exception, *, was_answered: bool) -> None:
    said = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(" .:")
    what = "had an answer before and has none now" if was_answered else "has no answer"
    then = _ANSWERED_BEFORE if was_answered else _NEVER_ANSWERED
    refuse_delivery(
        f"The job sent {sent.method} {sent.url}, to which the double in the place of the server {what}: {said}. "
        f"{then}"
    )


def kind_of(request: HttpRequest) -> CallKind:
    """Return what a request is: by what the test says of it, as a usual POST that reads, or by its method."""
    by_method: CallKind = "put" if request.is_repeatable else "effect"
    if request.only_looks:
        by_method = "read"
    kinds = of_search(CallKinds, CallKinds)
    return kinds.of_request(request.place, by_method, request.custom)


def answered_by_fake(*, took_effect: bool) -> None:
    """Let a fake say whether the current request took effect; a library may send it several times."""
    exchange = _exchange.get()
    if exchange is None or exchange.act is None:
        return
    exchange.is_with_fake = True
    if took_effect:
        # Without the key, since the fake knows which keys it remembers.
        note_effect(replace(exchange.act, key=None))


def keep_watching(
    patches: Patches,
    client: type,
    sends: Iterable[str],
    owner: type,
    name: str,
    watched: Callable[[Any], Any],
) -> None:
    """Let a client look before it sends whether a mock that came later keeps requests from us.

    A world may have begun it. At its end, what put it there puts back the method that was watched.
    """

    def keep(*args: Any, **kwargs: Any) -> AbstractContextManager[None]:
        now = vars(owner)[name]
        if watcher.get() is not None:
            again = watched(now)
            if getattr(now, "__code__", None) is not again.__code__:
                setattr(owner, name, again)
        return nullcontext()

    for send in sends:
        surround(patches, client, send, keep)


def bytes_of(body: Any) -> bytes:
    """Return a body, as far as it can be read without using it up."""
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


def header_text(value: object) -> str:
    """Return the value of a header, which a library may keep as bytes."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
