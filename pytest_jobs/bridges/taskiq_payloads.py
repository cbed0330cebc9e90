"""Taskiq's messages as plain values of JSON, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from taskiq import AsyncBroker

from ..errors import DeserializationError, PayloadError
from ..harness.records.bridge import WrittenPayload
from .taskiq_messages import Envelope

#: The labels that say when a message is due, or differ from run to run.
_VOLATILE: Final = frozenset(("delay", "schedule_id"))


def written_message(envelope: Envelope) -> WrittenPayload:
    """Return a message as it goes over the wire, without its id.

    Raises:
        PayloadError: when the serializer of the broker writes something else than JSON.
    """
    try:
        wire = json.loads(envelope.data)
        args, kwargs, labels = wire["args"], wire["kwargs"], wire["labels"]
    except (ValueError, LookupError, TypeError) as error:
        raise PayloadError(
            f"A message of {envelope.name} cannot be recorded, since the formatter of its broker does not write "
            "it as an object of JSON: take the formatter and the serializer of Taskiq in tests."
        ) from error
    kept = {name: value for name, value in labels.items() if name not in _VOLATILE}
    types = wire.get("labels_types")
    if types is not None:
        types = {name: kind for name, kind in types.items() if name not in _VOLATILE}
    data = {**wire, "task_id": "recorded", "labels": kept, "labels_types": types}
    return WrittenPayload(data, args, kwargs)


def envelope_from(brokers: Sequence[AsyncBroker], data: Mapping[str, Any], now_ns: int) -> Envelope:
    """Return the envelope of a message for the broker that has the task, or else for the first.

    Raises:
        DeserializationError: when the data has another layout.
    """
    try:
        name, labels = data["task_name"], data["labels"]
    except KeyError as missing:
        raise DeserializationError(f"It lacks {missing}, which a message of Taskiq has.") from None
    broker = next((each for each in brokers if each.find_task(name) is not None), brokers[0])
    text = json.dumps(dict(data)).encode()
    return Envelope(broker, name, "recorded", text, labels, now_ns, None)
