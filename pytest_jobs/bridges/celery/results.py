"""The result backend of Celery under the harness."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from functools import cached_property, lru_cache
from types import SimpleNamespace
from typing import Any, Final, Self

from celery import Celery, states
from celery.app import backends
from celery.backends.base import E_NO_BACKEND, DisabledBackend, KeyValueStoreBackend
from celery.exceptions import TimeoutError as WaitedTooLong

from ..toolkit import current_attempt

#: For how many seconds a task waits for another one without a timeout. In production it waits for ever.
_PATIENCE: Final = 3600.0


class ResultStore(KeyValueStoreBackend):  # type: ignore[misc]
    """A result backend in memory. A result that is not there is an error, never a wait."""

    implements_incr = True
    thread_safe = True
    persistent = False
    #: Whether a chord is joined.
    _joined = False

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
        return self._is_redis

    @cached_property
    def _is_redis(self) -> bool:
        kind = _backend_of(self.app)
        return any(each.__module__ == "celery.backends.redis" for each in kind.__mro__)

    def on_chord_part_return(self, request: Any, state: str, result: Any, **kwargs: Any) -> None:
        """Count a part of a chord that has ended. Redis keeps the results of parts apart, also ignored ones."""
        if self._is_redis and request.group:
            encoded = self.encode_result(result, state)
            meta = self._get_result_meta(encoded, state, None, request, format_date=False)
            parts = self._find_kept().setdefault("parts of chords", {})
            parts[request.id] = self.meta_from_decoded(self.decode(self.encode(meta)))
        self._joined = True
        try:
            super().on_chord_part_return(request, state, result, **kwargs)
        finally:
            self._joined = False

    def expire(self, key: Any, value: Any) -> None:
        """Nothing expires during a test."""

    @property
    def client(self) -> Self:
        """Return the store itself: Celery 5.3 deletes the counter of a chord by its client."""
        return self

    # The methods that wait in production

    def wait_for(
        self,
        task_id: str,
        timeout: float | None = None,
        interval: float = 0.5,
        *rest: Any,
        **given: Any,
    ) -> Any:
        """Return the stored result of a task. In a task that may wait, other workers of a drain go on meanwhile.

        Raises:
            TimeoutError: when a task waits longer than its timeout.
            NotPerformedError: when the task has not ended, and nobody performs it.
        """
        if self._joined:
            meta = self._find_kept().get("parts of chords", {}).get(task_id)
            if meta is not None:
                return meta
        patience = timeout or _PATIENCE
        while True:
            meta = self.get_task_meta(task_id)
            if meta["status"] in states.READY_STATES:
                return meta
            if current_attempt.get() is None:
                raise self._not_performed(task_id)
            if patience <= 0:
                raise (
                    WaitedTooLong("The operation timed out.")
                    if timeout
                    else self._not_performed(task_id)
                )
            time.sleep(interval)
            patience -= interval

    def get_many(
        self,
        task_ids: Iterable[str],
        timeout: float | None = None,
        interval: float = 0.5,
        *rest: Any,
        **given: Any,
    ) -> Generator[tuple[str, Any], Any, None]:
        """Yield the stored results of several tasks; see `wait_for`."""
        for task_id in task_ids:
            yield task_id, self.wait_for(task_id, timeout, interval)


def has_results(app: Celery) -> bool:
    """Say whether an application has a result backend, without connecting to it."""
    kinds = type(app).__mro__
    if any("backend" in vars(kind) for kind in kinds[: kinds.index(Celery)]):
        # A class of the project that makes the backend itself.
        return True
    return not issubclass(_backend_of(app), DisabledBackend)


def _backend_of(app: Celery) -> type:
    """Return the class of the result backend that an application declares."""
    declared = app.backend_cls or app.conf.result_backend
    return _class_named(declared, frozenset(app.loader.override_backends.items()))


@lru_cache(maxsize=32)
def _class_named(declared: Any, own: frozenset[tuple[str, str]]) -> type:
    # Before 5.7 Celery asked all installed packages for backends each time, as long as a short test takes.
    backend, _ = backends.by_url(declared, SimpleNamespace(override_backends=dict(own)))
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
