"""Enqueued Django tasks as plain values of JSON, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import DeserializationError, UnknownJobError
from ..harness.records.bridge import WrittenPayload
from .django_results import StoredTask


def written_task(stored: StoredTask) -> WrittenPayload:
    """Return what a backend keeps of a task, without its id and its times."""
    args, kwargs = stored.decoded()
    data = {
        "task": stored.name,
        "args": args,
        "kwargs": kwargs,
        "backend": stored.task.backend,
        "queue": stored.queue,
        "priority": stored.priority,
    }
    return WrittenPayload(data, args, kwargs)


def enqueued_task(find: Callable[[str], Any], data: Mapping[str, Any]) -> Any:
    """Return the Task that is meant, with the options that it was enqueued with.

    Args:
        find: returns the Task at a path, or None.
        data: what `written_task` wrote.

    Raises:
        UnknownJobError: when there is no Task at the path.
        DeserializationError: when the data has another layout.
    """
    try:
        name, _, _ = data["task"], data["args"], data["kwargs"]
        backend, queue, priority = data["backend"], data["queue"], data["priority"]
    except KeyError as missing:
        raise DeserializationError(f"It lacks {missing}, which a Django task has.") from None
    task = find(name)
    if task is None:
        raise UnknownJobError
    return task.using(backend=backend, queue_name=queue, priority=priority)
