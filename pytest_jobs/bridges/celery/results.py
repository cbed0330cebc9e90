"""The result backend of Celery under the harness."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, Self

from celery import Celery, states
from celery.app import backends
from celery.backends.base import E_NO_BACKEND, DisabledBackend, KeyValueStoreBackend


class ResultStore(KeyValueStoreBackend):  # type: ignore[misc]
    """A result backend in memory. A result that is not there is an error, never a wait."""

    implements_incr = True
    thread_safe = True
    persistent = False

    def __init__(
        self,
        app: Celery,
        find_kept: Callable[[], dict[Any, Any]],
        not_performed: Callable[[str], Exception],
    ) -> None:
        """Keep results where `find_kept` says at present: a sandbox has a place of its own."""
        self._find_kept = find_kept
        self._not_performed = not_performed
        super().__init__(app, url="memory://")

    # The key-value store

    def get(self, key: Any) -> Any:
        return self._find_kept().get(key)

    def mget(self, keys: Iterable[Any]) -> list[Any]:
        return [self.get(key) for key in keys]

    def set(self, key: Any, value: Any) -> None:
        self._find_kept()[key] = value

    def delete(self, key: Any) -> None:
        self._find_kept().pop(key, None)

    def incr(self, key: Any) -> int:
        """Count the parts of a chord that have ended."""
        kept = self._find_kept()
        count: int = kept.get(key, 0) + 1
        kept[key] = count
        return count

    def is_cached(self, task_id: str) -> bool:
        """Say whether an error of a chord names the task that failed, as Celery's own backends for redis do."""
        kind = _backend_of(self.app)
        return any(each.__module__ == "celery.backends.redis" for each in kind.__mro__)

    def expire(self, key: Any, value: Any) -> None:
        """Nothing expires during a test."""

    @property
    def client(self) -> Self:
        """Return the store itself: Celery 5.3 deletes the counter of a chord by its client."""
        return self

    # The methods that wait in production

    def wait_for(self, task_id: str, *args: Any, **kwargs: Any) -> Any:
        """Return the stored result of a task.

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
        """Yield the stored results of several tasks.

        Raises:
            NotPerformedError: when one of them has not ended.
        """
        for task_id in task_ids:
            yield task_id, self.wait_for(task_id)


def has_results(app: Celery) -> bool:
    """Say whether an application has a result backend, without connecting to it."""
    kinds = type(app).__mro__
    if any("backend" in vars(kind) for kind in kinds[: kinds.index(Celery)]):
        # A class of the project that makes the backend itself.
        return True
    return not issubclass(_backend_of(app), DisabledBackend)


def _backend_of(app: Celery) -> type:
    """Return the class of the result backend that an application declares."""
    backend, _ = backends.by_url(app.backend_cls or app.conf.result_backend, app.loader)
    return backend if isinstance(backend, type) else object


class NoResults(DisabledBackend):  # type: ignore[misc]
    """What an application without a result backend has in its place."""

    def __init__(self, app: Celery, why: Callable[[Celery], str]) -> None:
        """Refuse, and say why a test may have come to this application."""
        self._why = why
        super().__init__(app=app)

    def _asked(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse to tell a result.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"{E_NO_BACKEND.strip()} {self._why(self.app)}".rstrip())

    get_state = get_status = get_result = get_traceback = _asked
    get_task_meta_for = wait_for = get_many = _asked
