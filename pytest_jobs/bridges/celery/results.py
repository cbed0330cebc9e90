"""The results of Celery tasks, as their deliveries left them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

from celery import Celery, states
from celery.app import backends
from celery.backends.base import DisabledBackend, KeyValueStoreBackend


class ResultStore(KeyValueStoreBackend):  # type: ignore[misc]
    """A result backend in memory, in which nothing is ever waited for."""

    implements_incr = True
    thread_safe = True
    persistent = False

    def __init__(
        self,
        app: Celery,
        find_kept: Callable[[], dict[Any, Any]],
        not_performed: Callable[[str], Exception],
    ) -> None:
        """Stand in for the result backend of an application.

        Args:
            app: whose serialisers are used.
            find_kept: returns where the results are now, which in a sandbox is elsewhere.
            not_performed: returns the error for a task that has no result.
        """
        self._find_kept = find_kept
        self._not_performed = not_performed
        super().__init__(app, url="memory://")

    # What Celery's store asks of a key-value store

    def get(self, key: Any) -> Any:
        """Return a value, or None."""
        return self._find_kept().get(key)

    def mget(self, keys: Iterable[Any]) -> list[Any]:
        """Return several values."""
        return [self.get(key) for key in keys]

    def set(self, key: Any, value: Any) -> None:
        """Keep a value."""
        self._find_kept()[key] = value

    def delete(self, key: Any) -> None:
        """Forget a value."""
        self._find_kept().pop(key, None)

    def incr(self, key: Any) -> int:
        """Count up: how many parts of a chord have ended."""
        kept = self._find_kept()
        count: int = kept.get(key, 0) + 1
        kept[key] = count
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
        raise self._not_performed(task_id)

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
