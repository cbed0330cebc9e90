"""What the backends of Django tasks would keep: enqueued tasks and their results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any

from ..toolkit import Message, to_ns
from .families import Family


class StoredTask(Message):
    """An enqueued task, as a database would keep it: its arguments are text."""

    __slots__ = ("arguments", "enqueued_at", "family", "is_coroutine", "sender", "task")

    def __init__(self, family: Family, result: Any, enqueued_ns: int, sender: type) -> None:
        #: The Task, with what `using` set.
        self.task = task = result.task
        run_after = task.run_after
        super().__init__(
            task.module_path,
            result.id,
            enqueued_ns,
            queue=task.queue_name,
            # The higher goes first.
            priority=task.priority,
            # Django tasks have no headers; the alias of the backend tells those of two backends apart.
            headers={"backend": task.backend},
            # Naive with USE_TZ=False only, where Django means the local time of the process.
            due_ns=None if run_after is None else to_ns(run_after.astimezone(), "run_after"),
        )
        self.family = family
        #: The class of the backend, which sends the signals.
        self.sender = sender
        self.is_coroutine = _is_coroutine_function(task.func)
        #: The arguments as JSON text.
        self.arguments = json.dumps([result.args, result.kwargs])
        self.enqueued_at = result.enqueued_at

    def __repr__(self) -> str:
        return f"<StoredTask {self.name} {self.job_id} {self.arguments}>"

    def decoded(self) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments, decoded anew."""
        args, kwargs = json.loads(self.arguments)
        return args, kwargs

    def new_result(self) -> Any:
        """Return the TaskResult that the task had when it was enqueued."""
        # The arguments are set afterwards, since the constructor would copy them once more.
        result = self.family.new_result(self.task, self.job_id, (), {})
        args, kwargs = self.decoded()
        set_on(result, args=args, kwargs=kwargs, enqueued_at=self.enqueued_at)
        return result


class ResultStore:
    """What `get_result` reads: the status and result of each task."""

    def __init__(self) -> None:
        self._tasks: dict[str, StoredTask] = {}
        #: The TaskResult of the last run of each task, which that run changes as it goes on.
        self._runs: dict[str, Any] = {}
        self._metadata: dict[str, str] = {}

    def add(self, stored: StoredTask) -> None:
        """Keep an enqueued task."""
        self._tasks[stored.job_id] = stored

    def remove(self, result_id: str) -> None:
        """Forget an enqueued task."""
        self._tasks.pop(result_id, None)

    def result(self, result_id: str) -> Any:
        """Return a new TaskResult of a task; None when it was not enqueued here."""
        stored = self._tasks.get(result_id)
        return None if stored is None else self._result_of(stored)

    def begin(self, stored: StoredTask) -> Any:
        """Return the TaskResult for a new run. The task may have been enqueued outside of this store."""
        result = self._result_of(stored)
        self._tasks[stored.job_id] = stored
        self._runs[stored.job_id] = result
        return result

    def save_metadata(self, result_id: str, metadata: Mapping[str, Any]) -> bool:
        """Keep the metadata of a task; False when it was not enqueued here."""
        stored = self._tasks.get(result_id)
        if stored is None:
            return False
        self._metadata[result_id] = json.dumps(stored.family.normalised(metadata))
        return True

    def _result_of(self, stored: StoredTask) -> Any:
        result = stored.new_result()
        run = self._runs.get(stored.job_id)
        if run is not None:
            set_on(
                result, **{name: _copied(getattr(run, name)) for name in stored.family.refreshed}
            )
        if stored.family.has_metadata:
            saved = self._metadata.get(stored.job_id)
            set_on(result, metadata={} if saved is None else json.loads(saved))
        return result


#: Asked at each enqueue, and `inspect` looks through all wrappers of a function.
_is_coroutine_function = lru_cache(maxsize=64)(iscoroutinefunction)


def set_on(result: Any, **values: Any) -> None:
    """Set attributes of a TaskResult, which is frozen, in the way of Django's own backends."""
    for name, value in values.items():
        object.__setattr__(result, name, value)


def _copied(value: Any) -> Any:
    """Copy lists and mappings; what they hold is JSON or cannot be changed."""
    if isinstance(value, list):
        return [_copied(item) for item in value]
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return value
