"""Celery's messages, and the tasks that Celery enqueues after one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, Final

from celery import Celery
from celery.utils.time import maybe_iso8601, maybe_make_aware
from kombu import serialization
from kombu.compression import compress
from kombu.message import Message as KombuMessage

from ...errors import DeserializationError
from ..toolkit import Message, Steps, to_ns

#: What `publish` is given beside the properties of the message.
_NO_PROPERTIES: Final = frozenset(
    ("confirm_timeout", "declare", "immediate", "mandatory", "retry", "retry_policy", "timeout")
)


class TaskMessage(Message):
    """One message as Celery published it: the envelope of a record, and its payload."""

    __slots__ = ("app", "body", "content_encoding", "content_type", "properties", "routing")

    def __init__(
        self,
        app: Celery,
        body: Any,
        headers: Mapping[str, Any],
        *,
        serializer: str | None,
        compression: str | None,
        declare: Sequence[Any] | None,
        exchange: Any,
        routing_key: str | None,
        properties: Mapping[str, Any],
        enqueued_ns: int,
    ) -> None:
        """Serialise a message, as a producer does.

        Raises:
            kombu.exceptions.EncodeError: when the serialiser refuses an argument.
        """
        self.app = app
        self.content_type, self.content_encoding, data = serialization.dumps(body, serializer)
        kept = dict(headers)
        if compression:
            data, kept["compression"] = compress(data, compression)
        self.body = data
        self.properties = {k: v for k, v in properties.items() if k not in _NO_PROPERTIES}
        #: The exchange and the routing key.
        self.routing = (exchange, routing_key)
        super().__init__(
            headers["task"],
            headers["id"],
            enqueued_ns,
            # The routing key names the queue only where no queue is declared.
            queue=declare[0].name if declare else routing_key,
            # As the broker would be given it.
            priority=self.properties.get("priority"),
            headers=kept,
            # Celery counts retries.
            attempt=1 + (headers.get("retries") or 0),
            due_ns=_instant_ns(headers.get("eta"), app),
            expires_ns=_instant_ns(headers.get("expires"), app),
        )

    @property
    def headers(self) -> dict[str, Any]:
        """The headers: everything about the task except its arguments."""
        headers: dict[str, Any] = self._headers
        return headers

    def as_attempt(self, attempt: int) -> TaskMessage:
        """Return the message that asks for another attempt."""
        other = copy(self)
        other._headers = {**self.headers, "retries": attempt - 1}
        other.attempt = attempt
        return other

    def decoded(self) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
        """Return the arguments, and the embedded canvas: chain, callbacks and chord.

        Raises:
            DeserializationError: when the application does not accept the content, or cannot read it.
        """
        try:
            payload: Any = self.received().payload
            args, kwargs, embed = payload
        except Exception as error:
            raise self.unreadable(error) from error
        return tuple(args), kwargs, embed or {}

    def unreadable(self, cause: Exception) -> DeserializationError:
        """Return the error for a message that cannot be read."""
        error = DeserializationError(
            f"The message of {self.name} cannot be read ({type(cause).__name__}: {cause}): see the "
            "accept_content of the application."
        )
        error.__cause__ = cause
        return error

    def received(self, *, redelivered: bool = False) -> KombuMessage:
        """Return the message as a consumer receives it."""
        exchange, routing_key = self.routing
        return KombuMessage(
            body=self.body,
            content_type=self.content_type,
            content_encoding=self.content_encoding,
            headers=dict(self.headers),
            properties=dict(self.properties),
            delivery_info={
                "exchange": exchange,
                "routing_key": routing_key,
                "redelivered": redelivered,
            },
            accept=serialization.prepare_accept_content(self.app.conf.accept_content),
        )


def _instant_ns(value: Any, app: Celery) -> int | None:
    if value is None:
        return None
    moment: Any = maybe_iso8601(value)
    return to_ns(maybe_make_aware(moment, app.timezone), "eta")


def following(message: TaskMessage) -> set[str]:
    """Return the names of the tasks in the rest of a chain, in callbacks, and in the body of a chord."""
    _, _, embed = message.decoded()
    signatures = [*(embed.get("chain") or ()), *(embed.get("callbacks") or ()), embed.get("chord")]
    return {name for signature in signatures for name in _names(signature)}


def steps_after(message: TaskMessage) -> Steps:
    """Return what Celery enqueues after a task: callbacks, the rest of the chain, the body of the chord."""
    _, _, embed = message.decoded()
    return _together(
        [
            *map(_steps, _listed(embed.get("callbacks"))),
            _one_by_one(reversed(_listed(embed.get("chain")))),
            *map(_steps, _listed(embed.get("chord"))),
        ]
    )


def _steps(signature: Mapping[str, Any]) -> Steps:
    """Return a signature as steps, with the steps after it."""
    inner, options = signature.get("kwargs") or {}, signature.get("options") or {}
    kind = signature.get("subtask_type")
    steps: Steps
    if kind == "chain":
        steps = _one_by_one(_listed(inner.get("tasks")))
    elif kind == "group":
        steps = ([*map(_steps, _listed(inner.get("tasks")))],)
    elif kind == "chord":
        header = _listed(inner.get("header"))
        if len(header) == 1 and header[0].get("subtask_type") == "group":
            steps = _steps(header[0])
        else:
            steps = ([*map(_steps, header)],)
        steps += _steps(inner["body"])
    else:
        steps = (str(signature["task"]),)
    after = [_steps(linked) for linked in _listed(options.get("link"))]
    after.append(_one_by_one(reversed(_listed(options.get("chain")))))
    return steps + _together(after)


def _one_by_one(signatures: Iterable[Mapping[str, Any]]) -> Steps:
    return tuple(step for signature in signatures for step in _steps(signature))


def _together(branches: list[Steps]) -> Steps:
    begun = [branch for branch in branches if branch]
    return ([*begun],) if len(begun) > 1 else (begun[0] if begun else ())


def _names(signature: Any) -> Iterator[str]:
    """Yield the names of the tasks in a signature, which may be a chain, group or chord."""
    if not isinstance(signature, Mapping):
        return
    inner = signature.get("kwargs") or {}
    parts = [*_listed(inner.get("tasks")), *_listed(inner.get("header")), inner.get("body")]
    if signature.get("subtask_type") is None:
        yield str(signature["task"])
    else:
        for part in parts:
            yield from _names(part)
    for linked in _listed((signature.get("options") or {}).get("link")):
        yield from _names(linked)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [value]
    return list(value) if isinstance(value, list | tuple) else []
