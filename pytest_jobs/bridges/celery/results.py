"""The results of Celery tasks, as their deliveries left them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

from celery import Celery, states
from celery.app import backends
from celery.backends.base import DisabledBackend, KeyValueStoreBackend

from ...errors import NotPerformedError
from ...harness.records.record import JobRecord


class ResultStore(KeyValueStoreBackend):  # type: ignore[misc]
    """A result backend in memory, in which nothing is ever waited for."""

    implements_incr = True
    thread_safe = True
    persistent = False

    def __init__(self, app: Celery, explain: Callable[[str], str]) -> None:
        """Begin empty.

        Args:
            app: whose serialisers are used.
            explain: says in a word or two what became of the task with an id that has no result.
        """
        self.kept: dict[Any, Any] = {}
        self._explain = explain
        super().__init__(app, url="memory://")

    # What Celery's store asks of a key-value store

    def get(self, key: Any) -> Any:
        """Return a value, or None."""
        return self.kept.get(key)

    def mget(self, keys: Iterable[Any]) -> list[Any]:
        """Return several values."""
        return [self.kept.get(key) for key in keys]

    def set(self, key: Any, value: Any) -> None:
        """Keep a value."""
        self.kept[key] = value

    def delete(self, key: Any) -> None:
        """Forget a value."""
        self.kept.pop(key, None)

    def incr(self, key: Any) -> int:
        """Count up: how many parts of a chord have ended."""
        count: int = self.kept.get(key, 0) + 1
        self.kept[key] = count
        return count

    def expire(self, key: Any, value: Any) -> None:
        """Keep it: a test is over before anything expires."""

    # What would wait

    def wait_for(self, task_id: str, *args: Any, **kwargs: Any) -> Any:
        """Return what is stored of a task.

        Raises:
            NotPerformedError: when the task has not ended.
        """
        meta = self.get_task_meta(task_id)
        if meta["status"] in states.READY_STATES:
            return meta
        raise NotPerformedError(
            f"The result of task {task_id} was asked for, and {self._explain(task_id)}. Nothing performs it while "
            "the caller waits: call jobs.drain() or jobs.perform(record) first."
        )

    def get_many(
        self, task_ids: Iterable[str], *args: Any, **kwargs: Any
    ) -> Generator[tuple[str, Any], Any, None]:
        """Return what is stored of several tasks.

        Raises:
            NotPerformedError: when one of them has not ended.
        """
        for task_id in task_ids:
            yield task_id, self.wait_for(task_id)


def has_results(app: Celery) -> bool:
    """Say whether an application keeps results at all, without connecting to where it does."""
    backend, _ = backends.by_url(app.backend_cls or app.conf.result_backend, app.loader)
    return not (isinstance(backend, type) and issubclass(backend, DisabledBackend))


def revoke(store: ResultStore, task_ids: Sequence[str]) -> None:
    """Store that tasks were revoked."""
    for task_id in task_ids:
        store.mark_as_revoked(task_id, "revoked", store_result=True)


def why_no_result(pending: JobRecord | None) -> str:
    """Say why a task has no result.

    Args:
        pending: its record, where it has one that is pending.
    """
    if pending is None:
        return "no task of this id is pending here"
    return f"{pending!r} has not been performed" if pending.attempt == 1 else f"{pending!r} is due"
