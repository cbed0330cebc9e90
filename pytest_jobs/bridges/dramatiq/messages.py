"""Dramatiq's messages."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, Final

from dramatiq import Broker
from dramatiq.common import dq_name, q_name
from dramatiq.message import Message as DramatiqMessage
from dramatiq.middleware import AgeLimit

from ..toolkit import Message

MILLISECOND_NS: Final = 1_000_000


class SentMessage(Message):
    """One message as a broker sends it."""

    __slots__ = ("broker", "data")

    def __init__(self, broker: Broker, message: Any, enqueued_ns: int, delay: int | None) -> None:
        """Describe a message, or the proxy of one that a retry sends. The delay is in milliseconds."""
        name = message.actor_name
        actor = broker.actors.get(name)
        super().__init__(
            name,
            message.message_id,
            enqueued_ns,
            queue=q_name(message.queue_name),
            priority=None if actor is None else actor.priority,
            attempt=1 + int(message.options.get("retries") or 0),
            due_ns=None if delay is None else enqueued_ns + round(delay * MILLISECOND_NS),
            expires_ns=_expires_ns(broker, message),
        )
        self.broker = broker
        #: The message as it goes over the wire.
        self.data: bytes = message.encode()

    @property
    def headers(self) -> Mapping[str, object]:
        """The options of the message. The time at which it is due is `due_at` of the record."""
        options = self.read().options
        return {name: value for name, value in options.items() if name != "eta"}

    def read(self) -> DramatiqMessage[Any]:
        """Read the message anew."""
        return DramatiqMessage.decode(self.data)

    def as_attempt(self, attempt: int) -> SentMessage:
        """Return the message that asks for another attempt, as the middleware Retries would send it."""
        other = copy(self)
        other.data = self.read().copy(options={"retries": attempt - 1}).encode()
        other.attempt = attempt
        return other


def delayed(message: Any, eta: int) -> DramatiqMessage[Any]:
    """Return a message as brokers put it on the queue of delayed messages. Its time is in milliseconds."""
    copied: DramatiqMessage[Any]
    copied = message.copy(queue_name=dq_name(message.queue_name), options={"eta": eta})
    return copied


def _expires_ns(broker: Broker, message: Any) -> int | None:
    """Return when AgeLimit begins to drop a message."""
    limit = next((each for each in broker.middleware if isinstance(each, AgeLimit)), None)
    actor = broker.actors.get(message.actor_name)
    if limit is None or actor is None:
        return None
    age = message.options.get("max_age") or actor.options.get("max_age", limit.max_age)
    return (message.message_timestamp + age) * MILLISECOND_NS if age else None
