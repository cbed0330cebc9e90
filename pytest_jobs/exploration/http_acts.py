"""What becomes of HTTP requests: those that only look, and those that have an effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from .acts import Act, looking, note_effect, perform_act, perform_act_async, watcher
from .http_messages import HttpRequest, refuses
from .reaching import reaching

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
