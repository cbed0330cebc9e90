"""Celery's messages as plain values of JSON, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ...errors import DeserializationError, PayloadError
from ...harness.records.bridge import WrittenPayload
from .apps import Applications
from .messages import TaskMessage

_JSON: Final = "application/json"


def written_message(message: TaskMessage) -> WrittenPayload:
    """Return what a message says of its task; what follows upon the task is left out.

    Raises:
        PayloadError: when it is written otherwise than in JSON.
    """
    if message.content_type != _JSON or "compression" in message.headers:
        how = "compressed" if "compression" in message.headers else f"as {message.content_type}"
        raise PayloadError(
            f"A message of {message.name} is written {how}, and only those in plain JSON can be recorded: send "
            "it with serializer='json' and without compression."
        )
    args, kwargs, _ = json.loads(message.body)
    data = {
        "task": message.name,
        "args": args,
        "kwargs": kwargs,
        "queue": message.queue,
        "priority": message.priority,
    }
    return WrittenPayload(data, args, kwargs)


def message_from(apps: Applications, data: Mapping[str, Any], now_ns: int) -> TaskMessage:
    """Return the message of a task as the application that has it would send it now.

    Raises:
        DeserializationError: when the data has another layout.
    """
    try:
        name, args, kwargs = data["task"], data["args"], data["kwargs"]
        queue, priority = data["queue"], data["priority"]
    except KeyError as missing:
        raise DeserializationError(f"It lacks {missing}, which a message of Celery has.") from None
    app = next(iter((*apps.owners(name), *apps)))
    made = app.amqp.create_task_message("recorded", name, args, kwargs)
    return TaskMessage(
        app,
        made.body,
        made.headers,
        serializer="json",
        compression=None,
        declare=None,
        exchange=None,
        routing_key=queue,
        properties={**made.properties, "priority": priority},
        enqueued_ns=now_ns,
    )
