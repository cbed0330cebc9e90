"""What Celery enqueues when a task has been performed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .celery_messages import TaskMessage


def following(message: TaskMessage) -> set[str]:
    """Return the names of the tasks in the rest of a chain, in callbacks, and in the body of a chord."""
    _, _, embed = message.decoded()
    signatures = [*(embed.get("chain") or ()), *(embed.get("callbacks") or ()), embed.get("chord")]
    return {name for signature in signatures for name in _names(signature)}


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
