"""What Celery enqueues when a task has been performed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..harness.records.bridge import Steps
from .celery_messages import TaskMessage


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
