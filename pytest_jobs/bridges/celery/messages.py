"""What Celery enqueues when a task has been performed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from types import SimpleNamespace
from typing import Any, Final, Self

from celery import Celery
from celery.utils.time import maybe_iso8601, maybe_make_aware
from kombu import serialization
from kombu.compression import compress
from kombu.connection import Connection
from kombu.message import Message

from ...errors import BridgeError, DeserializationError
from ...harness.records.bridge import Steps
from ...harness.records.instants import to_ns

#: What `publish` is told that is no property of the message.
_NO_PROPERTIES: Final = frozenset(
    ("confirm_timeout", "declare", "immediate", "mandatory", "retry", "retry_policy", "timeout")
)


class TaskMessage:
    """One message as Celery published it: the envelope of a record, and its payload."""

    __slots__ = (
        "app",
        "body",
        "content_encoding",
        "content_type",
        "due_ns",
        "enqueued_ns",
        "expires_ns",
        "headers",
        "properties",
        "queue",
        "routing",
    )

    def __init__(
        self,
        app: Celery,
        body: Any,
        headers: dict[str, Any],
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
        self.headers = dict(headers)
        if compression:
            data, self.headers["compression"] = compress(data, compression)
        self.body = data
        self.properties = {k: v for k, v in properties.items() if k not in _NO_PROPERTIES}
        #: The exchange and the routing key.
        self.routing = (exchange, routing_key)
        #: The queue, which is not the routing key.
        self.queue: str | None = declare[0].name if declare else routing_key
        self.enqueued_ns = enqueued_ns
        self.due_ns = _instant_ns(headers.get("eta"), app)
        self.expires_ns = _instant_ns(headers.get("expires"), app)

    @property
    def name(self) -> str:
        """The name of the task."""
        name: str = self.headers["task"]
        return name

    @property
    def job_id(self) -> str:
        """The id of the task."""
        job_id: str = self.headers["id"]
        return job_id

    @property
    def priority(self) -> int | None:
        """The priority, as the broker would be given it."""
        priority: int | None = self.properties.get("priority")
        return priority

    @property
    def attempt(self) -> int:
        """The number of the run that this message asks for, counted from 1."""
        retries: int = self.headers.get("retries") or 0
        return retries + 1

    def as_attempt(self, attempt: int) -> TaskMessage:
        """Return the message that asks for another attempt."""
        other = copy(self)
        other.headers = {**self.headers, "retries": attempt - 1}
        return other

    def decoded(self) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
        """Return the arguments and what is embedded: the canvas around the task.

        Raises:
            DeserializationError: when the application does not accept the content, or it is broken.
        """
        try:
            payload: Any = self.received().payload
            args, kwargs, embed = payload
        except Exception as error:
            raise self.unreadable(error) from error
        return tuple(args), kwargs, embed or {}

    def unreadable(self, cause: Exception) -> DeserializationError:
        """Return the error that says why the message cannot be read."""
        error = DeserializationError(
            f"The message of {self.name} cannot be read ({type(cause).__name__}: {cause}): see the "
            "accept_content of the application."
        )
        error.__cause__ = cause
        return error

    def received(self, *, redelivered: bool = False) -> Message:
        """Return the message as a consumer would be given it."""
        exchange, routing_key = self.routing
        accept = self.app.conf.accept_content
        return Message(
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
            accept=serialization.prepare_accept_content(accept),
        )


class Producers:
    """Stands in for the pool of producers of an application: every message goes to one function."""

    limit = None

    def __init__(self, app: Celery, publish: Callable[..., None]) -> None:
        self._app = app
        self._producer = _Producer(publish)
        self.connections = SimpleNamespace(connection=self._producer.connection)

    def acquire(self, *args: Any, **kwargs: Any) -> _Producer:
        """Lend the producer.

        Raises:
            BridgeError: when the task would run eagerly, past the harness.
        """
        if self._app.conf.task_always_eager:
            raise BridgeError(
                "task_always_eager was turned on while a harness is open: the task would run at once, in the "
                "caller, past the harness. Leave it off: jobs_mode = inline performs each task by itself."
            )
        return self._producer

    def force_close_all(self, *args: Any, **kwargs: Any) -> None:
        """Have nothing to close."""


class _Producer:
    """What a task is published with; as a context manager it gives itself."""

    serializer = None
    channel = None

    def __init__(self, publish: Callable[..., None]) -> None:
        self.publish = publish
        self.connection = memory_connection()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Stay open."""

    def revive(self, channel: Any) -> None:
        """Have no channel."""

    def maybe_declare(self, *args: Any, **kwargs: Any) -> None:
        """Declare nothing."""

    def release(self) -> None:
        """Be kept."""

    close = release


def memory_connection(*args: Any, **kwargs: Any) -> Connection:
    """Return a connection to a broker inside this process, whatever is asked for."""
    return Connection("memory://")


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
    """Return what comes after a task: its callbacks, the rest of its chain, the body of its chord."""
    _, _, embed = message.decoded()
    return _together(
        [
            *map(_steps, _listed(embed.get("callbacks"))),
            _one_by_one(reversed(_listed(embed.get("chain")))),
            *map(_steps, _listed(embed.get("chord"))),
        ]
    )


def _steps(signature: Mapping[str, Any]) -> Steps:
    """Return a signature as steps, with what comes after it."""
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
    """Go through the names of the tasks in a signature, whichever part of a canvas it is."""
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
