"""Taskiq's messages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from typing import Any

from taskiq import AsyncBroker
from taskiq.abc.schedule_source import ScheduleSource
from taskiq.message import TaskiqMessage

from ...errors import DeserializationError
from ..toolkit import Message, duration_ns


class SentMessage(Message):
    """One message as a broker sends it, or as a schedule source will send it."""

    __slots__ = ("broker", "data", "payload", "source")

    def __init__(
        self,
        broker: AsyncBroker,
        name: str,
        job_id: str,
        data: bytes,
        labels: Mapping[str, Any],
        enqueued_ns: int,
        due_ns: int | None,
        payload: Any,
        source: ScheduleSource | None = None,
    ) -> None:
        """Describe a message of a broker or a schedule; its labels say queue, priority and attempt."""
        priority = _number(labels, "priority")
        super().__init__(
            name,
            job_id,
            enqueued_ns,
            queue=labels.get("queue_name") or None,
            priority=None if priority is None else int(priority),
            attempt=1 + int(_number(labels, "_retries") or 0),
            due_ns=due_ns,
        )
        self.broker = broker
        self.data = data
        self.payload = payload
        self.source = source

    @property
    def headers(self) -> Mapping[str, object]:
        """The labels, with the types that they were given."""
        labels: dict[str, object] = self.read().labels
        return labels

    def as_attempt(self, attempt: int) -> SentMessage:
        """Return the message that asks for another attempt, as the retry middlewares would send it."""
        message = self.broker.formatter.loads(message=self.data)
        message.labels["_retries"] = attempt - 1
        other = copy(self)
        other.data = self.broker.formatter.dumps(message).message
        other.attempt = attempt
        if self.source is not None:
            labels = {**self.payload.labels, "_retries": attempt - 1}
            other.payload = self.payload.model_copy(update={"labels": labels})
        return other

    def read(self) -> TaskiqMessage:
        """Read the message anew.

        Raises:
            DeserializationError: when the broker's formatter cannot.
        """
        try:
            message = self.broker.formatter.loads(message=self.data)
            message.parse_labels()
        except Exception as error:
            raise DeserializationError(
                f"The message of {self.name} cannot be read by the formatter of its broker, so a worker skips it: "
                f"{error}. Read it as it was written, with the same formatter and serializer."
            ) from error
        return message


def delay_ns(labels: Mapping[str, Any]) -> int | None:
    """Return the `delay` label, which is in seconds; None when the message is due at once."""
    seconds = _number(labels, "delay")
    return duration_ns(seconds) if seconds is not None and seconds > 0 else None


def _number(labels: Mapping[str, Any], name: str) -> float | None:
    value = labels.get(name)
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
